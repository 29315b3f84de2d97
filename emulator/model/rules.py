"""What a project says about requests that are compared and kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedDifference:
    """
    A difference between environments that is meant to be.

    Attributes:
        between: Two environments, in any order; None for any two.
        json_path: What it is about: differences at or below the nodes that this path finds in either body.
        header: What it is about: a header, in any case. Without either it is about everything but the status.
        regex: What matches it counts as the same on both sides; what differs beside it is still a difference. Without
            it the whole value may differ.
        reason: Why, for people.
    """

    between: tuple[str, str] | None = None
    json_path: str | None = None
    header: str | None = None
    regex: str | None = None
    reason: str = ""

    def concerns(self, one: str, other: str) -> bool:
        """Whether it is about these two environments."""
        return self.between is None or set(self.between) == {one, other}


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRules:
    """
    What counts as a difference between two answers.

    Attributes:
        ignore_order: JSON paths of arrays whose order says nothing.
    """

    ignore_order: tuple[str, ...] = ()
    expected: tuple[ExpectedDifference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectorSettings:
    """
    What is kept of the requests that pass the proxy.

    Attributes:
        max_bytes: Of the file.
        max_body: Bytes of each body.
        redact: Further names of headers, fields and parameters whose values are never written.
    """

    enabled: bool = True
    max_requests: int = 10_000
    max_bytes: int = 64 * 2**20
    max_age: timedelta = timedelta(hours=24)
    max_body: int = 64 * 2**10
    redact: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All that the proxy takes from the project file while it runs."""

    comparison: ComparisonRules = field(default_factory=ComparisonRules)
    inspector: InspectorSettings = field(default_factory=InspectorSettings)
