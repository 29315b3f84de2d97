"""
The environments that a command created and no project file declares, as one small file in the state folder.

Who changes it holds the project's lock; who reads it sees one moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, Field

from emulator.environment_names import name_problem
from emulator.listed_file import ListedFile, ListedRow, damaged, read_listed, write_listed
from emulator.model import Creation

CREATED_FILE = "created.json"
FORMAT = 1
_WHAT = "created environments"
_START_ANEW = (
    "move the file away; `multistack down` then stops the environments it listed, whose data stays in the"
    " folder environments beside it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """
    What the file holds.

    Attributes:
        environments: In the order of their creation.
        ended: Environment to the last row of the ledger that belongs to an earlier one of that name.
    """

    environments: Mapping[str, Creation] = field(default_factory=dict)
    ended: Mapping[str, int] = field(default_factory=dict)

    def adding(self, name: str, creation: Creation, *, last: int = 0) -> Created:
        """With *name*, to which rows of the ledger up to *last* don't belong."""
        return Created(
            environments={**self.environments, name: creation},
            ended={**self.ended, **({name: last} if last else {})},
        )

    def complete(self, name: str) -> Created:
        """With *name* as one whose creation came to its end."""
        return self.adding(name, replace(self.environments[name], is_complete=True))

    def ending(self, name: str) -> Created:
        """With *name* as one that is being removed."""
        return self.adding(name, replace(self.environments[name], is_ending=True))

    def without(self, name: str, *, last: int = 0) -> Created:
        """Without *name*, to which rows of the ledger up to *last* belonged."""
        others = {other: creation for other, creation in self.environments.items() if other != name}
        return Created(environments=others, ended={**self.ended, **({name: last} if last else {})})


class _Row(ListedRow):
    like: str
    at: AwareDatetime
    expires: AwareDatetime | None
    branch: str | None
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None
    is_complete: bool
    is_ending: bool


class _File(ListedFile):
    environments: dict[str, _Row]
    ended: dict[str, int]


def read_created(state: Path) -> Created:
    """
    What the state folder *state* lists; nothing when there is no list.

    Raises:
        MultistackError: The file is damaged, of a newer format, or can't be read.
    """
    path = state / CREATED_FILE
    file = read_listed(path, _File, newest=FORMAT, what=_WHAT, hint=_START_ANEW)
    if file is None:
        return Created()
    if problem := next(filter(None, map(name_problem, file.environments)), None):
        raise damaged(path, problem, what=_WHAT, hint=_START_ANEW)
    rows = {name: Creation(**dict(row)) for name, row in file.environments.items()}
    return Created(environments=rows, ended=file.ended)


def write_created(state: Path, created: Created) -> None:
    """
    Replace the list, in one step.

    Raises:
        OSError: It can't be written; the old one stays.
    """
    rows = {name: _Row(**asdict(creation)) for name, creation in created.environments.items()}
    write_listed(state / CREATED_FILE, _File(format=FORMAT, environments=rows, ended=dict(created.ended)))


def is_expired(creation: Creation, now: datetime) -> bool:
    """Whether its time is over."""
    return creation.expires is not None and creation.expires <= now
