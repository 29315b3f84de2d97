"""A space as the project that it is: the same service, and environments of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol

from emulator.errors import ConfigError
from emulator.model import DriverName, Environment, Project, Space
from emulator.space_list import home_of, read_spaces


class Load(Protocol):
    """Loads the project, for another *home* and with further settings; see :func:`emulator.config.load_project`."""

    def __call__(self, *, home: Path | None = None, settings: Mapping[str, object] = {}) -> Project: ...


def load_space(load: Load, name: str) -> Project:
    """
    The project of space *name*.

    Raises:
        ConfigError: There is none, or it is being removed.
        MultistackError: The list of spaces can't be read.
    """
    project = load()
    space = find_space(read_spaces(project.state), name)
    check_stays(space)
    return as_project(load, project, space)


def check_stays(space: Space) -> None:
    """
    Refuse to go on with a space that goes.

    Raises:
        ConfigError: It is being removed.
    """
    if space.is_ending:
        raise ConfigError(
            f"space {space.name} is being removed", hint=f"`multistack space destroy {space.name}` finishes that"
        )


def find_space(spaces: Mapping[str, Space], name: str) -> Space:
    """
    Space *name*.

    Raises:
        ConfigError: There is none.
    """
    if name not in spaces:
        near = get_close_matches(name, [one for one in spaces if not _is_another_number(name, one)], n=1)
        hint = f"did you mean {near[0]}?" if near else f"`multistack space create {name}` makes it"
        raise ConfigError(f"there is no space {name}", hint=hint)
    return spaces[name]


def _is_another_number(name: str, other: str) -> bool:
    """Whether both are of one series, as seat-09 and seat-04 are: neither is the other with a typing error."""
    numbers, others = (list(map(int, re.findall("[0-9]+", one))) for one in (name, other))
    return numbers != others and re.sub("[0-9]+", "", name) == re.sub("[0-9]+", "", other)


def as_project(load: Load, project: Project, space: Space) -> Project:
    """*space* of *project*, as the project that it is."""
    names = [environment.name for environment in project.promotion_order]
    settings = {f"environments.{name}.driver": space.driver.value for name in names} if space.driver else {}
    found = load(home=home_of(project.state, space.name), settings=settings)
    share = _memory_share(space, len(found.environments))
    environments = tuple(_within(space, at, one, memory=share) for at, one in enumerate(found.environments))
    return replace(found, environments=environments, space=space, within=project)


def _within(space: Space, at: int, environment: Environment, *, memory: int | None) -> Environment:
    """An environment of *space*: at a port that is free, and in an account that no other space has."""
    container = replace(environment.container, memory=memory) if memory else environment.container
    swarm = replace(environment.swarm, memory=memory) if memory else environment.swarm
    account_id = space.account_id(at) if environment.created is None else environment.account_id
    return replace(environment, port=None, account_id=account_id, container=container, swarm=swarm)


def _memory_share(space: Space, environments: int) -> int | None:
    """Bytes that each of a space's containers may use."""
    if space.quota.memory is None:
        return None
    return space.quota.memory // (space.quota.environments or environments)


def check_driver(project: Project) -> None:
    """
    Refuse a space whose environments would be in an emulator that others use.

    Raises:
        ConfigError: One of them is somebody else's emulator; or its memory is to be limited, and nothing does.
    """
    space = project.space
    for environment in project.environments:
        if environment.driver is DriverName.EXTERNAL:
            raise ConfigError(
                f"environment {environment.name} is in somebody else's emulator, where spaces can't be told apart",
                hint="choose what runs them: --driver embedded",
            )
        if space and space.quota.memory and environment.driver is DriverName.EMBEDDED:
            raise ConfigError(
                f"environment {environment.name} is a process of this machine, whose memory nothing limits",
                hint="leave --memory out, or choose containers: --driver localstack",
            )
