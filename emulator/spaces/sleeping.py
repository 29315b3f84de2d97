"""Puts spaces to sleep: their emulators end and keep their state, and the first request starts them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emulator.errors import MultistackError
from emulator.events import Emit, Event
from emulator.lock import exclusive
from emulator.model import Project
from emulator.parallel import failed_of, raise_first, run_parallel
from emulator.space_list import changed, read_spaces, write_spaces
from emulator.spaces.opening import find_space
from emulator.spaces.spaces import Spaces

_WIDTH = 4


def put_to_sleep(spaces: Spaces, names: Sequence[str]) -> Mapping[str, bool | MultistackError]:
    """
    Stop the emulators of spaces, and let the first request wake them.

    Returns:
        Per space whether anything of it ran, or why it can't be stopped.
    """
    return run_parallel(list(names), lambda name: _sleep(spaces, name), spaces.workspace.cancellation, width=_WIDTH)


def _sleep(spaces: Spaces, name: str) -> bool:
    found = spaces.open(find_space(spaces.listed(), name))
    with exclusive(found.project.state, "space sleep", emit=spaces.workspace.emit):
        # First, so that a request that comes meanwhile wakes it when this is over.
        spaces.change("space sleep", name, is_asleep=True)
        results = found.lifecycle.down([*found.project.environments, *found.drivers.leftovers()])
        found.publish()
        if failed_of(results):
            spaces.change("space sleep", name, is_asleep=False)
            raise_first(results)
    did = any(result is True for result in results.values())
    spaces.workspace.emit(Event(name, "sleeps", "" if did else "already"))
    return did


def woken(project: Project, emit: Emit) -> None:
    """Note that the space that *project* is runs again; nothing for any other project."""
    space, outer = project.space, project.within
    if space is None or outer is None or not space.is_asleep:
        return
    with exclusive(outer.state, "up", emit=emit):
        spaces = read_spaces(outer.state)
        if space.name in spaces:
            write_spaces(outer.state, changed(spaces, space.name, is_asleep=False))
