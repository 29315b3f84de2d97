"""What a project is made of, as far as it is known before it is built."""

from __future__ import annotations

import contextlib
from pathlib import Path

from emulator.errors import ConfigError
from emulator.frameworks.registry import reader_of
from emulator.model import Project
from emulator.watching.folders import folders_to_watch


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
