"""How many requests each environment gets, how many fail and how long they take, over the last minutes."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

# Seconds that one bucket covers, and how many buckets are kept: a quarter of an hour.
BUCKET = 5.0
_KEPT = 180
# Times are counted in steps of 10 %, so a percentile is off by half of that at most; the first step ends at 0.1 ms.
_STEP = math.log(1.1)
_SHORTEST = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """
    The requests of a span of time.

    Attributes:
        start: Seconds before now at which the span began.
        seconds: How long it is.
        errors: Those with a status from 500 on, and those without a whole answer.
        p50: Seconds that half of the requests took at most; None without requests.
    """

    start: float
    seconds: float
    requests: int
    errors: int
    p50: float | None
    p95: float | None

    @property
    def per_minute(self) -> float:
        """Requests per minute."""
        return self.requests / self.seconds * 60

    @property
    def error_rate(self) -> float:
        """The part of the requests that failed, 0 to 1."""
        return self.errors / self.requests if self.requests else 0.0


@dataclass(slots=True)
class _Bucket:
    number: int
    requests: int = 0
    errors: int = 0
    steps: Counter[int] = field(default_factory=Counter)


class Rates:
    """
    Counts in memory, a few kilobytes for each environment.

    Args:
        now: Seconds of a clock that never goes back.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._buckets: dict[str, deque[_Bucket]] = {}

    def count(self, environment: str, *, seconds: float, is_error: bool) -> None:
        """Count a request that just ended."""
        number = int(self._now() / BUCKET)
        step = max(0, math.ceil(math.log(max(seconds, _SHORTEST) / _SHORTEST) / _STEP))
        with self._lock:
            buckets = self._buckets.setdefault(environment, deque(maxlen=_KEPT))
            if not buckets or buckets[-1].number != number:
                buckets.append(_Bucket(number))
            bucket = buckets[-1]
            bucket.requests += 1
            bucket.errors += is_error
            bucket.steps[step] += 1

    def of(self, environment: str, *, seconds: float = 60.0) -> Rate:
        """The requests of the last *seconds*, a multiple of ``BUCKET``."""
        return self.series(environment, seconds=seconds, points=1)[0]

    def series(self, environment: str, *, seconds: float = 300.0, points: int = 30) -> Sequence[Rate]:
        """The last *seconds* in *points* spans of equal length, oldest first; each at least a ``BUCKET`` long."""
        width = max(1, round(seconds / BUCKET / points))
        end = int(self._now() / BUCKET) + 1
        with self._lock:
            kept = [
                _Bucket(one.number, one.requests, one.errors, one.steps.copy())
                for one in self._buckets.get(environment, ())
            ]
        rates = []
        for point in range(points, 0, -1):
            first = end - point * width
            part = [bucket for bucket in kept if first <= bucket.number < first + width]
            rates.append(_summarise(part, start=point * width * BUCKET, seconds=width * BUCKET))
        return rates


def _summarise(buckets: Iterable[_Bucket], *, start: float, seconds: float) -> Rate:
    steps: Counter[int] = Counter()
    requests = errors = 0
    for bucket in buckets:
        requests, errors = requests + bucket.requests, errors + bucket.errors
        steps.update(bucket.steps)
    return Rate(
        start=start,
        seconds=seconds,
        requests=requests,
        errors=errors,
        p50=_percentile(steps, 0.5),
        p95=_percentile(steps, 0.95),
    )


def _percentile(steps: Counter[int], part: float) -> float | None:
    left = math.ceil(steps.total() * part)
    for step in sorted(steps):
        left -= steps[step]
        if left <= 0:
            return float(_SHORTEST * math.exp((step - 0.5) * _STEP)) if step else _SHORTEST
    return None
