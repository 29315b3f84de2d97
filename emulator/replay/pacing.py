"""How fast requests are sent: a rate as people write it, and the moment of the next one."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

_RATE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(?:/(s|m|h))?")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
ALLOWED = 'a number of requests per second, such as "50", "50/s" or "90/m"'


def read_rate(text: str) -> float:
    """
    Requests per second.

    Raises:
        ValueError: *text* is no rate; the message completes "must be …".
    """
    match = _RATE.fullmatch(text)
    rate = float(match[1]) / _SECONDS[match[2] or "s"] if match else 0.0
    if rate <= 0:
        raise ValueError(ALLOWED)
    return rate


class Pace:
    """
    Gives each request its moment; one that comes late takes nobody else's.

    Args:
        rate: Requests per second; None for as fast as they are answered.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        rate: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._gap = 1 / rate if rate else 0.0
        self._clock = clock
        self._sleep = sleep
        self._next: float | None = None
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when the next request may be sent."""
        if not self._gap:
            return
        with self._lock:
            now = self._clock()
            moment = now if self._next is None else max(self._next, now - self._gap)
            self._next = moment + self._gap
        if moment > now:
            self._sleep(moment - now)
