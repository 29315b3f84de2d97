"""Puts spaces to sleep that nobody asks, and removes those whose time is over."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from emulator.model import Space

# Seconds between two looks.
_LOOK = 5.0
# And after a command that failed.
_PAUSE = 60.0
# And that whoever removes a space may take; after that their command was cut, and is finished here.
_REMOVED = 30.0

_log = logging.getLogger(__name__)

# Runs multistack with arguments, and returns its exit code.
Run = Callable[[Sequence[str]], int]


def due(
    spaces: Mapping[str, Space], idle: Mapping[str, float], now: datetime, *, ending: Mapping[str, float]
) -> list[list[str]]:
    """
    The commands that are due, as their arguments.

    Args:
        idle: Space to the seconds since its last request, or since it was started.
        ending: Space to the seconds since it was first seen to be removed.
    """
    commands = []
    is_stuck = any(seconds >= _REMOVED for seconds in ending.values())
    if is_stuck or any(_is_over(space, now) and not space.is_ending for space in spaces.values()):
        commands.append(["space", "destroy", "--expired"])
    tired = [
        name
        for name, space in spaces.items()
        if _may_sleep(space, now) and space.idle is not None and idle.get(name, 0.0) >= space.idle.total_seconds()
    ]
    return [*commands, *([["space", "sleep", "--wakeable", *tired]] if tired else [])]


def _may_sleep(space: Space, now: datetime) -> bool:
    return space.is_awake and not _is_over(space, now)


def _is_over(space: Space, now: datetime) -> bool:
    return space.expires is not None and space.expires <= now


class Caretaker:
    """
    Looks after the spaces of a project in a thread, as long as its proxy runs.

    Args:
        idle: Space to the seconds since its last request; one that was not asked yet is missing.
        clock: Seconds that only go forward.
    """

    def __init__(
        self,
        spaces: Callable[[], Mapping[str, Space]],
        idle: Callable[[], Mapping[str, float]],
        run: Run,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._spaces = spaces
        self._idle = idle
        self._run = run
        self._clock = clock
        self._now = now
        self._awake: dict[str, float] = {}
        self._ending: dict[str, float] = {}
        self._pause_until = 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="caretaker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End; a command that runs goes on."""
        self._closing.set()

    def look(self) -> None:
        """Run what is due now."""
        spaces, clock = self._spaces(), self._clock()
        awake = {name for name, space in spaces.items() if space.is_complete and not space.is_asleep}
        # One that was started by hand is as fresh as one that was asked just then.
        self._awake = {name: self._awake.get(name, clock) for name in awake}
        asked = self._idle()
        idle = {name: min(clock - since, asked.get(name, float("inf"))) for name, since in self._awake.items()}
        removed = [name for name, space in spaces.items() if space.is_ending]
        self._ending = {name: self._ending.get(name, clock) for name in removed}
        ending = {name: clock - since for name, since in self._ending.items()}
        if clock < self._pause_until:
            return
        for arguments in due(spaces, idle, self._now(), ending=ending):
            if self._run(arguments):  # whoever can't do it now can't do it in five seconds either
                self._pause_until = self._clock() + _PAUSE

    def _look_after(self) -> None:
        while not self._closing.wait(_LOOK):
            try:
                self.look()
            except Exception:  # of any kind: spaces have to be looked after in five seconds, too
                _log.exception("the spaces could not be looked after")
