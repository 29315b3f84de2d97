"""
Everything that a function prints, by whatever means, is its log: stdout and stderr are one pipe.

A duplicate of the pipe is kept, through which the end of each call is marked; it works whatever the function does to
its stdout and stderr, and both are put right again before the next call.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys

_STANDARD = (1, 2)


class Log:
    """The log pipe of this process."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        status = os.fstat(fd)
        self._identity = (status.st_dev, status.st_ino)
        self._streams = (_stream(1), _stream(2))
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = self._streams  # type: ignore[misc]

    def mark(self, mark: bytes) -> None:
        """Say that all of a call's log is written."""
        self._flush()
        os.write(self._fd, mark)

    def write(self, text: str) -> None:
        """Put *text* into the log, whatever the function did to its stdout."""
        self._flush()
        left = memoryview(text.encode("utf-8", errors="backslashreplace"))
        while left:
            left = left[os.write(self._fd, left) :]

    def _flush(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or replaced by who knows what
                stream.flush()

    def restore(self) -> None:
        """Undo what the last call did to its stdout and stderr, so that this one can print."""
        for fd in _STANDARD:
            if not self._is_log(fd):
                os.dup2(self._fd, fd)
        if any(stream.closed for stream in self._streams):
            self._streams = (_stream(1), _stream(2))
            sys.stdout, sys.stderr = self._streams

    def _is_log(self, fd: int) -> bool:
        try:
            status = os.fstat(fd)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity


def _stream(fd: int) -> io.TextIOWrapper:
    # Line by line: a line is one write, and comes before what os.write(1, …) or a child process writes after it.
    raw = open(fd, "wb", closefd=False)  # noqa: SIM115 - lives as long as the process
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)
