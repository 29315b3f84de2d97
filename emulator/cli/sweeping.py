"""What commands that start environments do first: remove those whose time is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.workspace import Workspace


def swept(workspace: Workspace, command: str, *, reopen: Callable[[], Workspace]) -> Workspace:
    """
    The project without expired environments; one that can't be removed is told, and keeps nobody from working.

    Args:
        reopen: Loads the project again, when something was removed.
    """
    from emulator.errors import MultistackError
    from emulator.events import Event
    from emulator.features.removing import sweep

    results = sweep(workspace, command=command, now=workspace.now())
    for name, result in results.items():
        if isinstance(result, MultistackError):
            workspace.emit(Event(name, "can't be removed:", result.message))
    return reopen() if any(result is True for result in results.values()) else workspace
