"""Every setting there is: its key, variable, default and description. Those of the file only are apart."""

from __future__ import annotations

from emulator.model import OWN_IMAGE, DriverName
from emulator.setting import Setting
from emulator.spans import ALLOWED

TEMPLATE_NAMES = ("template.yaml", "template.yml", "template.json")
SERVICE_PATTERN = r"^[a-z][a-z0-9-]{0,39}$"
CORPUS_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
PARAMETER_PATTERN = r"^[A-Za-z0-9]{1,255}$"

_DRIVERS = " or ".join(f'"{driver.value}"' for driver in DriverName)
_IMAGE = 'the name of an image such as "localstack/localstack:4.14.0"'
_MEMORY = 'a size from "64m" up such as "768m" or "2g", or "unlimited"'
_CPUS = 'a number of cores above 0 and up to 1024, or "unlimited"'
_REGIONS = 'a region such as "eu-west-1"'
_PORTS = 'a port from 1 to 65535 or "auto"'

SETTINGS: tuple[Setting, ...] = (
    Setting(
        key="--file",
        variable="MULTISTACK_FILE",
        default="multistack.toml, or pyproject.toml with [tool.multistack], in this folder or the nearest above",
        allowed="a file",
        description="The project file.",
    ),
    Setting(
        key="service",
        variable="MULTISTACK_SERVICE",
        default="required",
        allowed="1 to 40 of a-z, 0-9 and -, starting with a letter",
        description="Name of the service; its stack in an environment is <service>-<environment>.",
    ),
    Setting(
        key="template",
        variable="MULTISTACK_TEMPLATE",
        default=f"{', else '.join(TEMPLATE_NAMES)}, else a framework's file",
        allowed="the path of a template or of a framework's file",
        description="What the service is; relative to the project file, or to the folder a flag is used in.",
    ),
    Setting(
        key="api",
        variable="MULTISTACK_API",
        default="the only API of the template",
        allowed="the logical id of an API, letters and digits",
        description="Logical id of the API that /<environment>/ reaches.",
    ),
    Setting(
        key="region",
        variable="MULTISTACK_REGION",
        default="us-east-1",
        allowed=_REGIONS,
        description="Region of every environment that names none; as a variable or flag, of every environment.",
    ),
    Setting(
        key="driver",
        variable="MULTISTACK_DRIVER",
        default="embedded",
        allowed=_DRIVERS,
        description="Driver of every environment that names none; as a variable or flag, of every environment.",
    ),
    Setting(
        key="allow_remote",
        variable="MULTISTACK_ALLOW_REMOTE",
        default="false",
        allowed="true or false",
        description="Whether a Docker engine or an external emulator may be on another machine.",
    ),
    Setting(
        key="clock_offset",
        variable="MULTISTACK_CLOCK_OFFSET",
        default="0s",
        allowed=f"{ALLOWED}, or a negative one",
        description="Moves the clock of the ledger and its gates, for tests and labs.",
    ),
    Setting(
        key="store",
        variable="MULTISTACK_STORE",
        default="empty: files in the state folder",
        allowed='the URL of a PostgreSQL database such as "postgresql://user@host/database", or empty',
        description="Database that several machines share: the ledger, spaces, routes and requests. A password goes "
        "into the variable, into PGPASSWORD or into ~/.pgpass.",
        is_secret=True,
    ),
    Setting(
        key="store_timeout",
        variable="MULTISTACK_STORE_TIMEOUT",
        default="60",
        allowed="a number of seconds from 0 to 3600",
        description="Seconds that a command which has begun waits for a store that is away.",
    ),
    Setting(
        key="localstack.image",
        variable="MULTISTACK_LOCALSTACK_IMAGE",
        default=OWN_IMAGE,
        allowed=_IMAGE,
        description="Image of the localstack driver's containers; the default is made by `multistack image build`.",
    ),
    Setting(
        key="localstack.lambda",
        variable="MULTISTACK_LOCALSTACK_LAMBDA",
        default="process",
        allowed='"process" or "docker"',
        description="What runs functions: processes in the container, or containers of the engine, whose socket the "
        "emulator then gets.",
    ),
    Setting(
        key="localstack.memory",
        variable="MULTISTACK_LOCALSTACK_MEMORY",
        default="1g",
        allowed=_MEMORY,
        description="Memory that each container may use.",
    ),
    Setting(
        key="localstack.cpus",
        variable="MULTISTACK_LOCALSTACK_CPUS",
        default="unlimited",
        allowed=_CPUS,
        description="Cores that each container may use.",
    ),
    Setting(
        key="localstack.internal",
        variable="MULTISTACK_LOCALSTACK_INTERNAL",
        default="false",
        allowed="true or false",
        description="Whether the containers' networks lead nowhere; their ports are then not published on 127.0.0.1.",
    ),
    Setting(
        key="swarm.image",
        variable="MULTISTACK_SWARM_IMAGE",
        default="auto",
        allowed=f'{_IMAGE}, or "auto"',
        description="Image of the swarm driver's services; auto is what `multistack image build --embedded` makes.",
    ),
    Setting(
        key="swarm.memory",
        variable="MULTISTACK_SWARM_MEMORY",
        default="512m",
        allowed=_MEMORY,
        description="Memory that each service may use.",
    ),
    Setting(
        key="swarm.cpus",
        variable="MULTISTACK_SWARM_CPUS",
        default="unlimited",
        allowed=_CPUS,
        description="Cores that each service may use.",
    ),
    Setting(
        key="swarm.publish",
        variable="MULTISTACK_SWARM_PUBLISH",
        default="host",
        allowed='"host" or "ingress"',
        description="Where an environment's port is open: on the node that runs it, or by the routing mesh on all of "
        "them, which needs IPVS in the nodes' kernels.",
    ),
    Setting(
        key="proxy.host",
        variable="MULTISTACK_PROXY_HOST",
        default="127.0.0.1",
        allowed='an IPv4 address of this machine such as "127.0.0.1", or "0.0.0.0" for all of them',
        description="Address that the proxy listens on; beyond loopback it asks other machines for a password.",
    ),
    Setting(
        key="proxy.password",
        variable="MULTISTACK_PROXY_PASSWORD",
        default="auto",
        allowed='"auto", "none", or, as the variable only, 12 to 200 printable characters without a space',
        description="Password of other machines; auto makes one and keeps it, none lets in whoever reaches the proxy.",
        is_secret=True,
    ),
    Setting(
        key="proxy.port",
        variable="MULTISTACK_PROXY_PORT",
        default="auto",
        allowed=_PORTS,
        description="Port of the proxy; auto takes 8080, or the next free one.",
    ),
    Setting(
        key="proxy.timeout",
        variable="MULTISTACK_PROXY_TIMEOUT",
        default="30",
        allowed="a number of seconds above 0 and up to 3600",
        description="Seconds the proxy waits for an environment's answer before it says 504.",
    ),
    Setting(
        key="proxy.max_body",
        variable="MULTISTACK_PROXY_MAX_BODY",
        default="10485760",
        allowed="a number of bytes from 1 to 1073741824",
        description="Largest request body in bytes; a larger one gets 413.",
    ),
    Setting(
        key="inspector.enabled",
        variable="MULTISTACK_INSPECTOR_ENABLED",
        default="true",
        allowed="true or false",
        description="Whether the proxy keeps the requests that pass it, for `multistack requests` and the dashboard.",
    ),
    Setting(
        key="inspector.max_requests",
        variable="MULTISTACK_INSPECTOR_MAX_REQUESTS",
        default="10000",
        allowed="a number from 1 to 1000000",
        description="How many requests are kept at most; the oldest go first.",
    ),
    Setting(
        key="inspector.max_size",
        variable="MULTISTACK_INSPECTOR_MAX_SIZE",
        default="64m",
        allowed='a size from "1m" to "16g"',
        description="How large the file that they are kept in may become.",
    ),
    Setting(
        key="inspector.max_age",
        variable="MULTISTACK_INSPECTOR_MAX_AGE",
        default="1d",
        allowed=f"{ALLOWED}, from 1m up",
        description="How long a request is kept.",
    ),
    Setting(
        key="verify.command",
        variable="MULTISTACK_VERIFY_COMMAND",
        default="none",
        allowed="a line for the shell",
        description="Smoke tests: run beside the project file with an environment's URL and AWS variables; 0 is good.",
    ),
    Setting(
        key="verify.timeout",
        variable="MULTISTACK_VERIFY_TIMEOUT",
        default="300",
        allowed="a number of seconds above 0 and up to 3600",
        description="Seconds that verify.command may take.",
    ),
    Setting(
        key="verify.replay",
        variable="MULTISTACK_VERIFY_REPLAY",
        default="none",
        allowed="the name of a corpus, up to 64 letters, digits, dots, dashes and underscores",
        description="Corpus whose requests must be answered as they were recorded, see `multistack replay`.",
    ),
    Setting(
        key="verify.replay_writes",
        variable="MULTISTACK_VERIFY_REPLAY_WRITES",
        default="false",
        allowed="true or false",
        description="Whether requests of verify.replay that may change something are sent too; never into a protected "
        "environment.",
    ),
    Setting(
        key="environments.<name>.driver",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_DRIVER",
        default="the project's driver",
        allowed=_DRIVERS,
        description="What runs this environment's emulator.",
    ),
    Setting(
        key="environments.<name>.account_id",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_ACCOUNT_ID",
        default="derived from the names of service and environment",
        allowed='12 digits in quotes, such as "111111111111"',
        description="The environment's emulated AWS account.",
    ),
    Setting(
        key="environments.<name>.region",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_REGION",
        default="the project's region",
        allowed=_REGIONS,
        description="The environment's region.",
    ),
    Setting(
        key="environments.<name>.port",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_PORT",
        default="auto",
        allowed=_PORTS,
        description="Port of the environment's emulator on 127.0.0.1; auto takes a free one.",
    ),
    Setting(
        key="environments.<name>.protected",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_PROTECTED",
        default="false",
        allowed="true or false",
        description="Whether destructive commands need --yes, and promotion an approval.",
    ),
    Setting(
        key="environments.<name>.soak",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_SOAK",
        default="0s",
        allowed=ALLOWED,
        description="How long a release must have served in the environment before, to be promoted into this one.",
    ),
    Setting(
        key="environments.<name>.enforce_iam",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_ENFORCE_IAM",
        default="false",
        allowed="true or false",
        description="Whether functions and callers need the permissions that AWS would ask for.",
    ),
    Setting(
        key="environments.<name>.lambda_concurrency",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_LAMBDA_CONCURRENCY",
        default="auto",
        allowed='a number of calls from 1 to 1000 or "auto"',
        description="How many function calls may run at once in the account; auto is what memory carries, up to 1000.",
    ),
    Setting(
        key="environments.<name>.image",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_IMAGE",
        default="localstack.image, or swarm.image",
        allowed=_IMAGE,
        description="Image of this environment's container.",
    ),
    Setting(
        key="environments.<name>.memory",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_MEMORY",
        default="localstack.memory, or swarm.memory",
        allowed=_MEMORY,
        description="Memory that this environment's container may use.",
    ),
    Setting(
        key="environments.<name>.cpus",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_CPUS",
        default="localstack.cpus, or swarm.cpus",
        allowed=_CPUS,
        description="Cores that this environment's container may use.",
    ),
    Setting(
        key="environments.<name>.endpoint",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_ENDPOINT",
        default="required by the driver external",
        allowed='the URL of an emulator, without a path, such as "http://127.0.0.1:4566"',
        description="Where the emulator of the driver external answers; another machine's needs allow_remote.",
    ),
    Setting(
        key="environments.<name>.config.<Parameter>",
        variable="MULTISTACK_CONFIG_<NAME>_<KEY>",
        default="the template's default",
        allowed="a string, a finite number, true or false, or an array of strings without commas",
        description="Value of one template parameter; the variable's <KEY> matches in any case.",
    ),
)
