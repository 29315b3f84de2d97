"""What the functions of one environment print, for tests to look at."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

_LOOK = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """
    One thing that a function logged.

    Attributes:
        function: Its logical id.
        message: Without trailing newline.
    """

    at: datetime
    function: str
    message: str


class Logs:
    """
    The log of one environment: of the running test with pytest, else all of it.

    Args:
        read: Everything so far, oldest first.
    """

    def __init__(self, read: Callable[[], Sequence[LogLine]]) -> None:
        self._read = read

    def lines(self, function: str | None = None) -> list[LogLine]:
        """What was printed so far, oldest first; by all functions, or by one."""
        return [line for line in self._read() if function in (None, line.function)]

    @property
    def text(self) -> str:
        """All messages, a line each."""
        return "\n".join(line.message for line in self._read())

    def wait_for(self, text: str, *, timeout: float = 10.0) -> LogLine:
        """
        The first line that has *text*, as soon as it is there: functions behind a queue print when they get to it.

        Raises:
            AssertionError: There is none within *timeout* seconds; it shows what there is.
        """
        deadline = time.monotonic() + timeout
        while True:
            lines = self.lines()
            for line in lines:
                if text in line.message:
                    return line
            if time.monotonic() >= deadline:
                shown = "\n".join(f"  {line.function}: {line.message}" for line in lines) or "  nothing"
                raise AssertionError(f"no function printed {text!r} within {timeout:g} s, but:\n{shown}")
            time.sleep(_LOOK)
