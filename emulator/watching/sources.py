"""What a project is made of, as far as it is known before it is built."""

from __future__ import annotations

from pathlib import Path

from emulator.errors import ConfigError
from emulator.model import Project
from emulator.template import local_code, read_template
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
        """The folders to watch now; while its template can't be read, also what it named before."""
        try:
            template = self.project.template
            self._known = (template, *(one.path for one in local_code(read_template(template), template.parent)))
        except ConfigError:
            pass
        return folders_to_watch(self._known, self.project.root)
