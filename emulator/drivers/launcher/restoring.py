"""The state that an emulator starts from, and what it lost by that."""

from __future__ import annotations

import contextlib
from pathlib import Path

from emulator.drivers import saved_state
from emulator.drivers.launcher import persistence

_BROKEN = ".broken"


def restore(state: Path, services: persistence.ServiceStates) -> str:
    """
    Give *services* the newest state that can be read.

    Returns:
        What was lost, in one line; empty if nothing was.

    Raises:
        MultistackError: A later multistack or MiniStack wrote it.
    """
    found = saved_state.newest(state)
    failed = services.restore(found.payload) if found.payload is not None else []
    saved_state.remove(state, ".*")  # of copies of the process that were killed while they wrote
    if not found.broken and not failed:
        return ""
    saved_state.remove(state, f"*{_BROKEN}")
    there = [path for _, path in saved_state.numbered(state)]
    broken, whole = there[: len(found.broken)], there[len(found.broken) :]
    lost = _lost(found, broken[0], _put_aside(broken)) if broken else ""
    if not failed:
        return lost
    for path in whole[:1]:
        with contextlib.suppress(OSError):
            path.with_suffix(_BROKEN).hardlink_to(path)
    empty = f"it started without the state of {', '.join(failed)}, which can't be restored: see its log"
    return "; ".join(filter(None, [lost, empty]))


def _put_aside(broken: list[Path]) -> Path:
    """
    Keep the newest of the *broken* ones under another name, where it lies then.

    Not among those that are kept, so that no later checkpoint takes its place, nor a later one gets its name.
    """
    newest, *older = broken
    aside = newest.with_suffix(_BROKEN)
    for path in older:
        with contextlib.suppress(OSError):
            path.unlink()
    try:
        return newest.rename(aside)
    except OSError:
        return newest


def _lost(found: saved_state.Found, before: Path, kept: Path) -> str:
    """In words for who reads ``status``; *kept* is what the newest broken one, *before*, is called by now."""
    if found.header is None:
        return (
            "it started empty: its data is lost, its release is deployed again; "
            f"no checkpoint was whole ({kept.name} is the newest)"
        )
    reason = found.broken[0].replace(str(before), str(kept))
    return (
        f"it started from its checkpoint of {found.header.at:%Y-%m-%d %H:%M} UTC, "
        f"what was written after is lost: {reason}"
    )
