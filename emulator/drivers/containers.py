"""An environment's container as plain data: what it is called, how it is made, and what its state means. No I/O."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from emulator.drivers.container_functions import SOCKET, variables
from emulator.model import DriverName, Environment, Functions, Project, Status

LABEL = "dev.multistack"
PROJECT, ENVIRONMENT, CONFIG = f"{LABEL}.project", f"{LABEL}.environment", f"{LABEL}.config"
# What the container was started with, as JSON: its account, region and settings.
_SETTINGS = f"{LABEL}.settings"
# Only on images that `multistack image build` made: the hash of what they were made from.
IMAGE = f"{LABEL}.image"
# The variable with LocalStack's token.
TOKEN = "LOCALSTACK_AUTH_TOKEN"  # noqa: S105 (the name of a variable)
PORT = 4566
# The one place in a container that is kept.
DATA = "/var/lib/localstack"
STATE = f"{DATA}/state"
# Seconds in which a container that doesn't answer yet counts as starting.
_STARTING = 60.0
_STOPPED, _KILLED = 128 + 15, 128 + 9
# With which LocalStack's images end that have no token. Source: LocalStack's announcement for 23 March 2026.
_NO_TOKEN = 55
# The engine's own default is without bounds. Each run of an emulator writes some kilobytes, a failing function more.
_LOG = {"type": "json-file", "config": {"max-size": "10m", "max-file": "2"}}


def name_of(project: Project, environment: str) -> str:
    """What container, network and volume of *environment* are called; another folder's project has other names."""
    return f"multistack-{environment}-{hashlib.sha256(str(project.home).encode()).hexdigest()[:10]}"


def labels_of(project: Project, environment: Environment) -> dict[str, str]:
    """What says that something is ours."""
    told = {"account_id": environment.account_id, "region": environment.region, **environment.settings}
    text = json.dumps(told, sort_keys=True)
    return {
        PROJECT: str(project.home),
        ENVIRONMENT: environment.name,
        CONFIG: hashlib.sha256(text.encode()).hexdigest()[:12],
        _SETTINGS: text,
    }


def settings_in(labels: Mapping[str, str]) -> dict[str, str]:
    """What :func:`labels_of` was told: account, region and settings."""
    return dict(json.loads(labels[_SETTINGS]))


