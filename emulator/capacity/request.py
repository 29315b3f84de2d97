"""What somebody wants to run, and on what."""

from __future__ import annotations

import math
from dataclasses import dataclass

from emulator.capacity.limits import MOST_SPACES, Machine
from emulator.errors import ConfigError

# Account ids have five digits for an environment's number; nobody has so many of one service.
MOST_ENVIRONMENTS = 99
MOST_MACHINES = 100_000
# Drivers that place environments on several machines for one command; with the others each machine has a project.
CLUSTERS = ("swarm", "kubernetes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    What somebody wants to run.

    Attributes:
        learners: How many spaces there are.
        environments: Of each space.
        width: How many spaces start at a time on a machine, or in a whole cluster; None: one per core.
    """

    learners: int
    environments: int
    driver: str
    machines: int = 1
    machine: Machine
    width: int | None = None

    @property
    def total(self) -> int:
        """All environments."""
        return self.learners * self.environments

    @property
    def busiest(self) -> int:
        """Spaces on the machine that has most of them."""
        return math.ceil(self.learners / self.machines)


def check_request(request: Request) -> None:
    """
    Refuse what can't be.

    Raises:
        ConfigError: A number is too small or too large.
    """
    for name, value, most, why in (
        ("--learners", request.learners, MOST_SPACES, "the account ids of spaces have six digits for its number"),
        ("--environments", request.environments, MOST_ENVIRONMENTS, "a service has a few"),
        ("--machines", request.machines, MOST_MACHINES, "of more nothing is known"),
        ("--width", request.width if request.width is not None else 1, MOST_SPACES, "there are no more spaces"),
    ):
        if not 1 <= value <= most:
            raise ConfigError(f"{name} must be from 1 to {most:,}, not {value:,}", hint=why if value > most else None)
    if not 0 < request.machine.cores <= 4096:
        raise ConfigError(f"--cores must be above 0 and at most 4096, not {request.machine.cores:g}")


def width_of(request: Request) -> int:
    """Spaces that start at a time: as `space create` has it, one per core."""
    return request.width or max(1, int(request.machine.cores))
