"""An environment's Swarm service as plain data: what it is made of, and what its tasks say of it. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.drivers import containers
from emulator.drivers.swarm_cluster import Node
from emulator.endpoint_key import PORT_INSIDE
from emulator.model import DriverName, Environment, Project, Publish

_SECOND = 10**9
_DATA = "/var/lib/multistack"
_OWNER = {"UID": "1000", "GID": "1000", "Mode": 0o400}
# Where the emulator in a container looks for its variables, and for its key.
_VARIABLES, _KEY = "/run/multistack/environment", "multistack-key"
_NO_IMAGE = "No such image"
_WORKING = ("starting", "running")
_OVER = ("complete", "failed", "rejected", "shutdown", "orphaned", "remove")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """
    What a service refers to.

    Attributes:
        image: A name, or the id of an image that every node has.
        config: Id and name of the Swarm config with the emulator's variables.
        secret: Id and name of the Swarm secret with its key.
        network: Id of its network.
        volume: Name of its volume.
        node: Id of the node that it is to start on; empty for any.
    """

    image: str
    config: tuple[str, str]
    secret: tuple[str, str]
    network: str
    volume: str
    node: str = ""


def variables(environment: Environment) -> bytes:
    """What the emulator is told, a line each."""
    concurrency = environment.lambda_concurrency
    told = {
        "MULTISTACK_ENVIRONMENT": environment.name,
        "MULTISTACK_ACCOUNT_ID": environment.account_id,
        "MULTISTACK_REGION": environment.region,
        "MULTISTACK_ENFORCE_IAM": "true" if environment.enforce_iam else "false",
        "MULTISTACK_LAMBDA_CONCURRENCY": "" if concurrency is None else str(concurrency),
    }
    return "".join(f"{name}={value}\n" for name, value in told.items()).encode()


def named(name: str, content: bytes) -> str:
    """What a config or a secret of that *content* is called: Swarm changes neither, so another one has another name."""
    return f"{name}-{hashlib.sha256(content).hexdigest()[:8]}"


def is_part_of(project: Project, name: str, labels: Mapping[str, str] | None) -> bool:
    """Whether a config or a secret called *name* is of *project*; see :func:`emulator.drivers.containers.is_ours`."""
    return containers.is_ours(project, name.rpartition("-")[0], labels)


def template(project: Project, environment: Environment, parts: Parts) -> dict[str, Any]:
    """
    The ``TaskTemplate`` of its service.

    Source:
        Docker Engine API 1.41, ``POST /services/create``.
    """
    settings, labels = environment.swarm, containers.labels_of(project, environment)
    limits = {
        **({"MemoryBytes": settings.memory} if settings.memory else {}),
        **({"NanoCPUs": int(settings.cpus * 1e9)} if settings.cpus else {}),
    }
    config, secret = parts.config, parts.secret
    return {
        "ContainerSpec": {
            "Image": parts.image,
            "Labels": labels,
            "Init": True,
            "ReadOnly": True,
            "CapabilityDrop": ["ALL"],
            "StopGracePeriod": 20 * _SECOND,
            "Mounts": [
                {"Type": "volume", "Source": parts.volume, "Target": _DATA, "VolumeOptions": {"Labels": labels}},
                {"Type": "tmpfs", "Target": "/tmp", "TmpfsOptions": {"Mode": 0o1777}},  # noqa: S108
            ],
            "Configs": [{"ConfigID": config[0], "ConfigName": config[1], "File": {"Name": _VARIABLES, **_OWNER}}],
            "Secrets": [{"SecretID": secret[0], "SecretName": secret[1], "File": {"Name": _KEY, **_OWNER}}],
        },
        "Resources": {"Limits": limits},
        "RestartPolicy": {"Condition": "any", "Delay": 2 * _SECOND},
        "Placement": {"Constraints": [*settings.placement, *([f"node.id == {parts.node}"] if parts.node else [])]},
        "Networks": [{"Target": parts.network}],
        "LogDriver": {"Name": "json-file", "Options": {"max-size": "10m", "max-file": "2"}},
    }


def endpoint_spec(environment: Environment, port: int) -> dict[str, Any]:
    """Where *port* is open: by the routing mesh with its virtual address, or on the one host, which needs neither."""
    is_mesh = environment.swarm.publish is Publish.INGRESS
    opened = {"Protocol": "tcp", "TargetPort": PORT_INSIDE, "PublishedPort": port}
    return {
        "Mode": "vip" if is_mesh else "dnsrr",
        "Ports": [{**opened, "PublishMode": environment.swarm.publish.value}],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """
    A service of ours as the swarm describes it.

    Attributes:
        settings: See :attr:`emulator.model.Instance.settings`.
        port: The one that is published.
        is_mesh: On every node.
    """

    id: str
    name: str
    account_id: str
    region: str
    settings: Mapping[str, str]
    port: int
    is_mesh: bool


def read(found: Mapping[str, Any]) -> Service:
    """The engine's ``inspect`` of a service as data."""
    spec = found["Spec"]
    told = containers.settings_in(spec["Labels"])
    account_id, region = told.pop("account_id"), told.pop("region")
    (opened,) = spec["EndpointSpec"]["Ports"]
    return Service(
        id=found["ID"],
        name=spec["Name"],
        account_id=account_id,
        region=region,
        settings=told,
        port=int(opened["PublishedPort"]),
        is_mesh=opened.get("PublishMode") == Publish.INGRESS.value,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """
    Where the swarm is with a service.

    Attributes:
        node: Id of the one that has it; empty while none has.
        works: Its container was made, and has not ended.
        is_young: The swarm is still about it, and nothing went wrong.
        reason: Why it doesn't; what went wrong before it, where it is a later try.
        without_image: Ids of the nodes that tried, and don't have its image.
    """

    node: str = ""
    works: bool = False
    is_young: bool = False
    reason: str = ""
    without_image: frozenset[str] = frozenset()


def read_tasks(found: Sequence[Mapping[str, Any]], nodes: Mapping[str, Node]) -> Task:
    """What the tasks of one service say; those of nodes that are down are told of, and count no more."""
    tried = sorted(found, key=lambda one: str(one["CreatedAt"]), reverse=True)
    wanted = [one for one in tried if one["DesiredState"] in ("running", "ready") and not _is_over(one)]
    alive = [one for one in wanted if not _is_down(one, nodes)]
    lost = [one for one in wanted if _is_down(one, nodes)]
    trouble = next((text for text in (_trouble(one, nodes) for one in tried[:3]) if text), "")
    without = frozenset(one.get("NodeID", "") for one in tried if _NO_IMAGE in one["Status"].get("Err", ""))
    if not alive:
        away = f"node {nodes[lost[0]['NodeID']].name} is down, and no other has it yet" if lost else ""
        return Task(
            is_young=not trouble,
            reason=trouble or away or "the swarm has not made its container yet",
            without_image=without,
        )
    newest = alive[0]
    state, node = newest["Status"]["State"], newest.get("NodeID", "")
    if state in _WORKING:
        return Task(node=node, works=True, is_young=state != "running")
    return Task(
        node=node,
        is_young=not trouble,
        reason=trouble or f"its container is not there yet: {state}",
        without_image=without,
    )


def _is_over(task: Mapping[str, Any]) -> bool:
    return task["Status"]["State"] in _OVER


def _is_down(task: Mapping[str, Any], nodes: Mapping[str, Node]) -> bool:
    node = nodes.get(task.get("NodeID", ""))
    return node is not None and not node.is_ready


def _trouble(task: Mapping[str, Any], nodes: Mapping[str, Node]) -> str:
    said = str(task["Status"].get("Err", ""))
    node = nodes.get(task.get("NodeID", ""))
    if _NO_IMAGE in said:
        return f"node {node.name if node else 'of the swarm'} does not have its image"
    return f"{said} on node {node.name}" if node and said else said


def leftover(labels: Mapping[str, str]) -> Environment:
    """As much of an environment as the labels of its service tell."""
    told = containers.settings_in(labels)
    return Environment(
        name=labels[containers.ENVIRONMENT],
        driver=DriverName.SWARM,
        account_id=told["account_id"],
        region=told["region"],
    )
