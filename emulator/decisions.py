"""What brings an environment from what was observed to what the project says; pure functions."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from emulator.model import DriverName, Environment, Instance, Status


class Step(enum.Enum):
    """What an environment needs; an emulator that somebody else runs can only be connected to."""

    KEEP = "keep"
    START = "start"
    AWAIT = "await"
    RESTART = "restart"
    CONNECT = "connect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """
    A step and its cause, e.g. restart because the region changed.

    Attributes:
        starts: Its emulator may be started where it turns out not to run.
    """

    environment: Environment
    step: Step
    cause: str
    starts: bool = True


def decide(environments: Sequence[Environment], observed: Mapping[str, Instance]) -> list[Action]:
    """What brings each environment from what was observed to what the project says."""
    return [_decide_one(environment, observed[environment.name]) for environment in environments]


def without_start(action: Action) -> Action:
    """What of *action* neither starts nor restarts an emulator."""
    return replace(action, step=Step.AWAIT, starts=False)


def _decide_one(environment: Environment, instance: Instance) -> Action:
    if environment.driver is DriverName.EXTERNAL and instance.status is not Status.READY:
        return Action(environment=environment, step=Step.CONNECT, cause=instance.reason)
    if instance.status is Status.STOPPED:
        return Action(environment=environment, step=Step.START, cause=instance.reason)
    if instance.status is Status.UNHEALTHY:
        return Action(environment=environment, step=Step.RESTART, cause=instance.reason)
    if cause := _difference(environment, instance) or instance.outdated:
        return Action(environment=environment, step=Step.RESTART, cause=cause)
    step = Step.KEEP if instance.status is Status.READY else Step.AWAIT
    return Action(environment=environment, step=step, cause=instance.reason)


def _difference(environment: Environment, instance: Instance) -> str:
    endpoint = instance.endpoint
    if endpoint is None:
        return ""
    if environment.account_id != endpoint.account_id:
        return f"account id changed from {endpoint.account_id} to {environment.account_id}"
    if environment.region != endpoint.region:
        return f"region changed from {endpoint.region} to {environment.region}"
    port = endpoint.url.rpartition(":")[2]
    if environment.port is not None and str(environment.port) != port:
        return f"port changed from {port} to {environment.port}"
    return ", ".join(
        f"{name} changed from {instance.settings[name]} to {wanted}"
        for name, wanted in environment.settings.items()
        if instance.settings.get(name, wanted) != wanted
    )
