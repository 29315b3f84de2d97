"""What a replay found."""

from __future__ import annotations

import enum
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from emulator.differences import Difference

# How a baseline is called that is no environment.
RECORDED = "recorded"


# Characters of a value in a line.
_LONGEST = 100


class Verdict(enum.Enum):
    """What became of one request."""

    EQUAL = "equal"
    DIFFERENT = "different"
    NO_ANSWER = "no answer"
    NOT_COMPARED = "not compared"
    SKIPPED = "skipped"


# What makes a replay one that found differences.
BAD = frozenset({Verdict.DIFFERENT, Verdict.NO_ANSWER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """
    One request of a corpus, sent again.

    Attributes:
        line: Of the corpus's file.
        status: What it was answered with, None without an answer.
        seconds: How long that took.
        baseline_status: What it should have been, None when nothing is known.
        reason: Why there is no answer, or nothing to compare it with.
    """

    line: int
    method: str
    target: str
    verdict: Verdict
    status: int | None = None
    seconds: float | None = None
    baseline_status: int | None = None
    baseline_seconds: float | None = None
    difference: Difference | None = None
    reason: str = ""

    def lines(self) -> list[str]:
        """What is wrong with it, for people."""
        name = f"{self.method} {self.target}"
        findings = self.difference.findings if self.difference else ()
        found = [f"{name}: {one.place}: {_short(one.baseline)} -> {_short(one.value)}" for one in findings]
        return found or [f"{name}: {self.reason}"]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """Seconds that answers took."""

    median: float
    p95: float
    p99: float
    longest: float

    @classmethod
    def of(cls, seconds: Iterable[float | None]) -> Latencies | None:
        """Those of *seconds*; None when there are none."""
        known = sorted(one for one in seconds if one is not None)
        if not known:
            return None
        return cls(median=_at(known, 0.5), p95=_at(known, 0.95), p99=_at(known, 0.99), longest=known[-1])


def _at(known: Sequence[float], share: float) -> float:
    """The least value that *share* of them don't exceed."""
    return known[max(0, math.ceil(share * len(known)) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """
    A replay at its end.

    Attributes:
        baseline: An environment, or :data:`RECORDED`.
        seconds: From the first request to the last answer.
        lost: See :class:`emulator.replay.corpus.Corpus`.
        unused: Declared differences that no answer had, as a person reads them.
    """

    corpus: str
    environment: str
    release: str | None
    baseline: str
    at: datetime
    seconds: float
    requests: Sequence[Replayed]
    lost: int = 0
    unused: Sequence[str] = ()

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """How many requests ended how; every verdict is there."""
        found = Counter(one.verdict for one in self.requests)
        return {verdict: found[verdict] for verdict in Verdict}

    @property
    def bad(self) -> list[Replayed]:
        """Requests that were answered otherwise, or not at all."""
        return [one for one in self.requests if one.verdict in BAD]

    @property
    def is_equal(self) -> bool:
        """Whether something was compared, and nothing differs."""
        return not self.bad and self.counts[Verdict.EQUAL] > 0

    @property
    def sent(self) -> int:
        """How many requests were sent."""
        return sum(one.verdict is not Verdict.SKIPPED for one in self.requests)

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.sent / self.seconds if self.seconds else 0.0

    @property
    def latencies(self) -> Latencies | None:
        """Of the environment."""
        return Latencies.of(one.seconds for one in self.requests)

    @property
    def baseline_latencies(self) -> Latencies | None:
        """Of the same requests, recorded or in the baseline's environment."""
        return Latencies.of(one.baseline_seconds for one in self.requests)