def is_ours(project: Project, name: str, labels: Mapping[str, str] | None) -> bool:
    """
    Whether what is called *name* is of *project*: by its name and its labels, for a stranger may have copied either.
    """
    told = labels or {}
    environment = told.get(ENVIRONMENT)
    return bool(
        environment
        and told.get(PROJECT) == str(project.home)
        and name.removeprefix("/") == name_of(project, environment)
        and {CONFIG, _SETTINGS} <= told.keys()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """
    An image of the engine.

    Attributes:
        name: As the project says.
        is_own: Made by ``multistack image build``: it keeps state, and runs without privileges.
        architecture: E.g. ``amd64``.
        recipe: Of one of ours, the digest of what it was made from.
    """

    name: str
    id: str
    is_own: bool
    architecture: str = ""
    recipe: str = ""


def arguments(
    project: Project,
    environment: Environment,
    image: Image,
    *,
    port: int | None,
    token: str | None,
    socket: str = SOCKET,
    files: Mapping[str, str] = {},
) -> dict[str, Any]:
    """
    What the Docker SDK's ``containers.create`` needs.

    Args:
        port: On 127.0.0.1; None for one that is not published.
        token: For images of LocalStack that ask for one.
        socket: The engine's, for an environment that is to have it.
        files: Paths of this machine to where they are in the container, to be read only.
    """
    name, settings, labels = name_of(project, environment.name), environment.container, labels_of(project, environment)
    needs_socket = settings.functions is Functions.DOCKER
    volumes = {name: {"bind": DATA, "mode": "rw"}, **{own: {"bind": to, "mode": "ro"} for own, to in files.items()}}
    if needs_socket:
        volumes[socket] = {"bind": SOCKET, "mode": "rw"}
    told = _environ(environment, port=port, token=token)
    if needs_socket:
        told |= variables(name, {key: labels[key] for key in (PROJECT, ENVIRONMENT)})
    # Root inside is only what an image of somebody else may need; ours runs as a user without any capability.
    bounds: dict[str, Any] = {"read_only": True, "cap_drop": ["ALL"], "tmpfs": {"/tmp": "exec,mode=1777"}}  # noqa: S108
    return {
        "image": image.id,
        "name": name,
        # By the engine's own choice LocalStack finds itself among the containers.
        **({} if needs_socket else {"hostname": environment.name}),
        "labels": labels,
        "environment": told,
        "network": name,
        "volumes": volumes,
        "ports": {} if port is None else {f"{PORT}/tcp": ("127.0.0.1", port)},
        "mem_limit": settings.memory,
        # Swapping would make an emulator at its limit slow instead of ending it.
        "memswap_limit": settings.memory,
        "nano_cpus": int(settings.cpus * 1e9) if settings.cpus else None,
        "restart_policy": {"Name": "on-failure", "MaximumRetryCount": 3},
        "security_opt": ["no-new-privileges:true"],
        "init": True,
        "log_config": _LOG,
        # Its health is asked for when somebody wants to know; an image's own check would do so all the time.
        "healthcheck": {"test": ["NONE"]},
        **(bounds if image.is_own else {}),
    }


def _environ(environment: Environment, *, port: int | None, token: str | None) -> dict[str, str]:
    """Understood by LocalStack and MiniStack alike; nothing of the caller's own variables."""
    return {
        **({} if environment.lambda_concurrency is None else _pool(environment.lambda_concurrency)),
        **({} if token is None else {TOKEN: token}),
        **({} if port is None else addressing(str(port))),
        # A container's own address is known only when it runs: queues then get that of the question.
        "SQS_ENDPOINT_STRATEGY": "dynamic" if port is None else "path",
        "MULTISTACK_ACCOUNT_ID": environment.account_id,
        "MULTISTACK_REGION": environment.region,
        "MINISTACK_ACCOUNT_ID": environment.account_id,
        "MINISTACK_REGION": environment.region,
    }


def _pool(concurrency: int) -> dict[str, str]:
    """A pool of function calls; of a small one nearly all may be reserved, of which AWS would keep 100 back."""
    return {
        "LAMBDA_LIMITS_CONCURRENT_EXECUTIONS": str(concurrency),
        "LAMBDA_LIMITS_MINIMUM_UNRESERVED_CONCURRENCY": "1",
        "LAMBDA_ACCOUNT_CONCURRENCY": str(concurrency),
    }


def addressing(port: str) -> dict[str, str]:
    """
    What lets addresses that the emulator gives away, of queues for one, work on this machine and for functions alike.

    Args:
        port: That on this machine; also one that Compose fills in.
    """
    own = f"0.0.0.0:{PORT}"
    listen = own if port == str(PORT) else f"{own},127.0.0.1:{port}"
    return {"LOCALSTACK_HOST": f"127.0.0.1:{port}", "GATEWAY_LISTEN": listen}


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """
    A container of ours as the engine describes it.

    Attributes:
        condition: What the engine says of its process; READY only means that it runs.
        reason: Why it doesn't run; empty when it does.
        settings: See :attr:`emulator.model.Instance.settings`.
        address: ``127.0.0.1:4600``, or the container's own where no port is published; None while it has none.
        port: The one that is published while it runs; None for none.
        keeps_state: Made of an image of ours.
    """

    id: str
    environment: str
    image_id: str
    config: str
    condition: Status
    reason: str
    account_id: str
    region: str
    settings: Mapping[str, str]
    address: str | None
    port: int | None = None
    keeps_state: bool = False


def read(found: Mapping[str, Any], *, now: datetime) -> Container:
    """The engine's ``inspect`` of a container as data."""
    labels = found["Config"]["Labels"]
    told = settings_in(labels)
    account_id, region = told.pop("account_id"), told.pop("region")
    condition, reason = _judge(found, now=now)
    return Container(
        id=found["Id"],
        environment=labels[ENVIRONMENT],
        image_id=found["Image"],
        config=labels[CONFIG],
        condition=condition,
        reason=reason,
        account_id=account_id,
        region=region,
        settings=told,
        address=_address(found),
        port=_port(found),
        keeps_state=IMAGE in labels,
    )


def _judge(found: Mapping[str, Any], *, now: datetime) -> tuple[Status, str]:
    state = found["State"]
    if is_paused(found):  # nothing runs, and a start lets it go on with all it has
        return Status.STOPPED, "its container is paused"
    if state.get("Restarting"):
        return Status.STARTING, f"its container {_why_ended(found)}; Docker starts it again"
    if state.get("Running"):
        if found["Name"].removeprefix("/") not in found["NetworkSettings"]["Networks"]:
            return Status.UNHEALTHY, "its network is gone"
        is_young = (now - _time(state["StartedAt"])).total_seconds() < _STARTING
        return (Status.STARTING if is_young else Status.UNHEALTHY), ""
    if state["Status"] in ("created", "configured", "initialized"):
        return Status.STOPPED, "its container was made but not started"
    return Status.STOPPED, f"its container {_why_ended(found)}"


def _why_ended(found: Mapping[str, Any]) -> str:
    state = found["State"]
    # A function that ran out of memory leaves the same mark, and its emulator goes on.
    if state.get("OOMKilled") and state["ExitCode"] != 0:
        memory = found["HostConfig"].get("Memory") or 0
        return f"ran out of memory ({memory // 2**20} MiB)" if memory else "ran out of memory"
    if state["ExitCode"] == _KILLED:
        return "was killed"
    if state["ExitCode"] == _STOPPED:
        return "was stopped"
    if state["ExitCode"] == _NO_TOKEN:
        return f"ended with exit code {_NO_TOKEN}, as LocalStack's images do without {TOKEN}"
    return f"ended with exit code {state['ExitCode']}"


def is_paused(found: Mapping[str, Any]) -> bool:
    """Whether somebody paused it; it is neither running nor stopped."""
    return bool(found["State"].get("Paused"))


def restarts(found: Mapping[str, Any]) -> int:
    """How often the engine started the container again because it had failed."""
    return int(found.get("RestartCount") or 0)


def _address(found: Mapping[str, Any]) -> str | None:
    network = found["NetworkSettings"]
    for binding in (network.get("Ports") or {}).get(f"{PORT}/tcp") or ():
        return f"{binding['HostIp'] or '127.0.0.1'}:{binding['HostPort']}"
    for attached in (network.get("Networks") or {}).values():
        if attached.get("IPAddress"):
            return f"{attached['IPAddress']}:{PORT}"
    return None


def _port(found: Mapping[str, Any]) -> int | None:
    """What it was made to publish, also while it is stopped."""
    for binding in (found["HostConfig"].get("PortBindings") or {}).get(f"{PORT}/tcp") or ():
        return int(binding["HostPort"])
    return None


def _time(text: str) -> datetime:
    """The engine's RFC 3339 time, which has nanoseconds, in UTC."""
    return datetime.fromisoformat(text[:19] + "+00:00" if text.endswith("Z") else text[:19] + text[-6:]).astimezone(UTC)


def leftover(labels: Mapping[str, str]) -> Environment:
    """As much of an environment as the labels tell that it left in the engine."""
    told = settings_in(labels)
    return Environment(
        name=labels[ENVIRONMENT],
        driver=DriverName.LOCALSTACK,
        account_id=told["account_id"],
        region=told["region"],
    )
