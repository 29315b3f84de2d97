"""Who takes part and how far they are, in a file beside the facilitator's own labs."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from emulator.errors import MultistackError
from emulator.process import write_atomically
from emulator.workshop.progress import LabProgress

FILE = "board.json"
MOST_LEARNERS = 200
# How a learner's machine reports: the code in this header, the report as JSON to this path.
CODE_HEADER = "X-Workshop-Code"
PROGRESS = "/progress"
# Without what is mistaken for something else when it is read aloud.
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

Name = Annotated[str, StringConstraints(min_length=1, max_length=40, strip_whitespace=True)]


class Report(BaseModel):
    """
    What a learner's command sends after each check.

    Attributes:
        id: Made by the learner's machine, so that two of the same name stay two.
    """

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    name: Name
    labs: dict[Annotated[int, Field(ge=1, le=99)], LabProgress] = Field(max_length=99)


class Learner(BaseModel):
    """The last report of one, and when it came."""

    name: str
    labs: dict[int, LabProgress]
    seen: datetime


class _File(BaseModel):
    code: str
    learners: dict[str, Learner] = Field(default_factory=dict)


class Full(Exception):
    """Nobody more can join."""


class Board:
    """
    All learners; written with every report, so that a restart forgets nobody.

    Args:
        folder: Where its file is.

    Raises:
        MultistackError: The file was changed by hand, and can't be understood any more.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lock = threading.Lock()
        self._content = self._read()
        self._write()

    @property
    def code(self) -> str:
        """What learners must know to join, the same after a restart."""
        return self._content.code

    def note(self, report: Report) -> None:
        """
        Keep what a learner reports.

        Raises:
            Full: It is a new one, and there are enough.
        """
        with self._lock:
            if report.id not in self._content.learners and len(self._content.learners) >= MOST_LEARNERS:
                raise Full
            self._content.learners[report.id] = Learner(name=report.name, labs=report.labs, seen=datetime.now(UTC))
            self._write()

    def learners(self) -> Sequence[Learner]:
        """By name."""
        with self._lock:
            return sorted(self._content.learners.values(), key=lambda learner: learner.name.casefold())

    def _read(self) -> _File:
        try:
            return _File.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return _File(code=new_code())
        except ValidationError as error:
            raise MultistackError(
                f"{self._path} can't be read: {error.errors()[0]['msg']}",
                hint="remove it: learners join again, with a new code",
            ) from error

    def _write(self) -> None:
        write_atomically(self._path, self._content.model_dump_json(indent=1).encode())
        self._path.chmod(0o600)


def new_code() -> str:
    """Forty bits: nobody guesses it in an afternoon, and everybody can type it."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def counts(learners: Sequence[Learner], labs: Sequence[int]) -> Mapping[int, int]:
    """Lab to how many have passed it."""
    return {number: sum(_passed(one, number) for one in learners) for number in labs}


def _passed(learner: Learner, number: int) -> bool:
    lab = learner.labs.get(number)
    return lab is not None and lab.passed is not None
