"""Files that steps keep for later ones."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from emulator.pipelines.globs import holds


class KeptFiles:
    """
    Files by name of artifact, in a folder of the run.

    What is behind a link is not copied: state folders are links, and every step has them anyway.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[str, Path] = {}
        self._lock = threading.Lock()

    def names(self) -> Sequence[str]:
        """Of all artifacts."""
        with self._lock:
            return tuple(self._places)

    def keep(self, name: str, patterns: Sequence[str], copy: Path, *, is_rerooted: bool = False) -> int:
        """
        Keep what *patterns* mean in *copy*, and say how many files and linked folders that is.

        Args:
            is_rerooted: Where a single path is named, names begin below it, as GitHub has it.
        """
        with self._lock:
            place = self._places[name] = self._folder / str(len(self._places))
        base, count = copy, 0
        if is_rerooted and len(patterns) == 1 and not set("*?{") & set(patterns[0]):
            base = copy / patterns[0]
            base = base if base.is_dir() else base.parent
        for path in _entries(copy):
            if any(holds(pattern, path.relative_to(copy).as_posix()) for pattern in patterns):
                count += 1
                if not path.is_dir():
                    _copy(path, place / path.relative_to(base if path.is_relative_to(base) else copy))
        return count

    def put(self, names: Iterable[str], target: Path) -> None:
        """Copy what is kept under *names* to *target*; nothing is kept under a name that no step has used."""
        for name in names:
            place = self._places.get(name)
            for path in _entries(place) if place is not None and place.is_dir() else ():
                _copy(path, target / path.relative_to(place or path))


def _entries(folder: Path) -> Iterator[Path]:
    """Files, and links whatever they lead to."""
    for where, folders, names in os.walk(folder):
        if Path(where) == folder and ".git" in folders:
            folders.remove(".git")
        links = [name for name in folders if Path(where, name).is_symlink()]
        yield from (Path(where, name) for name in sorted([*links, *names]))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink() or target.is_file():
        target.unlink()
    shutil.copy2(source, target, follow_symlinks=False)
