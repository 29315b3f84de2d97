"""Remembers for some seconds that a store is away: one looks again, and whoever else comes is answered at once."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import psycopg

# Seconds until somebody looks again, and from which on an answer counts as waited for: a server that refuses does so at
# once, and may soon be back.
_KNOWN = 3.0
_WAITED = 1.0


class Absence:
    """
    Whether a store is away; safe to use from several threads.

    Args:
        is_away: Whether an error says so.
        now: Seconds of a clock that only goes on.
    """

    def __init__(self, is_away: Callable[[BaseException], bool], *, now: Callable[[], float] = time.monotonic) -> None:
        self._is_away = is_away
        self._now = now
        self._lock = threading.Lock()
        self._said: str | None = None
        self._until = 0.0
        self._is_tried = False

    @contextlib.contextmanager
    def trying(self) -> Iterator[None]:
        """
        Make a connection; nobody waits for one that somebody else has just waited for in vain, or still does.

        Raises:
            psycopg.OperationalError: What was said last, while the store is known to be away.
        """
        with self._lock:
            began = self._now()
            if self._said is not None and (self._is_tried or began < self._until):
                raise psycopg.OperationalError(self._said)
            self._is_tried = True
        try:
            yield
        except BaseException as error:
            self._note(str(error) if self._is_away(error) and self._now() - began >= _WAITED else None)
            raise
        self._note(None)

    def _note(self, said: str | None) -> None:
        with self._lock:
            self._said, self._until, self._is_tried = said, self._now() + _KNOWN, False
