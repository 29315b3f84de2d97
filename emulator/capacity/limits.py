"""Where each limit on the number of environments is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from emulator.capacity.figures import Figures
from emulator.capacity.words import show_size

# Threads and processes of a Linux machine, as the kernel has it where nothing raised it (kernel.pid_max).
PIDS = 32_768
# The soft limit of open files that most shells and services give a process (ulimit -n).
OPEN_FILES = 1_024
# The proxy answers so many requests at once, each on a socket of its client: emulator/proxy/server.py.
PROXY_THREADS = 64
# The range 4600 to 4999: emulator/drivers/embedded.py and container_making.py.
PORTS = 400
# Docker's default-address-pools without its own bridge: 172.18.0.0/16 to 172.31.0.0/16, 16 of 192.168.0.0/20.
BRIDGES = 30
# Swarm's default-addr-pool, 10.0.0.0/8, in networks of /24; one of them is the ingress network's.
OVERLAYS = 2**16 - 1
# What kubelet allows unless it is told otherwise, and what Kubernetes is made for in one cluster.
PODS_OF_NODE, PODS_OF_CLUSTER = 110, 150_000
# A space's account ids have six digits for its number: emulator/model/spaces.py.
MOST_SPACES = 999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine: bytes of memory, cores, and what it pulls images with, in bytes per second, where that is known."""

    memory: float
    cores: float
    bandwidth: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """
    Something that ends.

    Attributes:
        most: Environments that fit on one machine, or in all when *is_shared*.
        why: Where the number comes from, for people.
        remedy: What raises it; empty when nothing but another machine does.
        is_shared: More machines don't raise it.
    """

    name: str
    most: int
    why: str
    remedy: str = ""
    is_shared: bool = False

    def over(self, machines: int) -> int:
        """Environments that fit on so many machines."""
        return self.most if self.is_shared else self.most * machines


def once(figures: Figures) -> float:
    """Bytes that are there once on a machine, for any number of environments."""
    return sum(value or 0 for value in (figures.memory_command, figures.memory_proxy))


def limits_of(figures: Figures, machine: Machine, *, environments: int) -> Sequence[Limit]:
    """
    Those that are known for a driver, the lowest first; what nobody measured limits nothing here.

    Args:
        environments: Of each space.
    """
    found = [*_limits_of_machine(figures, machine), *_LIMITS_OF.get(figures.driver, _none)(figures)]
    found.append(
        Limit(
            name="account ids",
            most=MOST_SPACES * environments,
            why=f"six digits for the number of a space, {environments} environments each",
            is_shared=True,
        )
    )
    return sorted(found, key=lambda limit: limit.most)


def _limits_of_machine(figures: Figures, machine: Machine) -> Iterator[Limit]:
    if figures.memory_loaded is not None:
        room = max(0.0, machine.memory - once(figures))
        yield Limit(
            name="memory",
            most=int(room // figures.memory_loaded),
            why=f"{show_size(figures.memory_loaded)} each with functions running, of {show_size(machine.memory)}",
            remedy="let spaces sleep",
        )
    if figures.cores_at_rest:
        yield Limit(
            name="cores",
            most=int(machine.cores // figures.cores_at_rest),
            why=f"{figures.cores_at_rest:.4f} of a core each while nobody asks anything, of {machine.cores:g}",
            remedy="let spaces sleep",
        )
    if figures.threads:
        yield Limit(
            name="threads",
            most=int(PIDS // figures.threads),
            why=f"{figures.threads:.0f} each with functions running, of {PIDS:,}, the kernel's own pid_max",
            remedy="sysctl kernel.pid_max",
        )


def _open_files(*, is_shared: bool) -> Limit:
    """Of the proxy: each machine of a project of its own has one, a cluster has one for all."""
    return Limit(
        name="open files of the proxy",
        most=OPEN_FILES - PROXY_THREADS,
        why=f"a connection kept to each environment, beside {PROXY_THREADS} clients, of {OPEN_FILES:,}",
        remedy="ulimit -n",
        is_shared=is_shared,
    )


def _ports(_figures: Figures) -> Iterator[Limit]:
    yield Limit(name="ports", most=PORTS, why="multistack takes 4600 to 4999 of a machine")
    yield _open_files(is_shared=False)


def _containers(figures: Figures) -> Iterator[Limit]:
    yield from _ports(figures)
    yield Limit(
        name="networks of the engine",
        most=BRIDGES,
        why="a bridge network each; Docker's default address pools have 30 to give",
        remedy="default-address-pools in daemon.json",
    )


def _swarm(_figures: Figures) -> Iterator[Limit]:
    yield _open_files(is_shared=True)
    yield Limit(
        name="overlay networks",
        most=OVERLAYS,
        why="a network each; 10.0.0.0/8 has 65,536 of /24, one is the ingress network",
        remedy="docker swarm init --default-addr-pool-mask-length",
        is_shared=True,
    )


def _kubernetes(_figures: Figures) -> Iterator[Limit]:
    yield _open_files(is_shared=True)
    yield Limit(
        name="pods of a node", most=PODS_OF_NODE, why="a pod each, of kubelet's 110", remedy="maxPods of kubelet"
    )
    yield Limit(
        name="pods of the cluster",
        most=PODS_OF_CLUSTER,
        why="a pod each; Kubernetes is made for 150,000",
        is_shared=True,
    )


def _none(_figures: Figures) -> Iterator[Limit]:
    return iter(())


_LIMITS_OF: dict[str, Callable[[Figures], Iterator[Limit]]] = {
    "embedded": _ports,
    "localstack": _containers,
    "swarm": _swarm,
    "kubernetes": _kubernetes,
}
