"""The state of a container as a tar file in its environment's folder, where it is while there is no container."""

from __future__ import annotations

import contextlib
import errno
import os
import tarfile
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from emulator import checkpoint
from emulator.process import write_atomically

_FILE = "container.tar"
_LOG = "container.log"
_CHECKPOINT = "checkpoint"
# Says that the engine is worth asking for this environment, whatever its driver is now.
_MARK = "container"
# Says that a new volume does not hold yet what it is to hold: nothing may start from it, or be kept of it.
_FILLING = "container.filling"
# Says that a command began to stop it: until that is done it may answer, but takes no more requests.
_STOPPING = "container.stopping"
# The user of our image. Source: compose/localstack/Dockerfile.
_OWNER = 1000
# Two blocks of zeros. Source: POSIX, pax, "ustar Interchange Format".
_END = bytes(1024)


class KeptState:
    """
    What one environment's folder holds of its container.

    Args:
        folder: See :meth:`emulator.model.Project.environment_state`; it need not be there yet.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / _FILE
        self._root = folder.parents[2]

    def begin(self) -> None:
        """Say that there will be a container; raises OSError when that can't be written."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self._folder / _MARK, str(self._root).encode())
        (self._folder / _STOPPING).unlink(missing_ok=True)

    def end(self) -> None:
        """Say that the container is gone, and all its state here."""
        self.filled()
        (self._folder / _STOPPING).unlink(missing_ok=True)
        (self._folder / _MARK).unlink(missing_ok=True)

    @property
    def has_begun(self) -> bool:
        """Whether there may be a container. A copy of a project's folder has none of the original's."""
        return self._begun_at is not None

    @property
    def home(self) -> Path:
        """The folder that the project was in when the container was made: it names all that is in the engine."""
        return self._begun_at or self._root

    @property
    def _begun_at(self) -> Path | None:
        try:
            root = Path((self._folder / _MARK).read_text())
        except FileNotFoundError:
            return None
        is_copy = root != self._root and (root / self._folder.relative_to(self._root) / _MARK).exists()
        return None if is_copy else root

    def filling(self) -> None:
        """Say that a new volume is about to be filled; raises OSError when that can't be written."""
        (self._folder / _FILLING).touch()

    def filled(self) -> None:
        """Say that the volume holds all that it is to start from."""
        (self._folder / _FILLING).unlink(missing_ok=True)

    @property
    def is_filling(self) -> bool:
        """Whether a command was killed after :meth:`filling`: what is in the volume is nothing, or half."""
        return (self._folder / _FILLING).exists()

    def stopping(self) -> None:
        """Say that its container is about to be stopped; raises OSError when that can't be written."""
        (self._folder / _STOPPING).touch()

    @property
    def is_stopping(self) -> bool:
        """Whether a command is between :meth:`stopping` and :meth:`end`, or was killed there."""
        return (self._folder / _STOPPING).exists()

    def keep(self, chunks: Iterable[bytes]) -> None:
        """
        Replace what is kept by *chunks* of a tar, in one step.

        Raises:
            OSError: It can't be written, or came only in part; what was kept stays.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = self._folder / f".{_FILE}"
        try:
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            if not _is_whole(aside):
                raise OSError(errno.EIO, "the engine sent only a part of it")
            aside.replace(self._file)
        except BaseException:
            with contextlib.suppress(OSError):
                aside.unlink()
            raise

    def read(self) -> bytes | None:
        """The tar; None when nothing is kept."""
        try:
            return self._file.read_bytes()
        except FileNotFoundError:
            return None

    @property
    def at(self) -> datetime | None:
        """When it was kept; None when nothing is."""
        try:
            return datetime.fromtimestamp(self._file.stat().st_mtime, UTC)
        except FileNotFoundError:
            return None

    def forget(self) -> None:
        """Remove it."""
        self._file.unlink(missing_ok=True)

    def keep_log(self, said: bytes) -> None:
        """Replace the log of the last container; raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self._folder / _LOG, said)

    def read_log(self) -> bytes:
        """What the last container had said."""
        try:
            return (self._folder / _LOG).read_bytes()
        except OSError:
            return b""

    def for_container(self) -> IO[bytes] | None:
        """
        It as a tar whose files are those of the container's user; None when nothing is kept.

        Raises:
            OSError: It can't be read.
            tarfile.TarError: It is no tar, or a cut one.
        """
        if not self._file.exists():
            return None
        if not _is_whole(self._file):
            raise tarfile.ReadError("it was cut")
        with tarfile.open(self._file) as source:
            result = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
            with tarfile.open(fileobj=result, mode="w") as target:
                for member in source:
                    member.uid = member.gid = _OWNER
                    member.uname = member.gname = ""
                    target.addfile(member, source.extractfile(member) if member.isfile() else None)
        result.seek(0)
        return result

    def load(self, saved: Path) -> None:
        """Keep what is in the saved state *saved*; raises as :func:`emulator.checkpoint.read`, and OSError."""
        _, payload = checkpoint.read(saved / _CHECKPOINT)
        self.keep([payload])


def _is_whole(path: Path) -> bool:
    """Whether *path* ends as a tar does; an engine that fails midway just sends no more, and tarfile doesn't mind."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_END)))
        return file.read() == _END


def fill_copy(aside: Path, header: checkpoint.Header, payload: bytes) -> None:
    """What a saved state consists of."""
    checkpoint.write(aside / _CHECKPOINT, header, payload)


def homes(environments: Path) -> set[Path]:
    """Where the project was when containers were made of environments whose folders are in *environments*."""
    found = [KeptState(mark.parent) for mark in environments.glob(f"*/{_MARK}")]
    return {kept.home for kept in found if kept.has_begun}
