"""
What a project's own proxy and its replicas tell each other by the store.

The machine of the project knows which spaces sleep, how long nobody asked them, and who joined: what happens at a proxy
elsewhere counts there as well.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.errors import MultistackError, NotReady
from emulator.lock import exclusive
from emulator.model import SEPARATOR
from emulator.proxy.waking import Start
from emulator.space_list import changed, read_spaces, write_spaces

if TYPE_CHECKING:
    from emulator.proxy.mirror import Mirror
    from emulator.store.changes import Change
    from emulator.store.published import Published
    from emulator.store.store import Store

# Seconds: between two looks at which spaces were asked, at whether one is awake, at a lock.
_TELL = 5.0
_LOOK = 0.1
_BUSY = 0.5
# And that a space may take to wake.
_WAKE = 60.0

_log = logging.getLogger(__name__)


def follow_as_replica(store: Store, project: str, mirror: Mirror, stop: threading.Event) -> None:
    """Keep *mirror* up to date until *stop*."""
    from emulator.store.changes import What, follow

    for change in follow(store, project, stop):
        if change.what is What.AWAY:
            _log.warning("%s; requests go on with what is known", change.reason)
        else:
            mirror.take(change, stop)


def tell_uses(published: Published, counts: Callable[[], Mapping[str, int]], stop: threading.Event) -> None:
    """
    Tell the project's machine which spaces were asked here, until *stop*.

    Args:
        counts: Space to its requests so far.
    """
    from emulator.store.changes import What

    before = counts()
    while not stop.wait(_TELL):
        now = counts()
        try:
            for name in (one for one, count in now.items() if count > before.get(one, 0)):
                published.tell(What.USED.value, name)
        except MultistackError:
            continue  # with the next look; the log tells already that the store is away
        before = now


def waking_elsewhere(published: Published, is_awake: Callable[[str], bool]) -> Start:
    """Has the project's machine start a space, and waits until it has."""
    from emulator.store.changes import What

    def start(name: str, environment: str) -> int:
        until, tell_at = time.monotonic() + _WAKE, 0.0
        while (now := time.monotonic()) < until:
            if is_awake(name):
                return 0
            if now >= tell_at:  # more than once: nobody may have listened just then
                tell_at = now + _TELL
                try:
                    published.tell(What.WAKE.value, f"{name}{SEPARATOR}{environment}")
                except MultistackError as error:
                    _log.warning("space %s can't be woken: %s", name, error.message)
                    return 1
            time.sleep(_LOOK)
        _log.warning("space %s did not wake: does the project's own proxy run?", name)
        return 1

    return start


class Listener:
    """
    What the project's own proxy does when replicas tell something.

    Args:
        state: The project's state folder.
        note_use: Called with a space that was asked elsewhere.
        start: Wakes a space; None where no command can be run.
    """

    def __init__(
        self, published: Published, state: Path, *, note_use: Callable[[str], None], start: Start | None
    ) -> None:
        self._published = published
        self._state = state
        self._note_use = note_use
        self._start = start
        self._waking: set[str] = set()
        self._joins_are_due = threading.Event()
        self._lock = threading.Lock()

    def follow(self, store: Store, project: str, stop: threading.Event) -> None:
        """Listen until *stop*."""
        from emulator.store.changes import What, follow

        threading.Thread(target=self._note_joins, args=(stop,), name="joins elsewhere", daemon=True).start()
        for change in follow(store, project, stop):
            if change.what is What.AWAY:
                _log.warning("%s; what replicas tell is not heard", change.reason)
            try:
                self._take(change)
            except (MultistackError, OSError, ValueError) as error:
                _log.warning("what a replica told can't be kept: %s", error)

    def _note_joins(self, stop: threading.Event) -> None:
        """In a thread of its own: it waits as long as a command changes the project; spaces are to wake meanwhile."""
        while not stop.is_set():
            if not self._joins_are_due.wait(_LOOK):
                continue
            self._joins_are_due.clear()
            try:
                self.take_joins(stop)
            except (MultistackError, OSError, ValueError) as error:
                _log.warning("who joined elsewhere can't be noted: %s", error)

    def _take(self, change: Change) -> None:
        from emulator.store.changes import What

        if change.what in {What.ALL, What.SPACES}:
            self._joins_are_due.set()
        elif change.what is What.USED:
            self._note_use(change.space)
        elif change.what is What.WAKE and self._start is not None:
            self._wake(self._start, change.space, change.environment)

    def take_joins(self, stop: threading.Event) -> None:
        """Note in the project's list who joined elsewhere."""
        while (names := self._joined_elsewhere()) and not stop.is_set():
            try:
                with exclusive(self._state, "space join", emit=lambda _event: None, wait=False):
                    spaces = read_spaces(self._state)
                    for name in self._joined_elsewhere():
                        spaces = changed(spaces, name, is_joined=True)
                    write_spaces(self._state, spaces)
                return
            except NotReady:
                _log.debug("who joined %s is noted later", ", ".join(names))
            stop.wait(_BUSY)

    def _joined_elsewhere(self) -> list[str]:
        there, here = self._published.spaces(), read_spaces(self._state)
        return [
            name
            for name, space in here.items()
            if not space.is_joined
            and (known := there.get(name)) is not None
            and known.is_joined
            and (known.number, known.at, known.generation) == (space.number, space.at, space.generation)
        ]

    def _wake(self, start: Start, name: str, environment: str) -> None:
        space = read_spaces(self._state).get(name)
        if space is None or not space.is_asleep:
            return
        with self._lock:
            if name in self._waking:
                return
            self._waking.add(name)
        threading.Thread(target=self._run, args=(start, name, environment), name=f"wake {name}", daemon=True).start()

    def _run(self, start: Start, name: str, environment: str) -> None:
        try:
            start(name, environment)
        except OSError as error:
            _log.warning("space %s can't be started: %s", name, error)
        finally:
            with self._lock:
                self._waking.discard(name)
