"""
Timers that share a thread.

LocalStack starts a thread after each call of a function, to end its process should no other call come.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any


class Clockwork:
    """The thread; it runs once a timer was started, and sleeps until the next one is due."""

    def __init__(self) -> None:
        self._due: dict[SharedTimer, float] = {}
        self._changed = threading.Condition()
        self._wakes_at = float("inf")
        self._thread: threading.Thread | None = None

    def start(self, timer: SharedTimer, at: float) -> None:
        """Run *timer* at *at*, on ``time.monotonic``."""
        with self._changed:
            self._due[timer] = at
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="timers", daemon=True)
                self._thread.start()
            if at < self._wakes_at:
                self._changed.notify()

    def cancel(self, timer: SharedTimer) -> None:
        """Don't run *timer*, unless it runs already."""
        with self._changed:
            self._due.pop(timer, None)

    def _run(self) -> None:
        while True:
            for timer in self._wait():
                # What is due may take a while: it ends a process.
                threading.Thread(target=timer.function, name="timer", daemon=True).start()

    def _wait(self) -> list[SharedTimer]:
        """The timers that are due, once there are some."""
        with self._changed:
            while True:
                now = time.monotonic()
                if due := [timer for timer, at in self._due.items() if at <= now]:
                    for timer in due:
                        del self._due[timer]
                    return due
                self._wakes_at = min(self._due.values(), default=float("inf"))
                wait = None if self._wakes_at == float("inf") else self._wakes_at - now
                self._changed.wait(wait)
                self._wakes_at = float("inf")


_CLOCKWORK = Clockwork()


class SharedTimer:
    """Stands for ``threading.Timer``."""

    def __init__(self, interval: float, function: Callable[[], Any], clockwork: Clockwork = _CLOCKWORK) -> None:
        self.interval = interval
        self.function = function
        self._clockwork = clockwork

    def start(self) -> None:
        """Call the function in ``interval`` seconds."""
        self._clockwork.start(self, time.monotonic() + self.interval)

    def cancel(self) -> None:
        """Don't."""
        self._clockwork.cancel(self)
