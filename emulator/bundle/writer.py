"""Writes a bundle: aside first, in its place only when it is whole."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from emulator.bundle.manifest import FOLDER, MANIFEST, Manifest, Member, to_json
from emulator.bundle.reader import open_bundle
from emulator.errors import ArtifactError, ConfigError, MultistackError, file_hint

_CHUNK = 1024 * 1024
PLAIN, PROGRAM = 0o644, 0o755


class Writer:
    """
    A bundle that is being written, member after member.

    Members are written as they come, also those whose length nobody knows before: their headers are filled in
    afterwards. The manifest comes last, so that a file that was cut has none.

    Args:
        mtime: Seconds since the epoch, for all members.
    """

    def __init__(self, file: BinaryIO, *, mtime: int) -> None:
        self._file = file
        self._mtime = mtime
        self.members: dict[str, Member] = {}

    def add(self, name: str, data: bytes, *, mode: int = PLAIN) -> Member:
        """Write *data* as the member *name*."""
        return self.add_stream(name, [data], mode=mode)

    def add_file(self, name: str, path: Path, *, mode: int = PLAIN) -> Member:
        """
        Copy a file.

        Raises:
            ArtifactError: It can't be read.
        """
        try:
            with path.open("rb") as file:
                return self.add_stream(name, iter(lambda: file.read(_CHUNK), b""), mode=mode)
        except OSError as error:
            raise ArtifactError(f"can't read {path}: {error.strerror}", hint=file_hint(error)) from error

    def add_stream(self, name: str, chunks: Iterable[bytes], *, mode: int = PLAIN) -> Member:
        """Write what *chunks* give."""
        if name in self.members:
            raise ConfigError(f"two files of the bundle would be called {name}", hint="rename one of them")
        self.members[name] = self._add(name, chunks, mode=mode)
        return self.members[name]

    def _add(self, name: str, chunks: Iterable[bytes], *, mode: int) -> Member:
        start, size, digest = self._file.tell(), 0, hashlib.sha256()
        self._write(bytes(tarfile.BLOCKSIZE * self._header_blocks(name)))
        for chunk in chunks:
            self._write(chunk)
            digest.update(chunk)
            size += len(chunk)
        self._write(bytes(-size % tarfile.BLOCKSIZE))
        end = self._file.tell()
        self._file.seek(start)
        self._write(self._header(name, size=size, mode=mode))
        self._file.seek(end)
        return Member(size=size, sha256=digest.hexdigest())

    def finish(self, manifest: Manifest) -> None:
        """Write *manifest* and the end of the archive, and see it on the disk."""
        self._add(MANIFEST, [to_json(manifest)], mode=PLAIN)
        self._write(bytes(2 * tarfile.BLOCKSIZE))
        with _writing():
            self._file.flush()
            os.fsync(self._file.fileno())

    def _header(self, name: str, *, size: int, mode: int) -> bytes:
        info = tarfile.TarInfo(f"{FOLDER}/{name}")
        info.size, info.mode, info.mtime = size, mode, self._mtime
        return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")

    def _header_blocks(self, name: str) -> int:
        """A long name takes further blocks; a size never does in GNU's format."""
        return len(self._header(name, size=0, mode=PLAIN)) // tarfile.BLOCKSIZE

    def _write(self, data: bytes) -> None:
        with _writing():
            self._file.write(data)


class _CantWrite(MultistackError):
    """The bundle's own file can't be written; its name is added by whoever knows it."""


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _CantWrite(str(error.strerror or error), hint=file_hint(error)) from error


@contextlib.contextmanager
def replacing(path: Path, *, mtime: int) -> Iterator[Writer]:
    """
    A writer whose bundle takes the place of *path* when all went well; else nothing is left.

    Raises:
        ConfigError: *path* is something else than a bundle.
        MultistackError: It can't be written, or another command is writing it.
    """
    _refuse_others(path)
    aside = aside_of(path)
    try:
        descriptor = os.open(aside, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise MultistackError(f"can't write {path}: {error.strerror}", hint=file_hint(error)) from error
    with io.FileIO(descriptor, "r+") as raw, io.BufferedRandom(raw) as file:
        _take_alone(descriptor, aside, path)
        try:
            os.ftruncate(descriptor, 0)  # what a killed command left
            yield Writer(file, mtime=mtime)
            aside.replace(path)
        except BaseException as error:
            with contextlib.suppress(OSError):
                aside.unlink()
            if isinstance(error, _CantWrite):
                raise MultistackError(f"can't write {path}: {error.message}", hint=error.hint) from error
            raise


def aside_of(path: Path) -> Path:
    """Where the bundle *path* is while it is written."""
    return path.with_name(f".{path.name}.part")


def _take_alone(descriptor: int, aside: Path, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Another command may have put it in its place since it was opened here.
        is_ours = os.path.samestat(os.fstat(descriptor), aside.stat())
    except OSError:
        is_ours = False
    if not is_ours:
        raise MultistackError(f"another command is writing {path}", hint="wait for it")


def _refuse_others(path: Path) -> None:
    if path.is_dir():
        raise ConfigError(f"{path} is a folder", hint=f"name a file in it, e.g. {path / 'workshop.tar'}")
    if not path.exists():
        return
    try:
        open_bundle(path).close()
    except MultistackError as error:
        raise ConfigError(
            f"{path} is there and no bundle: it won't be overwritten", hint="remove it, or take another name"
        ) from error
