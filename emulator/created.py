"""
The environments that a command created and no project file declares, as one small file in the state folder.

Who changes it holds the project's lock; who reads it sees one moment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from emulator.environment_names import name_problem
from emulator.errors import MultistackError, file_hint
from emulator.model import Creation
from emulator.process import write_atomically
from emulator.state import make_state_folder

CREATED_FILE = "created.json"
FORMAT = 1
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


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    like: str
    at: AwareDatetime
    expires: AwareDatetime | None
    branch: str | None
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None
    is_complete: bool
    is_ending: bool


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int
    environments: dict[str, _Row]
    ended: dict[str, int]


def read_created(state: Path) -> Created:
    """
    What the state folder *state* lists; nothing when there is no list.

    Raises:
        MultistackError: The file is damaged, of a newer format, or can't be read.
    """
    path = state / CREATED_FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Created()
    except OSError as error:
        raise MultistackError(f"{path} can't be read: {error.strerror}", hint=file_hint(error)) from error
    try:
        raw = json.loads(content)
        _refuse_newer(path, raw)
        file = _File.model_validate(raw)
    except (ValueError, RecursionError) as error:
        raise MultistackError(
            f"the list of created environments, {path}, is damaged: {_reason(error)}", hint=_START_ANEW
        ) from error
    if problem := next(filter(None, map(name_problem, file.environments)), None):
        raise MultistackError(f"the list of created environments, {path}, is damaged: {problem}", hint=_START_ANEW)
    rows = {name: Creation(**dict(row)) for name, row in file.environments.items()}
    return Created(environments=rows, ended=file.ended)


def _refuse_newer(path: Path, raw: Any) -> None:
    written = raw.get("format") if isinstance(raw, dict) else None
    if isinstance(written, int) and written > FORMAT:
        raise MultistackError(
            f"{path} has format {written}, newer than this multistack knows ({FORMAT})",
            hint="use the multistack that wrote it",
        )


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"
    return f"no JSON ({error})"


def write_created(state: Path, created: Created) -> None:
    """
    Replace the list, in one step.

    Raises:
        OSError: It can't be written; the old one stays.
    """
    make_state_folder(state)
    rows = {name: _plain(creation) for name, creation in created.environments.items()}
    content = {"format": FORMAT, "environments": rows, "ended": dict(created.ended)}
    write_atomically(state / CREATED_FILE, json.dumps(content, indent=1).encode() + b"\n")


def _plain(creation: Creation) -> Mapping[str, object]:
    return {
        "like": creation.like,
        "at": creation.at.isoformat(),
        "expires": creation.expires.isoformat() if creation.expires else None,
        "branch": creation.branch,
        "digest": creation.digest,
        "is_complete": creation.is_complete,
        "is_ending": creation.is_ending,
    }


def is_expired(creation: Creation, now: datetime) -> bool:
    """Whether its time is over."""
    return creation.expires is not None and creation.expires <= now
