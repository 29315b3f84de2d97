"""How steps end, and what is told while they run."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from emulator.pipelines.plan import Step


class Ending(enum.Enum):
    """What became of a step."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """
    One step at its end, or where it stays.

    Attributes:
        code: Exit status of what failed.
        reason: Why it did not pass, e.g. ``make test ended with 2``.
        outputs: What later steps may ask for.
        variables: What later steps get as variables.
    """

    step: Step
    ending: Ending
    seconds: float = 0.0
    code: int | None = None
    reason: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def stops_others(self) -> bool:
        """Whether what needs the step can't run."""
        return self.ending is not Ending.PASSED and not (self.ending is Ending.FAILED and self.step.may_fail)


@dataclass(frozen=True, slots=True)
class Started:
    """A step begins."""

    step: Step


@dataclass(frozen=True, slots=True)
class Printed:
    """A step, or what runs it, says a line; secrets are masked."""

    step: Step
    line: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A step is over, or is not run."""

    result: StepResult


Told = Started | Printed | Ended
Tell = Callable[[Told], None]
