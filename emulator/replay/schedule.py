"""Who sends which request next: several at once, and nevertheless in an order that means the same every time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from emulator.replay.corpus import Entry


class Schedule:
    """
    Hands out requests in their order.

    Those that only read go side by side. One that writes, or whose answer later ones need, waits until all before it
    are answered, and all after it wait until it is: so what each of them finds is what it found when it was recorded.

    Args:
        is_alone: Whether a request goes by itself.
    """

    def __init__(self, entries: Sequence[Entry], *, is_alone: Callable[[Entry], bool]) -> None:
        self._entries = entries
        self._is_alone = is_alone
        self._next = 0
        self._running = 0
        self._one_is_alone = False
        self._is_over = False
        self._changed = threading.Condition()

    def take(self) -> Entry | None:
        """The next request, once it may be sent; None when there is none any more. :meth:`done` must follow."""
        with self._changed:
            while not self._is_over and self._next < len(self._entries):
                entry = self._entries[self._next]
                is_alone = self._is_alone(entry)
                if not self._running or not (is_alone or self._one_is_alone):
                    self._next += 1
                    self._running += 1
                    self._one_is_alone = is_alone
                    return entry
                self._changed.wait()
            return None

    def done(self) -> None:
        """A request that was taken is answered."""
        with self._changed:
            self._running -= 1
            if not self._running:
                self._one_is_alone = False
                self._changed.notify_all()

    def stop(self) -> None:
        """Hand out no more."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
