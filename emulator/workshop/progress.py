"""What a learner has done so far, in a file of the workshop's folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emulator.errors import MultistackError
from emulator.process import write_atomically

FILE = "workshop.json"


class LabProgress(BaseModel):
    """
    One lab.

    Attributes:
        passed: When its check found nothing missing for the first time.
        hints: How many of its hints were shown.
        is_solved: Whether the solution was played.
    """

    model_config = ConfigDict(extra="ignore")

    started: datetime | None = None
    passed: datetime | None = None
    hints: int = Field(default=0, ge=0, le=99)
    is_solved: bool = False

    def note_solved(self) -> None:
        """The solution is played; who has passed without it keeps that, who had it before had it."""
        self.is_solved = self.is_solved or self.passed is None


class Membership(BaseModel):
    """Where this learner's progress is shown, too."""

    url: str
    code: str
    name: str
    id: str


class Progress(BaseModel):
    """All of it."""

    model_config = ConfigDict(extra="ignore")

    labs: dict[int, LabProgress] = Field(default_factory=dict)
    board: Membership | None = None

    def of(self, number: int) -> LabProgress:
        """That of lab *number*, which can be changed."""
        return self.labs.setdefault(number, LabProgress())

    @property
    def passed(self) -> Mapping[int, datetime]:
        """Lab to when it was passed, for those that were."""
        return {number: lab.passed for number, lab in self.labs.items() if lab.passed is not None}


def read_progress(root: Path) -> Progress:
    """
    What is on file; nothing yet where there is no file.

    Raises:
        MultistackError: The file was changed by hand, and can't be understood any more.
    """
    path = root / FILE
    try:
        return Progress.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Progress()
    except ValidationError as error:
        raise MultistackError(
            f"{path} can't be read: {error.errors()[0]['msg']}",
            hint="remove it: the labs stay, only what was passed is forgotten",
        ) from error


@contextmanager
def changing(root: Path) -> Iterator[Progress]:
    """The progress to change; written at the end, and by one command at a time."""
    with (root / f".{FILE}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        progress = read_progress(root)
        yield progress
        write_atomically(root / FILE, progress.model_dump_json(indent=2).encode() + b"\n")
