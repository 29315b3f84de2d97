"""Reads a bundle, as the file it is or unpacked, and believes nothing before it was held against the manifest."""

from __future__ import annotations

import contextlib
import hashlib
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from emulator.bundle.manifest import FOLDER, IMAGES, MANIFEST, WHEELS, BrokenBundle, Manifest, Member, parse
from emulator.bundle.meter import Meter
from emulator.errors import ArtifactError, ConfigError, file_hint
from emulator.events import Emit

_CHUNK = 1024 * 1024
# Some 200 bytes for each member; more is not ours.
_MOST_MANIFEST_BYTES = 16 * 1024 * 1024


class Bundle(ABC):
    """
    A bundle whose manifest was read.

    Attributes:
        path: The file, or the folder it was unpacked to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest: Manifest

    @abstractmethod
    def open(self, name: str) -> IO[bytes]:
        """A member's bytes; whoever reads them uses :func:`reading`."""

    @abstractmethod
    def names(self) -> set[str]:
        """The members that have to be as the manifest says."""

    def close(self) -> None:  # noqa: B027 (a folder needs none)
        """Let go of the file."""

    def verify(self, emit: Emit) -> None:
        """
        Read every member and hold it against the manifest.

        Raises:
            BrokenBundle: One is missing, was changed or cut, or there is one too many.
        """
        manifest, there = self.manifest, self.names()
        if extra := sorted(there - manifest.members.keys()):
            raise BrokenBundle(f"bundle {self.path} is broken: its manifest doesn't know {extra[0]}")
        wanted = {name: member for name, member in manifest.members.items() if self.is_verified(name)}
        meter = Meter(emit, "verifying", str(self.path.name), sum(member.size for member in wanted.values()))
        for name, member in wanted.items():
            if name not in there:
                raise BrokenBundle(f"bundle {self.path} is broken: {name} is missing")
            with reading(self.path), self.open(name) as file:
                if _measure(file, meter) != member:
                    raise BrokenBundle(f"bundle {self.path} is broken: {name} is not as it was saved")

    def is_verified(self, name: str) -> bool:
        """Whether a member has to be as the manifest says."""
        return True


class _File(Bundle):
    """The bundle as one file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with reading(path):
            try:
                self._tar = tarfile.open(path, "r:")  # noqa: SIM115 (kept open until close)
            except tarfile.TarError as error:
                raise ArtifactError(f"{path} is no bundle of multistack") from error
        try:
            self._members = self._list()
            self.manifest = self._read_manifest()
        except BaseException:
            self._tar.close()
            raise

    def _list(self) -> dict[str, tarfile.TarInfo]:
        with reading(self.path):
            found: dict[str, tarfile.TarInfo] = {}
            try:
                for info in self._tar:
                    name = info.name.removeprefix(f"{FOLDER}/")
                    if name == info.name or not info.isreg() or name in found:
                        raise ArtifactError(f"{self.path} is no bundle of multistack: it holds {info.name}")
                    found[name] = info
            except tarfile.TarError as error:
                if not found:
                    raise ArtifactError(f"{self.path} is no bundle of multistack") from error
                raise self._cut() from error
        if MANIFEST not in found:
            raise self._cut() if found else ArtifactError(f"{self.path} is no bundle of multistack")
        return found

    def _cut(self) -> BrokenBundle:
        return BrokenBundle(f"bundle {self.path} is not whole: it was cut or changed")

    def _read_manifest(self) -> Manifest:
        with reading(self.path), self.open(MANIFEST) as file:
            return parse(file.read(_MOST_MANIFEST_BYTES), source=str(self.path))

    def open(self, name: str) -> IO[bytes]:
        found = self._tar.extractfile(self._members[name])
        if found is None:  # not for regular files, and all are
            raise BrokenBundle(f"bundle {self.path} is broken: {name} can't be read")
        return found

    def names(self) -> set[str]:
        return self._members.keys() - {MANIFEST}

    def close(self) -> None:
        self._tar.close()


class _Folder(Bundle):
    """The bundle unpacked: people work in that folder, so only what is installed or loaded must be as saved."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with reading(path):
            data = (path / MANIFEST).read_bytes()
        self.manifest = parse(data, source=str(path))
        if bad := [name for name in self.manifest.members if not _is_inside(name)]:
            raise BrokenBundle(f"bundle {path} is broken: its manifest names {bad[0]}")

    def open(self, name: str) -> IO[bytes]:
        return (self.path / name).open("rb")

    def names(self) -> set[str]:
        return {name for name in self.manifest.members if (self.path / name).is_file()}

    def is_verified(self, name: str) -> bool:
        return name.startswith((f"{WHEELS}/", f"{IMAGES}/"))


def open_bundle(path: Path) -> Bundle:
    """
    The bundle *path*, a file or the folder it was unpacked to; only its manifest is read.

    Raises:
        ArtifactError: It is none, was cut or changed, can't be read, or is of a later multistack.
        ConfigError: There is nothing of that name.
    """
    if path.is_dir():
        inner = path / FOLDER
        folder = inner if not (path / MANIFEST).exists() and inner.is_dir() else path
        if not (folder / MANIFEST).exists():
            raise ConfigError(f"{path} is no unpacked bundle: it has no {MANIFEST}", hint="name the bundle's file")
        return _Folder(folder)
    if not path.exists():
        raise ConfigError(f"there is no bundle {path}", hint="`multistack bundle save` writes one")
    if not path.is_file():
        raise ConfigError(f"{path} is no file", hint="name the bundle's file, or the folder it was unpacked to")
    return _File(path)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """
    For as long as something of the bundle *path* is read.

    Raises:
        ArtifactError: It can't be: a stick was pulled out, for one.
    """
    try:
        yield
    except OSError as error:
        hint = file_hint(error)
        raise ArtifactError(f"bundle {path} can't be read: {error.strerror or error}", hint=hint) from error


def _measure(file: IO[bytes], meter: Meter) -> Member:
    digest, size = hashlib.sha256(), 0
    for chunk in _chunks(file):
        digest.update(chunk)
        size += len(chunk)
        meter.add(len(chunk))
    return Member(size=size, sha256=digest.hexdigest())


def _chunks(file: IO[bytes]) -> Iterable[bytes]:
    try:
        while chunk := file.read(_CHUNK):
            yield chunk
    except tarfile.ReadError:  # the file ends before the member does
        return


def _is_inside(name: str) -> bool:
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts
