"""
The spaces of a project as one small file in its state folder, which the proxy watches.

Who changes it holds the project's lock; who reads it sees one moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, PositiveInt

from emulator.environment_names import name_problem
from emulator.errors import ConfigError
from emulator.listed_file import ListedFile, ListedRow, damaged, read_listed, write_listed
from emulator.model import DriverName, Project, Quota, Space

SPACES_FILE = "spaces.json"
# Below the project's state folder: a folder for each space, which its environments belong to.
HOMES = "spaces"
FORMAT = 1
_WHAT = "spaces"
_START_ANEW = "move the file away; what its spaces hold stays in the folder spaces beside it"


class _Quota(ListedRow):
    environments: PositiveInt | None
    memory: PositiveInt | None
    requests: float | None


class _Row(ListedRow):
    number: PositiveInt
    at: AwareDatetime
    driver: DriverName | None
    expires: AwareDatetime | None
    idle: timedelta | None
    quota: _Quota
    generation: PositiveInt
    is_joined: bool
    is_asleep: bool
    is_complete: bool
    is_ending: bool


class _File(ListedFile):
    spaces: dict[str, _Row]


def home_of(state: Path, name: str) -> Path:
    """The folder that the environments of space *name* belong to; *state* is the project's state folder."""
    return state / HOMES / name


def read_spaces(state: Path) -> Mapping[str, Space]:
    """
    Name to space, in the order of their creation; empty when there is no list.

    Raises:
        MultistackError: The file is damaged, of a newer format, or can't be read.
    """
    return load_spaces(state / SPACES_FILE)


def load_spaces(path: Path) -> Mapping[str, Space]:
    """As :func:`read_spaces`, by the path of the file."""
    file = read_listed(path, _File, newest=FORMAT, what=_WHAT, hint=_START_ANEW)
    if file is None:
        return {}
    if problem := next(filter(None, map(name_problem, file.spaces)), None):
        raise damaged(path, problem, what=_WHAT, hint=_START_ANEW)
    return {name: _space(name, row) for name, row in file.spaces.items()}


def space_text(space: Space) -> str:
    """A space without its name, as JSON."""
    return _row(space).model_dump_json()


def space_of(name: str, text: str) -> Space:
    """
    The opposite of :func:`space_text`.

    Raises:
        ValueError: It is none, or one of a newer multistack.
    """
    return _space(name, _Row.model_validate_json(text))


def _space(name: str, row: _Row) -> Space:
    given: dict[str, Any] = dict(row)
    return Space(**{**given, "name": name, "quota": Quota(**dict(row.quota))})


def write_spaces(state: Path, spaces: Mapping[str, Space]) -> None:
    """
    Replace the list, in one step.

    Raises:
        OSError: It can't be written; the old one stays.
    """
    rows = {name: _row(space) for name, space in spaces.items()}
    write_listed(state / SPACES_FILE, _File(format=FORMAT, spaces=rows))


def _row(space: Space) -> _Row:
    fields = asdict(space)
    del fields["name"]
    return _Row(**fields)


def check_there(project: Project) -> None:
    """
    Refuse to go on with *project* as a space that was removed since it was loaded; any other project may go on.

    Raises:
        ConfigError: It was, or its removal began; one of its name that was made since is another one.
    """
    space, outer = project.space, project.within
    if space is None or outer is None:
        return
    listed = read_spaces(outer.state).get(space.name)
    if listed is None or listed.is_ending or (listed.number, listed.at) != (space.number, space.at):
        raise ConfigError(
            f"space {space.name} was removed meanwhile", hint="`multistack space list` shows those there are"
        )


def changed(spaces: Mapping[str, Space], name: str, **fields: Any) -> Mapping[str, Space]:
    """*spaces* with *fields* of space *name* set."""
    return {**spaces, name: replace(spaces[name], **fields)}
