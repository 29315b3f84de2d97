"""Archives of a service's code, and which of them can be taken from the build before."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from emulator.model import Artifact

# Seconds; no file system that is edited on tells times less apart.
_TICK = 0.05


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip, and how many bytes its files have."""

    path: Path
    sha256: str
    unzipped: int


# The code's path, and how it is built.
Place = tuple[Path, str | None]


class KeptArchives:
    """What archives were made of, so that a service of many functions is not read whole for a line in one of them."""

    def __init__(self) -> None:
        self._made: dict[Place, tuple[str, Archive]] = {}

    def find(self, place: Place, stamp: str) -> Archive | None:
        """The archive of *place*, if it was made of files with this *stamp* and is still there."""
        before, archive = self._made.get(place, ("", None))
        return archive if archive is not None and stamp and before == stamp and archive.path.exists() else None

    def keep(self, place: Place, stamp: str, archive: Archive) -> None:
        """Remember an archive that was just made."""
        self._made[place] = (stamp, archive)

    def move(self, artifact: Artifact) -> None:
        """*artifact* has the archives of its build; where they were made is removed."""
        stored = {code.sha256: code.path for code in artifact.code}
        self._made = {
            place: (stamp, replace(archive, path=stored[archive.sha256]))
            for place, (stamp, archive) in self._made.items()
            if archive.sha256 in stored
        }


def stamp_of(contents: Mapping[str, Path], *, now: Callable[[], float] = time.time) -> str:
    """
    Changes with what is in *contents*, as far as the file system tells without reading them.

    Empty where it can't tell: the next change of a file that was saved a moment ago may get the same time.
    """
    digest, newest = hashlib.sha256(), 0.0
    for name in sorted(contents):
        status = contents[name].stat()
        newest = max(newest, status.st_mtime)
        digest.update(f"{name}\0{status.st_mtime_ns} {status.st_size} {status.st_mode} {status.st_ino}\0".encode())
    return digest.hexdigest() if now() - newest > _TICK else ""
