"""A deliberate fault as plain data: which requests it hits, and what it does to their answers."""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from emulator.faults.words import show_bandwidth, show_rate, show_seconds, show_share, show_size

# Names, in an answer, each fault that was applied to it.
FAULT_HEADER = "X-Multistack-Fault"
_WILDCARD = re.compile(r"(\*\*|\*)")


@dataclass(frozen=True, slots=True)
class Latency:
    """
    How long answers are held back, as a distribution.

    Attributes:
        points: Share of the answers, growing from 0 to 1, and the seconds within which so many come; straight lines
            in between.
    """

    points: tuple[tuple[float, float], ...]

    def at(self, share: float) -> float:
        """The seconds of one answer; *share*, evenly drawn from 0 to 1, says which."""
        for (low, shorter), (high, longer) in zip(self.points, self.points[1:], strict=False):
            if share <= high:
                return shorter + (longer - shorter) * (share - low) / (high - low)
        return self.points[-1][1]

    def __str__(self) -> str:
        shortest, longest = self.points[0][1], self.points[-1][1]
        if len(self.points) > 2:
            inner = (f"p{share * 100:g}={show_seconds(seconds)}" for share, seconds in self.points if 0 < share < 1)
            return ",".join(inner)
        return show_seconds(longest) if shortest == longest else f"{show_seconds(shortest)}..{show_seconds(longest)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """
    What a fault does to a request it hits. None, or False, where it leaves something alone.

    Attributes:
        throttle: Requests per second that get through; the others get 429.
        error: The status that is answered with; the environment isn't asked.
        drop: The connection is closed without an answer; the environment isn't asked.
        bandwidth: Bytes per second of each answer's body.
        cut: Bytes of an answer's body after which the connection breaks.
    """

    latency: Latency | None = None
    throttle: float | None = None
    error: int | None = None
    drop: bool = False
    bandwidth: int | None = None
    cut: int | None = None

    def __str__(self) -> str:
        """As options of ``fault set``, e.g. ``latency 300ms, error 503``."""
        parts = {
            "latency": self.latency,
            "throttle": None if self.throttle is None else show_rate(self.throttle),
            "error": self.error,
            "bandwidth": None if self.bandwidth is None else show_bandwidth(self.bandwidth),
            "cut": None if self.cut is None else show_size(self.cut),
        }
        said = [f"{name} {value}" for name, value in parts.items() if value is not None]
        return ", ".join([*said, *(["drop"] if self.drop else [])])


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """
    A fault that is set.

    Attributes:
        id: Grows, and is never used again while the proxy runs.
        method: In capitals; None for all.
        path: Of the route, within the environment: ``*`` stands for anything without a slash, ``**`` for anything.
        share: Of the requests of that route, from above 0 to 1.
        seed: What is drawn follows from it and the number of the request alone.
        expires: None for as long as the proxy runs.
    """

    id: int
    environment: str
    method: str | None = None
    path: str = "/**"
    share: float = 1.0
    seed: int = 0
    effects: Effects
    expires: datetime | None = None

    @property
    def route(self) -> str:
        """Method and path as they are written."""
        return f"{self.method} {self.path}" if self.method else self.path

    def __str__(self) -> str:
        often = "" if self.share == 1 else f" for {show_share(self.share)}"
        return f"{self.effects}{often}"

    def concerns(self, environment: str, method: str, target: str) -> bool:
        """Whether a request is on its route; *target* as it is sent, with or without a query."""
        return (
            environment == self.environment
            and self.method in (None, method)
            and _pattern(self.path).fullmatch(target.partition("?")[0]) is not None
        )

    def is_over(self, now: datetime) -> bool:
        """Whether its time is up."""
        return self.expires is not None and now >= self.expires

    def draw(self, number: int) -> Draw:
        """What chance has for the *number*-th request of its route."""
        chance = random.Random(f"{self.seed}/{number}")  # noqa: S311 (no secret)
        return Draw(hits=chance.random() < self.share, latency=chance.random())


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """*latency* is a share for :meth:`Latency.at`."""

    hits: bool
    latency: float


def standing(faults: Sequence[Fault], now: datetime) -> list[Fault]:
    """Those whose time isn't up."""
    return [fault for fault in faults if not fault.is_over(now)]


@functools.lru_cache(maxsize=256)
def _pattern(path: str) -> re.Pattern[str]:
    meanings = {"*": "[^/]*", "**": ".*"}
    return re.compile("".join(meanings.get(part) or re.escape(part) for part in _WILDCARD.split(path)), re.DOTALL)
