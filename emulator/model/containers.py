"""How containers of environments are run: by a Docker engine, or as services of a Docker Swarm."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class Functions(enum.Enum):
    """What runs the functions of a container: processes inside it, or further containers."""

    PROCESS = "process"
    DOCKER = "docker"


# Made by `multistack image build`.
OWN_IMAGE = "multistack/localstack:4.14.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSettings:
    """
    How an environment's container is run.

    Attributes:
        functions: With ``DOCKER`` the container gets the engine's socket, and so the whole machine.
        memory: Bytes, or None for no limit.
        cpus: Cores, or None for no limit.
        internal: Its network leads nowhere; the emulator then answers at the container's own address.
    """

    image: str = OWN_IMAGE
    functions: Functions = Functions.PROCESS
    memory: int | None = None
    cpus: float | None = None
    internal: bool = False

    @property
    def settings(self) -> Mapping[str, str]:
        """Each of them as a person reads it."""
        return {
            "image": self.image,
            "functions": f"run by {self.functions.value}",
            "memory": f"{self.memory // 2**20} MiB" if self.memory else "unlimited",
            "cores": f"{self.cpus:g}" if self.cpus else "unlimited",
            "network": "internal" if self.internal else "open",
        }


class Publish(enum.Enum):
    """Where an environment's port is open: on the host that runs it, or by the routing mesh on all of them."""

    HOST = "host"
    INGRESS = "ingress"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmSettings:
    """
    Attributes:
        image: None for that of the embedded emulator of this version.
        memory: Bytes, or None for no limit.
        cpus: Cores, or None for no limit.
        placement: Constraints of the swarm's, such as ``node.labels.room == 1``; all of them hold.
    """

    image: str | None = None
    memory: int | None = None
    cpus: float | None = None
    placement: tuple[str, ...] = ()
    publish: Publish = Publish.HOST

    @property
    def settings(self) -> Mapping[str, str]:
        """Each of them as a person reads it."""
        return {
            "image": self.image or "multistack's own",
            "memory": f"{self.memory // 2**20} MiB" if self.memory else "unlimited",
            "cores": f"{self.cpus:g}" if self.cpus else "unlimited",
            "placement": ", ".join(self.placement) or "any node",
            "port": "open on its host" if self.publish is Publish.HOST else "open on all hosts",
        }
