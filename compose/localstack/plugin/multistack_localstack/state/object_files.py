"""
The bytes of S3 objects as files beside the checkpoints, which only refer to them.

A file is written once, aside, and never changed: a new content is a new file. One that nothing refers to any more stays
as long as a checkpoint that is kept may need it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from multistack_localstack.state.checkpoint import sync_folder

# More files than this are synced with all else on their file system, in one go.
_FEW = 32
# Seconds a reader may go on with what lies there, see hold().
HOLD = 60.0


class ObjectFiles:
    """
    The files of one state folder.

    Args:
        folder: Where they lie; made if it is missing.
        aside: Where they are written first, on the same file system.
    """

    def __init__(self, folder: Path, aside: Path) -> None:
        self.folder, self.aside = folder, aside
        self._unsynced: set[str] = set()
        self._dropped: list[str] = []
        # Dropped before the checkpoint of this number was taken, which therefore does not need them.
        self._waiting: list[tuple[int, list[str]]] = []
        self._held_until = 0.0
        for each in (folder, aside):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self) -> tuple[str, IO[bytes]]:
        """A name for a new file, and the file aside to be filled; raises OSError."""
        name = secrets.token_hex(16)
        descriptor = os.open(self.aside / name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        return name, os.fdopen(descriptor, "w+b", buffering=0)

    def keep(self, name: str) -> None:
        """The file *name* is filled: put it where checkpoints may refer to it."""
        self._unsynced.add(name)
        (self.aside / name).rename(self.folder / name)

    def discard(self, name: str) -> None:
        """The file *name* will not be needed; it was not kept."""
        with contextlib.suppress(OSError):
            (self.aside / name).unlink()

    def open(self, name: str) -> IO[bytes]:
        """Read a kept file; raises OSError."""
        return (self.folder / name).open("rb")

    def drop(self, name: str) -> None:
        """Nothing refers to *name* from now on, apart from checkpoints."""
        self._dropped.append(name)

    def unsynced(self) -> list[str]:
        """Files that may not be on the disk yet."""
        return list(self._unsynced)

    def sync(self, names: Iterable[str]) -> None:
        """Put files of these names on the disk; one that is gone is not needed. Raises OSError."""
        there = [path for name in names if (path := self.folder / name).exists()]
        if not there:
            return
        if len(there) > _FEW:
            _sync_file_system(self.folder)
            return
        for path in there:
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                os.fsync(file.fileno())
        sync_folder(self.folder)

    def synced(self, names: Iterable[str]) -> None:
        """Files of these names are on the disk."""
        self._unsynced.difference_update(names)

    def taken(self, number: int) -> None:
        """The checkpoint *number* is of now: it will not need what was dropped before."""
        dropped, self._dropped = self._dropped, []
        if dropped:
            self._waiting.append((number, dropped))

    def clean(self, oldest: int) -> None:
        """
        Remove what no checkpoint needs.

        Args:
            oldest: The number of the oldest checkpoint that is kept.
        """
        if self.is_held():
            return
        done = [names for number, names in self._waiting if number <= oldest]
        self._waiting = [(number, names) for number, names in self._waiting if number > oldest]
        for name in (name for names in done for name in names):
            with contextlib.suppress(OSError):
                (self.folder / name).unlink()
            self._unsynced.discard(name)

    def remove_all_but(self, needed: Iterable[str]) -> None:
        """What a killed LocalStack left behind; only where nothing is being written."""
        needed = set(needed)
        for path in [*self.aside.iterdir(), *(path for path in self.folder.iterdir() if path.name not in needed)]:
            with contextlib.suppress(OSError):
                path.unlink()

    def hold(self) -> None:
        """Remove nothing for :data:`HOLD` seconds: somebody copies the folder, file by file."""
        self._held_until = time.monotonic() + HOLD

    def is_held(self) -> bool:
        """Whether somebody may be copying the folder."""
        return time.monotonic() < self._held_until


def missing(folder: Path, objects: dict[str, int]) -> list[str]:
    """Names among *objects*, which are name and size in bytes, that do not lie in *folder* as they should."""
    there = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        there = {entry.name: entry for entry in entries}
    return [name for name, size in objects.items() if name not in there or there[name].stat().st_size != size]


_libc = ctypes.CDLL(None, use_errno=True)


def _sync_file_system(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if _libc.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), "can't sync", str(folder))
    finally:
        os.close(descriptor)
