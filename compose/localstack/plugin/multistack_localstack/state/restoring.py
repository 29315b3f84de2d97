"""The state that LocalStack starts from, and what it lost by that."""

from __future__ import annotations

import contextlib
import gc
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from multistack_localstack.state import pickling
from multistack_localstack.state.checkpoint import BrokenCheckpoint, Checkpoint, ForeignCheckpoint
from multistack_localstack.state.folder import Found, StateFolder
from multistack_localstack.state.services import Services

_log = logging.getLogger("multistack.state")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """
    What a start began with.

    Attributes:
        summary: In one line: which checkpoint, or that there was none.
        loss: In one line: what could not be restored; empty if nothing was lost.
        number: Of the newest checkpoint there is, or 0.
        took: Seconds of processor time by the name of what was restored.
        is_clean: Whether what no checkpoint refers to is of no use to anybody.
    """

    summary: str
    loss: str = ""
    number: int = 0
    took: Mapping[str, float] = field(default_factory=dict)
    is_clean: bool = True


def restore(folder: StateFolder, services: Services, *, emulator: str) -> Restored:
    """
    Give *services* the newest state in *folder* that can be read; their hooks are not called yet.

    Args:
        emulator: Name and version of this LocalStack.

    Raises:
        ForeignCheckpoint: Another emulator or a later version wrote it: nothing else may take its place.
    """
    began = time.monotonic()
    found = _newest(folder, emulator)
    failed, took = _load(found.checkpoint, services) if found.checkpoint else ([], {})
    there = folder.numbered()
    loss = _lost(found)
    if found.broken:
        folder.put_aside(there[: len(found.broken)])
    if failed:
        loss = "; ".join(filter(None, [loss, f"it started without the state of {', '.join(failed)}: see its log"]))
        _keep(folder, found.number)
    number = there[0].number if there else 0
    if found.checkpoint is None:
        summary = "nothing: no checkpoint was whole" if found.broken else "nothing: there was no state"
        return Restored(summary=summary, loss=loss, number=number, is_clean=not found.broken)
    at, seconds = found.checkpoint.header.at, time.monotonic() - began
    summary = f"checkpoint {found.number} of {at:%Y-%m-%d %H:%M:%S} UTC in {seconds:.2f} s"
    return Restored(summary=summary, loss=loss, number=number, took=took)


def _newest(folder: StateFolder, emulator: str) -> Found:
    broken: list[str] = []
    for numbered, read in folder.candidates():
        if isinstance(read, BrokenCheckpoint):
            broken.append(str(read))
            continue
        if _family(read.header.emulator) != _family(emulator):
            raise ForeignCheckpoint(f"{numbered.path} is of {read.header.emulator}, this is {emulator}")
        return Found(checkpoint=read, number=numbered.number, broken=tuple(broken))
    return Found(broken=tuple(broken))


def _family(emulator: str) -> str:
    """E.g. ``localstack 4.14``: what saved states have in common."""
    return emulator.rpartition(".")[0]


def _load(checkpoint: Checkpoint, services: Services) -> tuple[list[str], dict[str, float]]:
    """Load all segments; returns the names of those that can't be, and how many seconds of processor time each took."""
    wanted = dict.fromkeys(name for segment in checkpoint.contents.segments for name in segment.services)
    for name in services.require(wanted):
        _log.error("the state of %s can't be restored without it", name)
    groups = {group.name: group for group in services.groups()}
    failed, took = [], {}
    with _no_collection():
        for segment in checkpoint.contents.segments:
            began = time.thread_time()
            try:
                groups[segment.name].load(pickling.loads(checkpoint.unpack(segment.name)))
            except Exception:  # of any kind: the other services start with what they had
                _log.exception("the state of %s can't be restored", segment.name)
                failed.append(segment.name)
            took[segment.name] = time.thread_time() - began
    return failed, took


def _keep(folder: StateFolder, number: int) -> None:
    """A checkpoint of which something could not be restored stays under a name that is never removed for newer ones."""
    path: Any = folder.path_of(number)
    with contextlib.suppress(OSError):
        path.with_suffix(".broken").hardlink_to(path)


def _lost(found: Found) -> str:
    if not found.broken:
        return ""
    if found.checkpoint is None:
        return f"it started empty: no checkpoint was whole: {found.broken[0]}"
    at = found.checkpoint.header.at
    return (
        f"it started from its checkpoint of {at:%Y-%m-%d %H:%M:%S} UTC, "
        f"what was written after is lost: {found.broken[0]}"
    )


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """
    Let the collector of cycles neither run meanwhile nor ever look at what is there afterwards.

    It looks at all objects again and again while so many are made, which is most of the time; and each look writes to
    them, so that a forked copy no longer shares their memory.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
