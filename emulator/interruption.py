"""Ctrl-C, SIGTERM and a closed terminal end a command in good order; asked again, it leaves at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Seconds in which a second signal counts as the same: `uv run` and others pass on a Ctrl-C that the terminal sent
# to the whole process group anyway.
_ECHO = 1.0
# Seconds until a signal that was dropped is sent again.
_AGAIN = 0.02


class Interruption:
    """
    Turns the first signal into a ``KeyboardInterrupt``, and a later one into the end of the process.

    Nothing is lost by that end: whatever may be half-done must survive ``kill -9`` as well.

    Args:
        leave: Ends the process with an exit code, without any cleaning up.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, leave: Callable[[int], object] = os._exit
    ) -> None:
        self._clock = clock
        self._leave = leave
        self._first: tuple[int, float] | None = None
        self._report = sys.unraisablehook

    @property
    def has_come(self) -> bool:
        """Whether a signal has arrived."""
        return self._first is not None

    @property
    def exit_code(self) -> int:
        """What a shell reports for a process ended by that signal, e.g. 130 for Ctrl-C."""
        return 128 + (self._first[0] if self._first else signal.SIGINT)

    def catch(self) -> None:
        """Handle the signals from now on, except those the caller ignores, e.g. SIGHUP under ``nohup``."""
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self.handle)
        sys.unraisablehook = self._repeat

    def release(self) -> None:
        """Leave the signals to the system again: nothing is left to clean up."""
        for number in _SIGNALS:
            if signal.getsignal(number) == self.handle:
                signal.signal(number, signal.SIG_DFL)
        sys.unraisablehook = self._report

    def _repeat(self, lost: sys.UnraisableHookArgs) -> None:
        """Python drops what is raised while it frees an object: a signal that came just then comes again."""
        if lost.exc_type is not KeyboardInterrupt or self._first is None:
            self._report(lost)
            return
        number, self._first = self._first[0], None
        threading.Timer(_AGAIN, os.kill, (os.getpid(), number)).start()

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """
        One signal.

        Raises:
            KeyboardInterrupt: It is the first.
        """
        if self._first is None:
            self._first = (number, self._clock())
            raise KeyboardInterrupt
        if self._clock() - self._first[1] >= _ECHO:
            self._leave(128 + number)
