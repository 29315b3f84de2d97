"""What a lab of the workshop is: plain data, and functions that look at what a learner made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.errors import MultistackError

if TYPE_CHECKING:
    from emulator.workshop.scene import Scene

# What is missing, in one line that says what to do; None when it holds.
Look = Callable[["Scene"], str | None]
HINTS = 3
# Where the texts and solutions say the proxy is; another program may have that port.
PROXY = "http://127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class Edit:
    """
    How the lab's copy of the sample differs from it at the start.

    Attributes:
        path: Below the lab's folder.
        before: Stands in the file exactly once.
    """

    path: str
    before: str
    after: str

    def apply(self, folder: Path) -> None:
        """
        Change the file.

        Raises:
            MultistackError: The sample is another one than this lab was written for.
        """
        file = folder / self.path
        text = file.read_text(encoding="utf-8")
        if text.count(self.before) != 1:
            raise MultistackError(f"this lab does not fit the packaged sample: {self.path} has changed")
        file.write_text(text.replace(self.before, self.after), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Check:
    """
    One thing that must hold in the end.

    Attributes:
        says: The fact, as it is shown once it holds.
    """

    says: str
    look: Look


@dataclass(frozen=True, slots=True)
class Step:
    """
    One step of a solution, as a learner would type it in the lab's folder.

    Attributes:
        why: What it is for, in one sentence.
        line: For bash.
        code: The exit code it ends with: some steps of a lab are refused, and that is their point.
    """

    why: str
    line: str
    code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """
    One lab.

    Attributes:
        name: For its text, which is ``docs/workshop/<number>-<name>.md``.
        minutes: What it takes a learner.
        goal: What is true in the end, in one line.
        edits: What makes the sample its starting point.
        answers: Key to its question, for ``answers.toml``; a lab without questions has no such file.
        needs_git: Whether its folder is a git repository.
        checks: In the order of the text: the first one that fails is what to do next.
        hints: Each says more than the one before.
    """

    number: int
    name: str
    title: str
    minutes: int
    goal: str
    checks: Sequence[Check]
    hints: tuple[str, str, str]
    solution: Sequence[Step]
    edits: Sequence[Edit] = ()
    answers: Sequence[tuple[str, str]] = ()
    needs_git: bool = False

    @property
    def folder(self) -> str:
        """What its folder is called."""
        return f"lab-{self.number}"

    @property
    def text(self) -> str:
        """The file of its text."""
        return f"{self.number}-{self.name}.md"
