"""Whether the state folder that this process holds is still the one at its path."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path


class StateFolder:
    """
    Told by an open descriptor: as long as it is open, no later folder gets the number of this one.

    Checkpoints are written from memory and so come back by themselves; objects of S3 are in the folder only.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: int | None = None

    def hold(self) -> None:
        """Take the folder that is there now, made if there is none; one that can't be made is told by who saves."""
        with contextlib.suppress(OSError):
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._held = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)

    def loss(self) -> str:
        """What became of it, in one line; empty if it is where it was."""
        if self._held is None:
            return ""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            is_ours = False
        except OSError:
            return ""  # who can't look can't save either, and says so
        else:
            # What is no folder keeps the state from being saved, which is told as such.
            is_ours = not stat.S_ISDIR(there.st_mode) or os.path.samestat(there, os.fstat(self._held))
        return "" if is_ours else "its state folder was deleted or moved while it ran, its S3 objects with it"
