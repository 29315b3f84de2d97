"""Wrong passwords and tokens of other machines: a few per minute, whatever is tried in between."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from emulator.proxy.problems import Problem

_MOST = 10
_WINDOW = 60.0
_MOST_CLIENTS = 1000


@dataclass(slots=True)
class _Failures:
    count: int
    since: float


class Guesses:
    """
    Counts them by client; this machine's own aren't counted.

    Args:
        is_local: Whether an address is one of this machine's.
        clock: Seconds that only go forward.
    """

    def __init__(self, is_local: Callable[[str], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._is_local = is_local
        self._clock = clock
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._lock = threading.Lock()

    def is_local(self, client: str) -> bool:
        """Whether a client is on this machine; it is called as in :attr:`emulator.proxy.request.Request.caller`."""
        return " " not in client and (client.startswith("127.") or self._is_local(client))

    def check(self, client: str) -> None:
        """
        Let a client try.

        Raises:
            Problem: 429, it has guessed too often.
        """
        with self._lock:
            failures = self._failures.get(client)
            rest = failures.since + _WINDOW - self._clock() if failures else 0.0
            if failures and rest <= 0:
                del self._failures[client]
            elif failures and failures.count >= _MOST:
                raise _too_many(rest)

    def note(self, client: str) -> None:
        """Count a wrong one."""
        if self.is_local(client):
            return
        with self._lock:
            failures = self._failures.setdefault(client, _Failures(0, self._clock()))
            failures.count += 1
            while len(self._failures) > _MOST_CLIENTS:
                self._failures.popitem(last=False)


def _too_many(seconds: float) -> Problem:
    problem = Problem(429, "too-many-guesses", "Too many wrong passwords or tokens", "try again in a minute")
    problem.headers.append(("Retry-After", str(int(seconds) + 1)))
    return problem
