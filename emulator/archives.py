"""Archives of a service's code, and which of them can be taken from the build before."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.model import Artifact

if TYPE_CHECKING:
    from emulator.frameworks.kept import KeptPackages

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
    """
    What archives were made of, so that a service of many functions is not read whole for a line in one of them.

    Attributes:
        packages: What tools of frameworks made.
        awaited: The environment for which all this is built; others may be left to a later build.
    """

    def __init__(self, packages: KeptPackages | None = None, *, awaited: str | None = None) -> None:
        self._made: dict[Place, tuple[str, Archive]] = {}
        self.packages = packages
        self.awaited = awaited

    def find(self, place: Place, stamp: str) -> Archive | None:
        """The archive of *place*, if it was made of files with this *stamp* and is still there."""
        before, archive = self._made.get(place, ("", None))
        return archive if archive is not None and stamp and before == stamp and archive.path.exists() else None

    def keep(self, place: Place, stamp: str, archive: Archive) -> None:
        """Remember an archive that was just made."""
        self._made[place] = (stamp, archive)

    def move(self, artifact: Artifact, of_code: Mapping[Path, Archive]) -> None:
        """
        *artifact* has the archives of its build; where they were made is removed.

        Args:
            of_code: A path of code to its archive.
        """
        stored = {code.sha256: code.path for code in artifact.code}
        self._made = {
            place: (stamp, replace(archive, path=stored[archive.sha256]))
            for place, (stamp, archive) in self._made.items()
            if archive.sha256 in stored
        }
        if self.packages is not None:
            self.packages.settle({path: stored[archive.sha256] for path, archive in of_code.items()})


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
