"""One namespace of a project: which environments are in it, and what they may use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from emulator.errors import ConfigError
from emulator.kubernetes.names import label
from emulator.kubernetes.options import Options
from emulator.model import DriverName, Environment, Project, Space

MIB = 2**20
# Measured: docs/benchmarks.md has 119 MB for an environment with its service deployed.
LEAST_MEMORY = 128 * MIB
# Spaces of a rendering are on no list: nothing depends on when they were made.
_ANY_TIME = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """
    A namespace with its environments.

    Attributes:
        space: Whose it is; None for the project's own environments.
        accounts: Environment to the account that it is.
        memory: Environment to the bytes that it may use; None for no limit.
        total_memory: Bytes that all may use together; None for no limit.
        places: How many environments there may be.
    """

    namespace: str
    space: str | None
    accounts: Mapping[str, str]
    memory: Mapping[str, int | None]
    total_memory: int | None
    places: int


def spaces_called(names: Sequence[str], listed: Mapping[str, Space]) -> list[Space]:
    """Spaces called *names*: those on the project's list as they are there, the others as new ones."""
    taken = {space.number for space in listed.values()}
    free = (number for number in range(1, len(names) + len(taken) + 1) if number not in taken)
    return [listed.get(name) or Space(name=name, number=next(free), at=_ANY_TIME) for name in names]


def seats_of(project: Project, spaces: Sequence[Space] | None, options: Options) -> list[Seat]:
    """
    A namespace for each of *spaces*, or one for the project's own environments where there is no talk of spaces.

    Created environments are in none.

    Raises:
        ConfigError: An environment can't be in a cluster, or two namespaces would be one.
    """
    environments = project.promotion_order
    for environment in environments:
        check_environment(environment)
    prefix = options.namespace_prefix or project.service
    if spaces is None:
        seats = [_own(label(prefix), environments)]
    else:
        seats = [_of_space(label(f"{prefix}-{space.name}"), space, environments) for space in spaces]
    used: dict[str, Seat] = {}
    for seat in seats:
        if seat.namespace in used or seat.namespace in (options.proxy_namespace, "default"):
            other = "another space" if seat.namespace in used else "somebody else"
            raise ConfigError(f"namespace {seat.namespace} is {other}'s", hint="--namespace-prefix chooses other names")
        used[seat.namespace] = seat
    return seats


def seat_of(project: Project) -> Seat:
    """The namespace of *project*, which may be a space of another one, with all environments that it has now."""
    space = project.space
    name = project.service if space is None else f"{project.service}-{space.name}"
    memory = {one.name: one.container.memory for one in project.environments}
    quota = None if space is None else space.quota
    return Seat(
        namespace=label(name),
        space=None if space is None else space.name,
        accounts={one.name: one.account_id for one in project.environments},
        memory=memory,
        total_memory=(quota.memory if quota else None) or _sum(memory),
        places=(quota.environments if quota else None) or len(project.environments),
    )


def check_environment(environment: Environment) -> None:
    """
    Refuse what can't be in a cluster.

    Raises:
        ConfigError: Somebody else runs it, or it may use less memory than it needs.
    """
    if environment.driver is DriverName.EXTERNAL:
        raise ConfigError(
            f"environment {environment.name} can't be in a cluster: somebody else runs its emulator",
            hint=f"--set environments.{environment.name}.driver=embedded",
        )
    memory = environment.container.memory
    if memory is not None and memory < LEAST_MEMORY:
        raise ConfigError(
            f"environment {environment.name} may use {memory // MIB} MiB, and needs {LEAST_MEMORY // MIB} MiB",
            hint=f"--set environments.{environment.name}.memory={LEAST_MEMORY // MIB}m",
        )


def _own(namespace: str, environments: Sequence[Environment]) -> Seat:
    memory = {one.name: one.container.memory for one in environments}
    return Seat(
        namespace=namespace,
        space=None,
        accounts={one.name: one.account_id for one in environments},
        memory=memory,
        total_memory=_sum(memory),
        places=len(environments),
    )


def _of_space(namespace: str, space: Space, environments: Sequence[Environment]) -> Seat:
    places = space.quota.environments or len(environments)
    if places < len(environments):
        raise ConfigError(f"space {space.name} may have {places} environments, and the project has {len(environments)}")
    memory = {one.name: one.container.memory for one in environments}
    if space.quota.memory is not None:
        share = space.quota.memory // places
        if share < LEAST_MEMORY:
            raise ConfigError(
                f"space {space.name} may use {space.quota.memory // MIB} MiB, which is {share // MIB} MiB for each of "
                f"{places} environments: one needs {LEAST_MEMORY // MIB} MiB"
            )
        memory = dict.fromkeys(memory, share)
    return Seat(
        namespace=namespace,
        space=space.name,
        accounts={one.name: space.account_id(at) for at, one in enumerate(environments)},
        memory=memory,
        # Further environments need memory that no file tells of.
        total_memory=space.quota.memory or (_sum(memory) if places == len(environments) else None),
        places=places,
    )


def _sum(memory: Mapping[str, int | None]) -> int | None:
    known = [each for each in memory.values() if each is not None]
    return sum(known) if len(known) == len(memory) else None
