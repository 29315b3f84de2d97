"""Looks at a lab: what holds, and the first thing that is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from emulator.errors import MultistackError
from emulator.workshop.lab import Check, Lab
from emulator.workshop.scene import Scene


@dataclass(frozen=True, slots=True)
class Found:
    """One check; *missing* is what to do about it, None when it holds."""

    says: str
    missing: str | None = None


def look(lab: Lab, scene: Scene) -> Iterator[Found]:
    """Check after check, up to the first that does not hold: the later ones build on it."""
    for check in lab.checks:
        missing = _look(check, scene)
        yield Found(check.says, missing)
        if missing is not None:
            return


def _look(check: Check, scene: Scene) -> str | None:
    """What is missing; an error counts too: the learner's own files and environments are what is looked at."""
    try:
        return check.look(scene)
    except MultistackError as error:
        return f"{error.message}; {error.hint}" if error.hint else error.message
