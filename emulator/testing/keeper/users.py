"""
Who uses which environment right now: one lock per environment, held by every process that uses it.

The kernel lets go of the locks of a process that ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import IO


class Users:
    """
    This process among those that use the environments of one project for tests.

    Args:
        folder: Where the locks are; made when needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, IO[bytes]] = {}

    @property
    def mine(self) -> frozenset[str]:
        """The environments that this process uses."""
        return frozenset(self._held)

    @contextlib.contextmanager
    def deciding(self) -> Iterator[None]:
        """For as long as no other process begins or ends to use an environment."""
        with self._open("deciding"):
            yield

    def join(self, name: str) -> bool:
        """Use an environment from now on; True if nobody else does. Call it while :meth:`deciding`."""
        lock = self._file(f"of-{name}")
        is_first = _take(lock)
        fcntl.flock(lock, fcntl.LOCK_SH)
        self._held[name] = lock
        return is_first

    def leave(self, name: str) -> bool:
        """Use it no more; True if nobody does. Call it while :meth:`deciding`."""
        self._held.pop(name).close()
        return not self._is_held(f"of-{name}")

    def forget(self, name: str) -> None:
        """Leave no lock of an environment that is gone for good."""
        (self._folder / f"of-{name}.lock").unlink(missing_ok=True)

    def is_any_used(self) -> bool:
        """Whether some process uses some environment. Call it while :meth:`deciding`."""
        return any(self._is_held(path.stem) for path in self._folder.glob("of-*.lock"))

    def _is_held(self, name: str) -> bool:
        with self._file(name) as lock:
            return not _take(lock)

    @contextlib.contextmanager
    def _open(self, name: str) -> Iterator[None]:
        with self._file(name) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _file(self, name: str) -> IO[bytes]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return (self._folder / f"{name}.lock").open("ab")


def _take(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
