"""Puts spaces on the list, and starts them in waves: a machine that starts ninety emulators at once starts none."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from emulator.capacity.machine import own_cores, own_memory
from emulator.capacity.room import check_spaces
from emulator.environment_names import name_problem
from emulator.errors import ConfigError, MultistackError
from emulator.events import Event
from emulator.model import Artifact, DriverName, Project, Quota, Space
from emulator.parallel import raise_first, run_parallel
from emulator.setting import show_value
from emulator.space_list import home_of
from emulator.spaces.opening import check_driver, check_stays
from emulator.spaces.removing import clear
from emulator.spaces.spaces import Spaces
from emulator.spans import LONGEST

MOST = 1000
# That a space may begin with.
_GENERATIONS = 100_000_000
# Bytes that a container needs at least.
_LEAST = 64 * 2**20
# First segments of paths that lead to topologies of the lab.
_RESERVED = frozenset({"single", "same-account"})
_OF_THIS_MACHINE = frozenset({DriverName.EMBEDDED, DriverName.LOCALSTACK})
# What of a space's own progress is worth a line among many.
_TOLD = frozenset({"warning:", "note:"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """
    Spaces that are to be created.

    Attributes:
        names: Of each.
        is_series: They are numbered: those that are there already are taken as they are.
        lifetime: From now on; None: until they are destroyed.
        idle: After so long without a request they are put to sleep; None: never.
        is_anyway: Also more of them than the machine carries by the measured figures.
    """

    names: Sequence[str]
    is_series: bool = False
    driver: DriverName | None = None
    lifetime: timedelta | None = None
    idle: timedelta | None = None
    quota: Quota = field(default_factory=Quota)
    is_anyway: bool = False


def series(prefix: str, count: int, *, option: str = "--count") -> list[str]:
    """
    The names of *count* spaces: ``learner-01`` to ``learner-30``.

    Args:
        option: How somebody said how many.

    Raises:
        ConfigError: There can't be so many, or none can be called so.
    """
    if not 1 <= count <= MOST:
        raise ConfigError(f"{option} must be 1 to {MOST}, not {count}")
    names = [f"{prefix}-{number:0{max(2, len(str(count)))}d}" for number in range(1, count + 1)]
    if problem := name_problem(names[-1]):
        raise ConfigError(f"--prefix {show_value(prefix)}: {problem.replace('environment name', 'space name', 1)}")
    return names


def register(spaces: Spaces, wanted: Wanted, *, now: datetime) -> list[Space]:
    """
    Put spaces on the list: all of them or, where one can't be, none.

    Returns:
        Those that are to be started, in the order of their names.

    Raises:
        ConfigError: A name, or what is wanted of them, can't be; or one is there already; or they are too many.
        NotReady: What would run them isn't there.
    """
    project = spaces.project
    if wanted.lifetime is not None and not timedelta(0) < wanted.lifetime <= LONGEST:
        raise ConfigError("--ttl must be above 0 and at most 3650d")
    if wanted.idle is not None and not timedelta(seconds=1) <= wanted.idle <= LONGEST:
        raise ConfigError("--idle must be 1s at least and at most 3650d")
    with spaces.changing("space create") as write:
        listed, chosen = spaces.listed(), []
        for name in wanted.names:
            _check_name(project, name)
            space = listed.get(name) or _new(project, listed, name, wanted, now)
            check_stays(space)
            if space.is_complete and not wanted.is_series:
                raise ConfigError(
                    f"space {name} is there already",
                    hint=f"`multistack --space {name} up` starts it, `multistack space destroy {name}` removes it",
                )
            listed = {**listed, name: space}
            if not space.is_complete:
                chosen.append(space)
        for space in chosen[:1]:  # what holds of one holds of all
            found = spaces.open(space)
            _check_quota(project, space)
            check_driver(found.project)
            for environment in found.project.environments:
                found.drivers.check(environment)
            if not wanted.is_anyway:
                _check_room(found.project, len(listed))
        write(listed)
    return chosen


def _check_name(project: Project, name: str) -> None:
    if problem := name_problem(name):
        raise ConfigError(problem.replace("environment name", "space name", 1))
    if name in _RESERVED or name in (environment.name for environment in project.environments):
        raise ConfigError(
            f"no space can be called {name}: the path /{name}/ leads elsewhere already", hint="choose another name"
        )


def _new(project: Project, spaces: Mapping[str, Space], name: str, wanted: Wanted, now: datetime) -> Space:
    home = home_of(project.state, name)
    clear(home)  # a command that waited while the space was removed may have left its lock there
    if home.exists():
        raise ConfigError(
            f"{home} holds the data of a space {name} that is on no list", hint="choose another name, or remove it"
        )
    taken = {space.number for space in spaces.values()}
    return Space(
        name=name,
        # Tokens of an earlier space of that name must not open this one.
        generation=1 + secrets.randbelow(_GENERATIONS),
        number=next(number for number in range(1, len(taken) + 2) if number not in taken),
        at=now,
        driver=wanted.driver,
        expires=now + wanted.lifetime if wanted.lifetime else None,
        idle=wanted.idle,
        quota=wanted.quota,
    )


def _check_quota(project: Project, space: Space) -> None:
    declared, most = len(project.promotion_order), space.quota.environments
    if space.quota.memory is not None and space.quota.memory // (most or declared) < _LEAST:
        raise ConfigError(
            f"--memory: each of {most or declared} environments would have less than {_LEAST // 2**20} MiB",
            hint=f"allow {_LEAST // 2**20 * (most or declared)}m at least",
        )
    if most is not None and most < declared:
        raise ConfigError(
            f"--max-environments {most}: {project.file.name} declares {declared}", hint=f"allow {declared} at least"
        )


def _check_room(project: Project, total: int) -> None:
    """Refuse more spaces than this machine carries; what runs on a cluster is the cluster's to place."""
    drivers = {environment.driver for environment in project.environments}
    for driver in sorted(drivers & _OF_THIS_MACHINE, key=lambda one: one.value):
        check_spaces(
            total,
            memory=own_memory(),
            cores=own_cores(),
            environments=len(project.environments),
            driver=driver.value,
        )


