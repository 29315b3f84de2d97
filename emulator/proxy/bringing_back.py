"""Has environments looked for that their cluster moved, or that came back empty: their release, and their address."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from emulator.model import OWN_TOPOLOGY, SEPARATOR, Route, Space
from emulator.proxy.caretaking import Run
from emulator.proxy.space_table import SpaceTable
from emulator.proxy.whereabouts import Lost, Whereabouts

# Seconds between two looks.
_LOOK = 5.0
# How many in a row must say the same before anything is done: a deployment or a restart takes its time.
_LOOKS = 2
# Seconds from a command to the next one for the same environment: twice as many each time, as long as it doesn't help.
_PAUSE, _LONGEST = 5.0, 300.0
# Seconds that a command waits for the cluster; others on the same space wait for it meanwhile. What is lost for longer
# is only looked at, so that it keeps none of its siblings waiting.
_WAIT, _GLANCE = 45, 5
# Commands at a time: each of them loads a Docker client and deploys.
_WIDTH = 4

_log = logging.getLogger(__name__)

# The project's own environments, among those of its spaces.
OWN = ""


class BringingBack:
    """
    Looks at environments in a thread, as long as the proxy runs.

    A command that it runs neither starts nor restarts an emulator: that is the cluster's to do.

    Args:
        routes: The routes of each space that is awake, and under :data:`OWN` those of the project itself.
        run: Runs multistack; None where no command can be run, and lost environments are only told of.
        clock: Seconds that only go forward.
    """

    def __init__(
        self,
        routes: Callable[[], Mapping[str, Sequence[Route]]],
        whereabouts: Whereabouts,
        run: Run | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._routes = routes
        self._whereabouts = whereabouts
        self._run = run
        self._clock = clock
        self._slots = threading.Semaphore(_WIDTH)
        self._lock = threading.Lock()
        self._running: set[str] = set()
        # Environment to when the next command may be about it, and the pause that led to that.
        self._later: dict[str, tuple[float, float]] = {}
        self._told: set[str] = set()
        self._closing = threading.Event()

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._look_on, name="bringing back", daemon=True).start()

    def close(self) -> None:
        """End; a command that runs goes on."""
        self._closing.set()

    def look(self) -> list[threading.Thread]:
        """Look at all environments, and begin what is due now; returns the threads that do it."""
        by_space = self._routes()
        lost = self._whereabouts.look(route for routes in by_space.values() for route in routes)
        self._tell(lost)
        if self._run is None:
            return []
        with self._lock:
            self._later = {name: later for name, later in self._later.items() if name in lost}
        begun = []
        for space, routes in by_space.items():
            if theirs := self._begin(space, [lost[one.environment] for one in routes if one.environment in lost]):
                thread = threading.Thread(
                    target=self._bring_back, args=(self._run, space, theirs), name=f"bring back {space}", daemon=True
                )
                thread.start()
                begun.append(thread)
        return begun

    def _begin(self, space: str, lost: Sequence[Lost]) -> list[Route]:
        """Those of a space that are due now; none while a command is about others of it."""
        with self._lock:
            if space in self._running:
                return []
            now, never = self._clock(), (0.0, 0.0)
            sure = [one.route for one in lost if one.looks >= _LOOKS]
            due = [route for route in sure if self._later.get(route.environment, never)[0] <= now]
            if due:
                self._running.add(space)
            return due

    def _bring_back(self, run: Run, space: str, lost: Sequence[Route]) -> None:
        is_new = any(route.environment not in self._later for route in lost)
        try:
            with self._slots:
                run(arguments(space, lost, wait=_WAIT if is_new else _GLANCE))
        except OSError as error:
            _log.warning("environments that are lost can't be looked for: %s", error)
        finally:
            with self._lock:
                for route in lost:
                    pause = min(self._later.get(route.environment, (0.0, _PAUSE / 2))[1] * 2, _LONGEST)
                    self._later[route.environment] = (self._clock() + pause, pause)
                self._running.discard(space)
            self._whereabouts.look_again(self._routes().get(space, ()))

    def _tell(self, lost: Mapping[str, Lost]) -> None:
        """Once when it goes, once when it is back."""
        now = {name for name, one in lost.items() if one.looks >= _LOOKS}
        for name in sorted(now - self._told):
            _log.warning("environment %s is %s (%s)", name, lost[name].sight.value, lost[name].route.url)
        for name in sorted(self._told - lost.keys()):
            _log.warning("environment %s is back, or stopped", name)
        self._told = (self._told & lost.keys()) | now

    def _look_on(self) -> None:
        while not self._closing.wait(_LOOK):
            try:
                self.look()
            except Exception:  # of any kind: the next look may find what this one didn't
                _log.exception("environments could not be looked at")


def awake_routes(
    own: Mapping[str, Route], spaces: Mapping[str, Space], routes_of: Callable[[str], Mapping[str, Route]]
) -> Mapping[str, Sequence[Route]]:
    """Those that should lead somewhere, by their space."""
    theirs = {name: list(routes_of(name).values()) for name, space in spaces.items() if space.is_awake}
    return {OWN: [route for route in own.values() if route.topology == OWN_TOPOLOGY], **theirs}


def known_routes(own: Mapping[str, Route] | None, spaces: SpaceTable, space: str) -> Iterator[Route]:
    """Those of a space; for a command of the project's those of all its spaces, too, which it may be about."""
    if space == OWN:
        yield from (own or {}).values()
    for name in [space] if space != OWN else spaces.listed():
        yield from (spaces.routes(name) or {}).values()


def arguments(space: str, lost: Sequence[Route], *, wait: int) -> list[str]:
    """
    Of the command that looks for environments, whose routes call those of spaces by both names.

    Args:
        wait: Seconds for the cluster.
    """
    names = [route.environment.rpartition(SEPARATOR)[2] for route in lost]
    return [*(["--space", space] if space != OWN else []), "up", "--no-start", "--wait", str(wait), *names]
