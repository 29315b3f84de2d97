"""The spaces of one project, and how each is opened."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from emulator.events import Emit, Event
from emulator.lock import exclusive
from emulator.model import SEPARATOR, Project, Space
from emulator.space_list import changed, read_spaces
from emulator.spaces.opening import Load, as_project
from emulator.store.opening import publish_spaces
from emulator.workspace import Workspace


class Open(Protocol):
    """Puts the workspace of a project together; see :func:`emulator.opening.open_workspace`."""

    def __call__(self, project: Project, *, emit: Emit) -> Workspace: ...


@dataclass(frozen=True, kw_only=True)
class Spaces:
    """
    The spaces of a project.

    Attributes:
        workspace: Of the project itself.
        turn: Whose it is to change the list.
    """

    workspace: Workspace
    load: Load
    open_: Open
    turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def project(self) -> Project:
        """The project itself."""
        return self.workspace.project

    def listed(self) -> Mapping[str, Space]:
        """All of them, by name."""
        return read_spaces(self.project.state)

    def project_of(self, space: Space) -> Project:
        """A space as the project that it is."""
        return as_project(self.load, self.project, space)

    def open(self, space: Space, emit: Emit | None = None) -> Workspace:
        """The workspace of a space, whose progress nobody sees but *emit*."""
        return self.open_(self.project_of(space), emit=emit or _say_nothing)

    def telling(self, name: str) -> Emit:
        """Tells of the environments of space *name* among others: each by both names."""

        def tell(event: Event) -> None:
            full = f"{name}{SEPARATOR}{event.environment}" if event.environment else name
            self.workspace.emit(replace(event, environment=full))

        return tell

    @contextlib.contextmanager
    def changing(self, command: str) -> Iterator[Callable[[Mapping[str, Space]], None]]:
        """Change the list: alone, by calling what is yielded with the new one."""
        # Threads of one command in turn, so that none of them tells that it waits for itself.
        with self.turn, exclusive(self.project.state, command, emit=self.workspace.emit):
            yield lambda spaces: publish_spaces(self.project, spaces)

    def change(self, command: str, name: str, **fields: object) -> Space | None:
        """Set *fields* of space *name* on the list; None when it is there no more."""
        with self.changing(command) as write:
            spaces = self.listed()
            if name not in spaces:
                return None
            spaces = changed(spaces, name, **fields)
            write(spaces)
            return spaces[name]


def _say_nothing(_event: Event) -> None:
    """What single environments do is too much where there are many spaces."""
