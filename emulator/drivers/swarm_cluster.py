"""The Docker Swarm that an engine manages: whether it is one, its nodes, and where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulator.drivers.engine import FIND_LEADER, LEADERLESS, is_leaderless, talking
from emulator.errors import NotReady

if TYPE_CHECKING:
    from docker import DockerClient

# What the engine calls an address that it doesn't know.
_UNKNOWN = ("", "0.0.0.0", "127.0.0.1")  # noqa: S104 (nothing listens there)

# What an engine that takes part in no swarm right now says of itself, and what that means.
_APART = {
    "inactive": (
        "the Docker engine is in no swarm",
        "`docker swarm init` makes one of it, `docker swarm join` makes it part of another",
    ),
    "locked": ("the Docker engine's swarm is locked", "`docker swarm unlock`"),
    "pending": (
        "the Docker engine has not found its swarm yet",
        "run this again in some seconds; of several managers, more than half must be up",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """
    A machine of the swarm.

    Attributes:
        name: As a person finds it: nothing keeps two hosts from having one name.
        address: Where its published ports are reached; empty while the swarm doesn't know.
        is_ready: The swarm hears of it.
        is_active: It takes tasks: neither drained nor paused.
    """

    id: str
    name: str
    address: str
    is_ready: bool
    is_active: bool


def need_manager(client: DockerClient) -> None:
    """
    Find out whether the engine can be asked for services.

    Raises:
        NotReady: It is in no swarm, only a worker of one, or its swarm can't decide anything.
    """
    with talking("swarm"):
        told = client.info()["Swarm"]
    if problem := problem_of(told):
        raise problem


def problem_of(told: Mapping[str, Any]) -> NotReady | None:
    """Why an engine that says this of its swarm can't be asked for services; None if it can."""
    state = told.get("LocalNodeState", "inactive")
    error = str(told.get("Error") or "")
    if state in _APART:
        message, hint = _APART[state]
        return NotReady(message, hint=hint)
    if is_leaderless(error):
        return NotReady(LEADERLESS, hint=FIND_LEADER)
    if state == "error" or (error and told.get("ControlAvailable")):
        return NotReady(f"the Docker engine's swarm can't be asked: {error}", hint="see `docker info`")
    if not told.get("ControlAvailable"):
        managers = ", ".join(sorted(one["Addr"].rpartition(":")[0] for one in told.get("RemoteManagers") or ()))
        where = f" ({managers})" if managers else ""
        return NotReady(
            "the Docker engine is a worker of its swarm, and only managers can be asked",
            hint=f"set DOCKER_HOST to that of a manager{where}, or `docker node promote` this one there",
        )
    return None


def nodes_of(client: DockerClient) -> Mapping[str, Node]:
    """All nodes by their id."""
    with talking("swarm"):
        return {one["ID"]: read_node(one) for one in client.api.nodes()}


def read_node(found: Mapping[str, Any]) -> Node:
    """The engine's ``inspect`` of a node as data."""
    address = found["Status"].get("Addr", "")
    if address in _UNKNOWN:  # of itself a manager may know only where it listens
        address = (found.get("ManagerStatus") or {}).get("Addr", "").rpartition(":")[0] or address
    return Node(
        id=found["ID"],
        name=f"{found.get('Description', {}).get('Hostname', found['ID'])} ({address})",
        address=f"[{address}]" if ":" in address else address,
        is_ready=found["Status"]["State"] == "ready",
        is_active=found["Spec"]["Availability"] == "active",
    )


def need_nodes(nodes: Mapping[str, Node]) -> None:
    """
    Find out whether any node could take an environment.

    Raises:
        NotReady: All are down, drained or paused.
    """
    if not any(one.is_ready for one in nodes.values()):
        raise NotReady("no node of the swarm is ready", hint="see `docker node ls`")
    if not any(one.is_ready and one.is_active for one in nodes.values()):
        raise NotReady(
            "every node of the swarm that is ready is drained or paused",
            hint="`docker node update --availability active NODE`",
        )
