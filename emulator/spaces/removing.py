"""Removes spaces, asked for or expired, and leaves nothing of them on this machine."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Collection, Mapping, Set
from datetime import datetime
from pathlib import Path

from emulator.errors import MultistackError
from emulator.events import Event
from emulator.model import STATE_FOLDER, Space
from emulator.parallel import failed_of, raise_first, run_parallel
from emulator.space_list import changed, home_of
from emulator.spaces.spaces import Spaces
from emulator.spans import show_span

# At a time: each of them asks its emulators for a last checkpoint.
_WIDTH = 4
_TRIES = 5


def due(listed: Mapping[str, Space], now: datetime) -> Mapping[str, str]:
    """Which spaces are to be removed, and why."""
    causes = {}
    for name, space in listed.items():
        if space.is_ending:
            causes[name] = "its removal had been interrupted"
        elif space.expires is not None and space.expires <= now:
            causes[name] = f"it expired {show_span(now - space.expires)} ago"
    return causes


def remove(
    spaces: Spaces, names: Collection[str], *, expired: datetime | None = None
) -> Mapping[str, bool | MultistackError]:
    """
    Stop what runs of spaces and forget all that they hold; a cut removal is gone on with by the next.

    Args:
        names: Those that are asked for.
        expired: Now, where those go as well whose time is over, or whose removal was cut; of these it is told why.

    Returns:
        Per space True, or why it can't be removed.
    """
    with spaces.changing("space destroy") as write:
        listed = spaces.listed()
        # Here, and no sooner: others may be faster, and somebody may have extended one just now.
        found = {**(due(listed, expired) if expired else {}), **dict.fromkeys(names, "")}
        causes = {name: cause for name, cause in found.items() if name in listed}
        for name in causes:
            listed = changed(listed, name, is_ending=True)
        write(listed)  # first: from now on nobody is sent there, and no command begins there

    def erase(name: str) -> bool:
        _erase(spaces, listed[name])
        spaces.workspace.emit(Event(name, "removed", causes[name] and f"because {causes[name]}"))
        return True

    results = run_parallel(list(causes), erase, spaces.workspace.cancellation, width=_WIDTH)
    _forget(spaces, {name for name in causes if name not in failed_of(results)})
    return results


def _erase(spaces: Spaces, space: Space) -> None:
    home = home_of(spaces.project.state, space.name)
    if not home.exists():
        return
    found = spaces.open(space)
    # A `create` that still goes on with it holds this lock, and ends with its next environment.
    with found.stopping("space destroy", emit=spaces.workspace.emit):
        if not _is_still(spaces, space):
            return
        environments = [*found.project.environments, *found.drivers.leftovers()]
        raise_first(found.lifecycle.down(environments))
        for environment in environments:
            found.history.check_turn()
            found.drivers.of(environment).erase(environment)
        _remove(home)


def _is_still(spaces: Spaces, space: Space) -> bool:
    """Whether the very space is still to be removed: another command may have done so, and made one of that name."""
    now = spaces.listed().get(space.name)
    return now is not None and now.is_ending and (now.number, now.at) == (space.number, space.at)


def _remove(home: Path) -> None:
    """Remove a folder that commands, which wait or look, may put a file into at this very moment."""
    for _ in range(_TRIES):
        shutil.rmtree(home, ignore_errors=True)
        if not home.exists():
            return
    shutil.rmtree(home)


def clear(home: Path) -> None:
    """Remove the folder of a space that is on no list where a command left its lock there, and nothing else."""
    if home.exists() and not (home / STATE_FOLDER / "environments").exists():
        shutil.rmtree(home, ignore_errors=True)


def _forget(spaces: Spaces, names: Set[str]) -> None:
    with spaces.changing("space destroy") as write:
        left = {name: space for name, space in spaces.listed().items() if name not in names or not space.is_ending}
        write(left)
        for name in names - left.keys():
            clear(home_of(spaces.project.state, name))
        with contextlib.suppress(OSError):  # it holds others, or was never made
            home_of(spaces.project.state, "").rmdir()
