"""How many requests a space may make: as many per second as its quota says, and a few at once."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

from emulator.model import Space
from emulator.proxy.problems import Problem

# Seconds' worth that may come at once, after as long a pause.
_BURST = 2.0


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


class RequestQuota:
    """
    A token bucket for each space that has such a quota.

    Args:
        clock: Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        self._lock = threading.Lock()

    def take(self, space: Space) -> None:
        """
        Let one request through.

        Raises:
            Problem: 429, there were too many; says when the next one may come.
        """
        rate = space.quota.requests
        if rate is None or rate <= 0:
            return
        most = max(1.0, _BURST * rate)
        with self._lock:
            now = self._clock()
            bucket = self._buckets.setdefault(space.name, _Bucket(most, now))
            bucket.level = min(most, bucket.level + (now - bucket.at) * rate)
            bucket.at = now
            if bucket.level >= 1.0:
                bucket.level -= 1.0
                return
            wait = (1.0 - bucket.level) / rate
        raise _too_many(space.name, rate, wait)

    def forget(self, names: set[str]) -> None:
        """Drop what is kept of all spaces but *names*."""
        with self._lock:
            self._buckets = {name: bucket for name, bucket in self._buckets.items() if name in names}


def _too_many(name: str, rate: float, wait: float) -> Problem:
    detail = f"space {name} may make {rate:g} requests per second"
    problem = Problem(429, "too-many-requests", "Too many requests", detail, extra={"space": name})
    problem.headers.append(("Retry-After", str(max(1, math.ceil(wait)))))
    return problem
