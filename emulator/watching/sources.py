"""What a project is made of, as far as it is known before it is built."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from emulator.errors import ConfigError
from emulator.frameworks.kept import Stamp
from emulator.frameworks.registry import reader_of
from emulator.model import Project
from emulator.project_file import FILE_NAME
from emulator.watching.folders import folders_to_watch, installed_in, is_watched


class Sources:
    """
    The files and folders of a service that is being edited.

    Attributes:
        project: As it was last read.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: tuple[Path, ...] = (project.template,)

    def folders(self) -> frozenset[Path]:
        """The folders to watch now; while its file can't be read, also what it named before."""
        with contextlib.suppress(ConfigError):
            self._known = tuple(reader_of(self.project.template).sources(self.project.template))
        return folders_to_watch(self._known, self.project.root)

    def files(self) -> Mapping[Path, Stamp]:
        """What a framework's tool may read: all files in these folders, and which packages are installed there."""
        found: dict[Path, Stamp] = {}
        for folder in self.folders():
            with contextlib.suppress(OSError), os.scandir(folder) as entries:  # it went this very moment
                found |= {path: stamp for one in entries if (stamp := _stamp(path := Path(one.path)))}
            found |= {path: stamp for path in installed_in(folder) if (stamp := _stamp(path, is_code=False))}
        return found


def _stamp(path: Path, *, is_code: bool = True) -> Stamp | None:
    """None if *path* is of no interest, or went."""
    try:
        status = path.stat()
    except OSError:
        return None
    if is_code and (not path.is_file() or not is_watched(path) or path.name == FILE_NAME or is_own_output(path)):
        return None
    return (status.st_mode, status.st_mtime_ns, status.st_size, status.st_ino)


def is_own_output(path: Path) -> bool:
    """Whether this process writes it: each line that it says would be a change."""
    with contextlib.suppress(OSError):
        return any(os.path.samestat(path.stat(), os.fstat(fd)) for fd in (1, 2))
    return False
