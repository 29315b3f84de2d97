"""In what two answers differ, and where: frozen data."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Any

from emulator.model import ExpectedDifference

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class Part(enum.Enum):
    """A part of an answer."""

    STATUS = "status"
    PROBLEM = "problem"
    HEADER = "header"
    JSON = "json"
    LINE = "line"
    BODY = "body"


class Kind(enum.Enum):
    """
    How an answer differs from the baseline's.

    Attributes:
        MISSING: Only the baseline has it.
        ADDED: Only the other one has it.
        UNSTABLE: One environment, asked twice, answered with two statuses.
        UNANSWERED: One of the environments gave no answer, or broke it off.
        MORE: There are more differences than anybody would read.
    """

    CHANGED = "changed"
    TYPE = "type"
    MISSING = "missing"
    ADDED = "added"
    UNSTABLE = "unstable"
    UNANSWERED = "unanswered"
    MORE = "more"


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where in an answer.

    Attributes:
        at: A header's name in lower case, a line's number from 1, or the keys and indices that lead to a JSON value.
            None among those, in masks, is any index.
    """

    part: Part
    at: tuple[str | int | None, ...] = ()

    def __str__(self) -> str:
        """E.g. ``status``, ``header etag``, ``$.items[0].id``, ``line 3``."""
        if self.part is Part.JSON:
            return "$" + "".join(map(_step, self.at))
        return " ".join([self.part.value, *map(str, self.at)])

    def covers(self, other: Place) -> bool:
        """Whether *other* is here or below."""
        if self.part is Part.BODY:
            return other.part in {Part.BODY, Part.JSON, Part.LINE}
        return (
            self.part is other.part
            and len(self.at) <= len(other.at)
            and all(own in (None, step) for own, step in zip(self.at, other.at, strict=False))
        )


def _step(step: str | int | None) -> str:
    if step is None:
        return "[*]"
    if isinstance(step, int):
        return f"[{step}]"
    escaped = step.replace("\\", "\\\\").replace("'", "\\'")
    return f".{step}" if _PLAIN.fullmatch(step) else f"['{escaped}']"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    One difference.

    Attributes:
        baseline: A value as JSON has it; None when the baseline has none.
        value: The other one's.
    """

    place: Place
    kind: Kind
    baseline: Any = None
    value: Any = None

    def to_json(self) -> dict[str, Any]:
        """As ``/_all/`` shows it."""
        return {
            "where": str(self.place),
            "kind": self.kind.value,
            "baseline": self.baseline,
            "value": self.value,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """A place that is not compared, and why."""

    place: Place
    why: str

    def to_json(self) -> dict[str, Any]:
        """As ``/_all/`` shows it."""
        return {"where": str(self.place), "why": self.why}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A difference that the project declares as expected."""

    finding: Finding
    by: ExpectedDifference

    def to_json(self) -> dict[str, Any]:
        """As ``/_all/`` shows it."""
        return {**self.finding.to_json(), "reason": self.by.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """
    What comes of a comparison.

    Attributes:
        findings: Those that nothing explains.
        expected: Those that the project declares.
        masked: Of the masks those that were of use.
        warnings: Why a rule could not be applied, e.g. a regular expression that took too long.
    """

    findings: tuple[Finding, ...] = ()
    expected: tuple[Explained, ...] = ()
    masked: tuple[Mask, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the answers are the same but for what is masked and expected."""
        return not self.findings
