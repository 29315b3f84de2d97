"""An emulator's own log, read line by line from where the last look ended."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

_MOST_BYTES = 8 * 1024 * 1024  # of a log, from its end


class LogReader(Protocol):
    """What a log says, each line once."""

    def new_lines(self) -> list[str]:
        """The lines completed since the last call; the first one gives those there are."""


class NoLog:
    """The log of what runs elsewhere: nothing can be read of it."""

    def new_lines(self) -> list[str]:
        """See :class:`LogReader`."""
        return []


class LogFile:
    """A growing file, read line by line from where the last look ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset: int | None = None
        self._inode = 0

    def new_lines(self) -> list[str]:
        """The lines completed since the last call; a file that was cut or replaced is read from its beginning."""
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                start = self._start(status.st_size, status.st_ino)
                file.seek(start)
                content = file.read()
        except OSError:
            return []
        complete = content.rfind(b"\n") + 1
        is_cut = self._offset is None and start > 0
        self._offset, self._inode = start + complete, status.st_ino
        lines = content[:complete].decode(errors="replace").split("\n")[:-1]
        return lines[1:] if is_cut else lines

    def _start(self, size: int, inode: int) -> int:
        if self._offset is None:
            return max(0, size - _MOST_BYTES)
        return self._offset if self._offset <= size and inode == self._inode else 0
