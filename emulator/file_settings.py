"""Every setting that stands in the project file only: it says what the project is, not how one run goes."""

from __future__ import annotations

from emulator.model import ConfigType
from emulator.setting import Setting

FILE_ONLY: tuple[Setting, ...] = (
    Setting(
        key="services",
        variable="",
        default="none",
        allowed='an array of tables such as {name = "orders", template = "orders/template.yaml", after = ["data"], '
        'outputs = {TableName = "data.TableName"}}',
        description="Several services in place of one `template`; outputs of one are parameters of another.",
    ),
    Setting(
        key="config.<Key>.type",
        variable="",
        default="string",
        allowed=" or ".join(f'"{one.value}"' for one in ConfigType),
        description="What the key holds.",
    ),
    Setting(
        key="config.<Key>.required",
        variable="",
        default="true",
        allowed="true or false",
        description="Whether an environment without a value, and without a default, is refused.",
    ),
    Setting(
        key="config.<Key>.default",
        variable="",
        default="none",
        allowed="a value of the key's type",
        description="Value for environments that give none; a secret has none.",
    ),
    Setting(
        key="config.<Key>.secret",
        variable="",
        default="false",
        allowed="true or false",
        description="Whether its values are secrets: kept out of this file, the template, the ledger and all output.",
    ),
    Setting(
        key="config.<Key>.description",
        variable="",
        default="empty",
        allowed="a string",
        description="What the key is for.",
    ),
    Setting(
        key="auto_promote_to",
        variable="",
        default="none",
        allowed="an array of environments",
        description="Environments that a release is promoted into as soon as it is verified in the one before.",
    ),
    Setting(
        key="swarm.placement",
        variable="",
        default="none",
        allowed='an array of constraints such as "node.labels.room == 1"',
        description="What a node must be to run environments of the driver swarm; all of them hold.",
    ),
    Setting(
        key="swarm.managers",
        variable="",
        default="the engine that DOCKER_HOST or the docker context leads to",
        allowed='an array of engines\' addresses such as "tcp://192.0.2.1:2376" or "unix:///var/run/docker.sock"',
        description="Managers of the swarm; the first one that answers, and manages it, is asked.",
    ),
    Setting(
        key="proxy.domains",
        variable="",
        default="none",
        allowed='an array of names such as "lab.example.org" or "lab.example.org:8443", in which no address and no '
        "localhost is",
        description="Names that the proxy answers to, beside this machine's: the name itself, `<environment>.<name>` "
        "and `<environment>.<space>.<name>`. The first one stands in links to join a space.",
    ),
    Setting(
        key="proxy.trusted",
        variable="",
        default="none",
        allowed='an array of addresses and networks such as "127.0.0.1" or "10.0.0.0/24"',
        description="Reverse proxies that are believed who asked them, by which name, and whether by HTTPS.",
    ),
    Setting(
        key="verify.checks",
        variable="",
        default="none",
        allowed='an array of tables such as {path = "/health", status = 200, contains = "ok"}',
        description="Requests to an environment's API with what must be answered.",
    ),
    Setting(
        key="compare.ignore_order",
        variable="",
        default="none",
        allowed='an array of JSON paths such as "$.items"',
        description="Arrays of answers whose order is no difference between environments.",
    ),
    Setting(
        key="compare.expected",
        variable="",
        default="none",
        allowed='an array of tables such as {between = ["test", "prod"], json_path = "$.name", reason = "why"}',
        description="Differences between answers of environments that are meant to be.",
    ),
    Setting(
        key="replay.carry",
        variable="",
        default="none",
        allowed='an array of tables such as {json_path = "$.id", variable = "order", request = "POST /orders"}',
        description="Values of answers that later requests of a replay need.",
    ),
    Setting(
        key="seed.folders",
        variable="",
        default="none",
        allowed='an array of folders such as ["seeds/all"]',
        description="Data for every environment that names no folders of its own; what a later folder holds wins.",
    ),
    Setting(
        key="seed.after_deploy",
        variable="",
        default="true",
        allowed="true or false",
        description="Whether an environment gets its seed after its first deployment, or only by `multistack seed`.",
    ),
    Setting(
        key="environments.<name>.seed",
        variable="",
        default="seed.folders",
        allowed='an array of folders such as ["seeds/all", "seeds/test"]',
        description="Folders of data for this environment; an empty array for none.",
    ),
    Setting(
        key="inspector.redact",
        variable="",
        default="none",
        allowed='an array of names such as ["iban", "X-Customer"]',
        description="Headers, parameters and fields that are never written, besides passwords, keys and the like.",
    ),
)
