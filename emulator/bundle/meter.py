"""Says how far long work has come: in bytes, and not too often."""

from __future__ import annotations

import time
from collections.abc import Callable

from emulator.events import Emit, Event

# Seconds between two lines about the same work.
_PAUSE = 2.0
_KILOBYTE, _MEGABYTE = 1024, 1024 * 1024


class Meter:
    """
    Counts bytes and emits an event every other second.

    Args:
        step: What is done, e.g. ``loading``.
        what: To what, e.g. an image's name.
        total: Bytes in all; 0 where nobody knows.
    """

    def __init__(
        self, emit: Emit, step: str, what: str, total: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._emit = emit
        self._step = step
        self._what = what
        self._total = total
        self._clock = clock
        self._told = self._began = clock()
        self.done = 0

    def add(self, count: int) -> None:
        """Count *count* more bytes."""
        self.done += count
        if self._clock() - self._told >= _PAUSE:
            self._told = self._clock()
            of = f" of {readable(max(self._total, self.done))}" if self._total else ""
            self._emit(Event(None, self._step, f"{self._what}: {readable(self.done)}{of}"))

    def finish(self, step: str, detail: str) -> None:
        """Say that it is done, and how long that took."""
        self._emit(Event(None, step, detail, seconds=self._clock() - self._began))


def readable(size: int) -> str:
    """Bytes for people, e.g. ``28.3 MB``."""
    return f"{size / _KILOBYTE:.0f} KB" if size < _MEGABYTE else f"{size / _MEGABYTE:.1f} MB"
