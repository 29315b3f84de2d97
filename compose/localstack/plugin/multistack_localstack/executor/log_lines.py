"""
What a function writes, as the events that CloudWatch shows.

Standard output, standard error and the runtime's own log records arrive in one pipe, and so in the order in which they
were written. Output is cut at line ends; a record of ``logging`` comes in a frame of its own and stays one event,
however many lines it has.

Source:
    ``FramedTelemetryLogSink`` of AWS's ``awslambdaric``: four bytes of type, four of length, eight of time in
    microseconds since 1970, then the text.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAX_LINE = 256 * 1024  # CloudWatch's limit of an event

_FRAME = re.compile(rb"\xa5\x5a\x00[\x00-\x1f]")
_HEADER = 16


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A line of a log; *at* is in seconds since 1970."""

    at: float
    text: str


class LogLines:
    """Cuts a stream of bytes into events."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._pending = b""

    def feed(self, data: bytes) -> list[LogEvent]:
        """The events that *data* completes."""
        self._pending += data
        return list(self._complete())

    def flush(self) -> list[LogEvent]:
        """What was written without a line end so far, as an event."""
        left, self._pending = self._pending, b""
        return self._cut(left) if left else []

    def _complete(self) -> Iterator[LogEvent]:
        while self._pending:
            frame = _FRAME.search(self._pending)
            if frame is None:
                # The beginning of a frame's mark may still be at the end, where no line end can be.
                end = self._pending.rfind(b"\n") + 1
                lines, self._pending = self._pending[:end], self._pending[end:]
                yield from self._cut(lines)
                if len(self._pending) >= MAX_LINE:
                    yield from self.flush()
                return
            if frame.start():
                output, self._pending = self._pending[: frame.start()], self._pending[frame.start() :]
                yield from self._cut(output)
                continue
            event = self._framed()
            if event is None:
                return
            yield event

    def _framed(self) -> LogEvent | None:
        if len(self._pending) < _HEADER:
            return None
        end = _HEADER + int.from_bytes(self._pending[4:8], "big")
        if len(self._pending) < end:
            return None
        at = int.from_bytes(self._pending[8:_HEADER], "big") / 1e6
        text = self._pending[_HEADER:end].decode("utf-8", "replace")
        self._pending = self._pending[end:]
        return LogEvent(at, text.rstrip("\n"))

    def _cut(self, data: bytes) -> list[LogEvent]:
        """Lines of plain output; an empty one is no event, as CloudWatch takes none."""
        now = self._clock()
        lines = (line[at : at + MAX_LINE] for line in data.split(b"\n") for at in range(0, len(line), MAX_LINE))
        return [LogEvent(now, line.decode("utf-8", "replace").rstrip("\r")) for line in lines if line.strip()]
