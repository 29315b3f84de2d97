"""
Whose turn it is with the state of the environments: tests that share it together, one that has it to itself alone.

A test that has it to itself begins with the state put back. What such a test leaves is put back before the next one
begins, whichever that is, so that consecutive ones cost one restore each. A name in the file ``left`` needs that.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

_ALONE, _TOGETHER = fcntl.LOCK_EX, fcntl.LOCK_SH


class Turns:
    """
    The turns of one process.

    Args:
        folder: Shared with all processes that use the same environments; it exists.
    """

    def __init__(self, folder: Path) -> None:
        self._left = folder / "left"
        self._state = (folder / "state.lock").open("ab")
        # Everybody passes it alone, so that who waits to be alone waits for no newcomers.
        self._turnstile = (folder / "turnstile.lock").open("ab")
        self._is_running = False
        self._key: str | None = None
        self._fresh: frozenset[str] = frozenset()

    def begin(self, key: str | None, names: Iterable[str], *, revived: Iterable[str] = ()) -> frozenset[str]:
        """
        Wait for the turn of a test that uses *names*.

        Args:
            key: What shares one state with nobody else, e.g. a test or a module; None to share it with all.
            revived: Whose emulator died in the turn and was started again: they hold what their last checkpoint did.

        Returns:
            The environments to be put back now; :meth:`put_back` says that they are.
        """
        if key is not None and key == self._key:
            self._fresh -= frozenset(revived)
            return frozenset(names) - self._fresh
        self._take(_ALONE if key is not None else _TOGETHER)
        self._is_running, self._key, self._fresh = True, key, frozenset()
        if key is not None:
            return frozenset(names) | self.left()
        if not self.left():
            return frozenset()
        self._take(_ALONE)
        return self.left()

    def put_back(self, names: frozenset[str]) -> None:
        """*names* are as they were in the beginning."""
        if self._key is None:
            self._write(self.left() - names)
            fcntl.flock(self._state, _TOGETHER)
        else:
            self._fresh |= names
            self._write(self.left() | self._fresh)

    def end(self, next_key: str | None) -> None:
        """A test ended; the turn ends too unless the next test is in the same."""
        if self._key is None or next_key != self._key:
            self._is_running, self._key = False, None
            fcntl.flock(self._state, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """For as long as the state must be this process's; a test that runs has it to itself until it ends."""
        if self._key is None:
            self._take(_ALONE)
        try:
            yield
        finally:
            if not self._is_running:
                fcntl.flock(self._state, fcntl.LOCK_UN)

    def close(self) -> None:
        """The last turn of this process is over."""
        self._state.close()
        self._turnstile.close()

    def left(self) -> frozenset[str]:
        """The environments that hold what a test left that had them to itself."""
        try:
            return frozenset(json.loads(self._left.read_text()))
        except FileNotFoundError:
            return frozenset()

    def _write(self, names: frozenset[str]) -> None:
        self._left.write_text(json.dumps(sorted(names)))

    def _take(self, how: int) -> None:
        fcntl.flock(self._state, fcntl.LOCK_UN)
        fcntl.flock(self._turnstile, _ALONE)
        try:
            fcntl.flock(self._state, how)
        finally:
            fcntl.flock(self._turnstile, fcntl.LOCK_UN)
