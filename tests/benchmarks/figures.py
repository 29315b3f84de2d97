"""What a benchmark hands back: figures held against what is required, and the tables behind them."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

MB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """
    One number that the project promises.

    Attributes:
        passed: None when it could not be measured; *measured* then says why.
        is_aim: It is wished for, not required.
        how: How it was measured, in one sentence.
    """

    name: str
    required: str
    measured: str
    passed: bool | None
    how: str
    is_aim: bool = False

    @property
    def verdict(self) -> str:
        """One word for the table."""
        return {True: "pass", False: "aim missed" if self.is_aim else "FAIL", None: "not measured"}[self.passed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Measurements, one row each; *note* says what they mean."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """
    All that one benchmark found.

    Attributes:
        is_cut: It broke, so that nothing is known.
    """

    title: str
    figures: Sequence[Figure]
    tables: Sequence[Table]
    is_cut: bool = False


def say(text: str) -> None:
    """Progress, on stderr."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def spread(values: Sequence[float], *, unit: str = "s", digits: int = 2) -> list[str]:
    """Median, least and greatest as cells."""
    return [f"{value:.{digits}f} {unit}" for value in (statistics.median(values), min(values), max(values))]