def bring_up(
    spaces: Spaces, chosen: Sequence[Space], *, width: int, timeout: float
) -> Mapping[str, Space | MultistackError]:
    """
    Start spaces, *width* at a time, each with the one artifact of the current source.

    Args:
        timeout: Seconds that an emulator may take to become healthy.

    Returns:
        Name to space, or to what went wrong: that one stays on the list, and the others are up nevertheless.
    """
    outer = spaces.workspace
    with outer.changing("space create"):
        artifact = outer.build()
    by_name, over = {space.name: space for space in chosen}, itertools.count(1)

    def start(name: str) -> Space:
        began = time.monotonic()
        try:
            _bring_up(spaces, by_name[name], artifact, timeout=timeout)
            done = spaces.change("space create", name, is_complete=True, is_asleep=False)
            if done is None or done.is_ending:
                raise ConfigError(f"space {name} was removed meanwhile", hint="`multistack space list` shows them")
        except MultistackError as error:
            outer.emit(Event(name, "failed:", f"{error.message} ({next(over)} of {len(chosen)})"))
            raise
        outer.emit(Event(name, "ready", f"{next(over)} of {len(chosen)}", time.monotonic() - began))
        return done

    return run_parallel(list(by_name), start, outer.cancellation, width=width)


def _bring_up(spaces: Spaces, space: Space, artifact: Artifact, *, timeout: float) -> None:
    telling = spaces.telling(space.name)

    def tell(event: Event) -> None:
        if event.step in _TOLD:
            telling(event)

    workspace = spaces.open(space, tell)
    with workspace.changing("space create"):
        adopted = workspace.store.adopt(artifact.digest, spaces.workspace.store)
        raise_first(workspace.lifecycle.up(workspace.project.environments, timeout=timeout, build=lambda: adopted))
