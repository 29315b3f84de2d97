"""What every command starts from. Heavy modules are imported when first used, so that ``--help`` is instant."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.archives import KeptArchives
    from emulator.events import Emit, Event
    from emulator.model import Project
    from emulator.spaces.opening import Load
    from emulator.spaces.spaces import Spaces
    from emulator.workspace import Workspace


@dataclass(kw_only=True)
class Context:
    """
    The global options of one run.

    Attributes:
        file: ``--file``.
        overrides: Settings given as flags, by dotted key.
        space: The project's space that the command is about; None for the project's own environments.
    """

    file: Path | None
    overrides: dict[str, Any] = field(default_factory=dict)
    space: str | None = None

    def workspace(
        self,
        *,
        needs_template: bool = False,
        pulls: bool = False,
        expected: Sequence[str] = (),
        is_quiet: bool = False,
        emit: Emit | None = None,
        kept: KeptArchives | None = None,
    ) -> Workspace:
        """
        The project of this folder with everything that acts on it.

        Args:
            needs_template: Whether the command may build; the others work without a template.
            pulls: Whether the command may pull images.
            expected: Environments that the command creates, see :func:`emulator.config.load_project`.
            is_quiet: Whether it says nothing of its progress.
            emit: What its progress goes to instead of the terminal.
            kept: Archives of earlier builds in this process.

        Raises:
            ConfigError: There is no project file, or it is wrong.
        """
        from emulator.config import isolate_process, scrubbed_environ
        from emulator.drivers.containers import TOKEN
        from emulator.opening import open_workspace
        from emulator.render import Progress

        environ = isolate_process()
        load = self._load(environ, needs_template=needs_template, expected=expected)
        if self.space is None:
            project = load()
        else:
            from emulator.spaces.opening import load_space

            project = load_space(load, self.space)
        if emit is None:
            emit = _say_nothing if is_quiet else Progress([environment.name for environment in project.environments])
        return open_workspace(
            project,
            environ=scrubbed_environ(environ),
            emit=emit,
            pulls=pulls,
            token=environ.get(TOKEN),
            kept=kept,
        )

    def _load(self, environ: Mapping[str, str], *, needs_template: bool, expected: Sequence[str] = ()) -> Load:
        from emulator.config import load_project

        def load(*, home: Path | None = None, settings: Mapping[str, object] = {}) -> Project:
            return load_project(
                file=self.file,
                environ=environ,
                cwd=Path.cwd(),
                overrides={**self.overrides, **settings},
                needs_template=needs_template,
                expected=expected,
                home=home,
            )

        return load

    def spaces(self, *, needs_template: bool = False) -> Spaces:
        """
        The spaces of this folder's project.

        Args:
            needs_template: See :meth:`workspace`.

        Raises:
            ConfigError: There is no project file, or it is wrong.
        """
        from emulator.config import scrubbed_environ
        from emulator.drivers.containers import TOKEN
        from emulator.opening import open_workspace
        from emulator.spaces.spaces import Spaces

        before = self.caller_environ()
        workspace = self.workspace(needs_template=needs_template)
        open_ = functools.partial(
            open_workspace,
            environ=scrubbed_environ(before),
            token=before.get(TOKEN),
            cancellation=workspace.cancellation,
        )
        load = self._load(before, needs_template=needs_template)
        return Spaces(workspace=workspace, load=load, open_=open_)

    def project(self) -> Project | None:
        """
        The project of this folder, for commands that do without one; None when nothing names one and there is none.

        Raises:
            ConfigError: It is wrong.
        """
        from emulator.config import load_project
        from emulator.errors import ConfigError
        from emulator.project_file import find_project_file

        environ = self.caller_environ()
        if not self.file and not environ.get("MULTISTACK_FILE"):
            try:
                find_project_file(Path.cwd())
            except ConfigError:
                return None
        return load_project(
            file=self.file, environ=environ, cwd=Path.cwd(), overrides=self.overrides, needs_template=False
        )

    def lab_folder(self) -> Path:
        """Where the lab of this folder's project is, or would be; without a project, that of the folder itself."""
        from emulator.errors import ConfigError
        from emulator.lab.project import lab_folder
        from emulator.project_file import find_project_file

        named = self.file or self.caller_environ().get("MULTISTACK_FILE")
        if named:
            return lab_folder((Path.cwd() / named).parent)
        try:
            return lab_folder(find_project_file(Path.cwd()).parent)
        except ConfigError:
            return lab_folder(Path.cwd())

    def allow_remote(self) -> bool:
        """
        The setting ``allow_remote``, for commands that do without a project: by then flag and variable decide.

        Raises:
            ConfigError: The value is neither true nor false.
        """
        from emulator.errors import ConfigError
        from emulator.overrides import read_allow_remote

        with contextlib.suppress(ConfigError):  # whoever needs the project says what is wrong with it
            if (project := self.project()) is not None:
                return project.allow_remote
        return read_allow_remote(self.caller_environ(), self.overrides)

    def caller_environ(self) -> Mapping[str, str]:
        """The variables this command was started with."""
        from emulator.config import process_environ

        return process_environ()


def _say_nothing(_event: Event) -> None:
    """The progress of a command that only looks."""
