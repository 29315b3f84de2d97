"""Stops what tests left running: kept on purpose, or by a machine that went down."""

from __future__ import annotations

from emulator.errors import MultistackError
from emulator.events import Event
from emulator.lock import exclusive
from emulator.model import STATE_FOLDER
from emulator.testing.keeper.opening import HOME, SHARED, Options, open_for_tests
from emulator.testing.keeper.users import Users
from emulator.workspace import Workspace


def stop_left(workspace: Workspace) -> dict[str, bool | MultistackError]:
    """
    Stop the environments that only tests use, and their proxy; those that a running suite uses go on.

    Returns:
        Per environment whether it ran, or why it can't be stopped; empty where there are none.
    """
    project = workspace.project
    if not (project.state / HOME / STATE_FOLDER / SHARED).is_dir():
        return {}
    left = open_for_tests(Options(file=project.file), environ=workspace.environ, cwd=project.root)
    users = Users(left.project.state / SHARED)
    with users.deciding():
        if users.is_any_used():
            workspace.emit(Event(None, "note:", "environments of tests go on running: tests use them"))
            return {}
        with exclusive(left.project.state, "down", emit=workspace.emit):
            left.front.stop()
            results = left.lifecycle.down(left.project.environments)
    return {f"{name} of tests": result for name, result in results.items()}
