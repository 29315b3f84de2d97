"""Puts spaces to sleep: their emulators end and keep their state, and the first request starts them again."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Mapping, Sequence

from emulator.errors import ConfigError, MultistackError
from emulator.events import Emit, Event
from emulator.lifecycle import UpResult
from emulator.lock import exclusive
from emulator.model import Project
from emulator.parallel import failed_of, raise_first, run_parallel
from emulator.space_list import changed, read_spaces
from emulator.spaces.opening import find_space
from emulator.spaces.spaces import Spaces
from emulator.store.opening import publish_spaces

_WIDTH = 4


def put_to_sleep(
    spaces: Spaces, names: Sequence[str], *, only_wakeable: bool = False
) -> Mapping[str, bool | MultistackError]:
    """
    Stop the emulators of spaces, and let the first request wake them.

    Args:
        only_wakeable: Stop none that no request would wake, because it can't be noted that it sleeps.

    Returns:
        Per space whether anything of it ran, or why it can't be stopped.
    """
    return run_parallel(
        list(names),
        lambda name: _sleep(spaces, name, only_wakeable=only_wakeable),
        spaces.workspace.cancellation,
        width=_WIDTH,
    )


def _sleep(spaces: Spaces, name: str, *, only_wakeable: bool) -> bool:
    found = spaces.open(find_space(spaces.listed(), name))
    with found.stopping("space sleep", emit=spaces.workspace.emit):
        # First, so that a request that comes meanwhile wakes it when this is over.
        if not _note_asleep(spaces, name, must=only_wakeable):
            raise ConfigError(f"space {name} was removed meanwhile")
        results = found.lifecycle.down([*found.project.environments, *found.drivers.leftovers()])
        with contextlib.suppress(OSError, MultistackError):  # it is stopped all the same
            found.publish()
        if failed_of(results):
            with contextlib.suppress(OSError, MultistackError):  # what can't be stopped is what matters
                spaces.change("space sleep", name, is_asleep=False)
            raise_first(results)
    did = any(result is True for result in results.values())
    spaces.workspace.emit(Event(name, "sleeps", "" if did else "already"))
    return did


def _note_asleep(spaces: Spaces, name: str, *, must: bool) -> bool:
    """
    Whether it is still there.

    Unless it *must* be noted, it is stopped all the same on a full disk, and by a store that is away or refuses.
    """
    try:
        return spaces.change("space sleep", name, is_asleep=True) is not None
    except (OSError, MultistackError) as error:
        if must:
            raise
        spaces.workspace.emit(
            Event(name, "warning:", f"no request will wake it, `multistack space wake` does: {error}")
        )
        return True


def wake(spaces: Spaces, names: Sequence[str], *, width: int, timeout: float) -> Mapping[str, bool | MultistackError]:
    """
    Start what doesn't run of spaces, *width* at a time: those that sleep, and those that a reboot ended.

    Args:
        timeout: Seconds that an emulator may take to become healthy.

    Returns:
        Per space whether anything was to do, or why not all of it runs.
    """
    over = itertools.count(1)

    def start(name: str) -> bool:
        began, found = time.monotonic(), spaces.open(find_space(spaces.listed(), name))
        with found.changing("space wake"):
            results = found.lifecycle.up(found.project.environments, timeout=timeout)
            raise_first(results)
            woken(found.project, found.emit)
        spaces.workspace.emit(Event(name, "ready", f"{next(over)} of {len(names)}", time.monotonic() - began))
        return any(isinstance(result, UpResult) and bool(result.did) for result in results.values())

    return run_parallel(list(names), start, spaces.workspace.cancellation, width=width)


def woken(project: Project, emit: Emit) -> None:
    """Note that the space that *project* is runs again; nothing for any other project."""
    space, outer = project.space, project.within
    if space is None or outer is None:
        return
    listed = read_spaces(outer.state).get(space.name)  # it may have been put to sleep since this was loaded
    if listed is None or not listed.is_asleep:
        return
    with exclusive(outer.state, "up", emit=emit):
        spaces = read_spaces(outer.state)
        if space.name in spaces:
            publish_spaces(outer, changed(spaces, space.name, is_asleep=False))
