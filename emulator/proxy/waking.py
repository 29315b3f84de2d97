"""Sleeping spaces: the first request has one started, and those that come meanwhile wait for it."""

from __future__ import annotations

import logging
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from emulator.dashboard.jobs import Command
from emulator.drivers.engine import VARIABLES
from emulator.model import Route
from emulator.proxy.problems import Problem

# Seconds: that a request waits, between two looks, and until a command that failed is tried again.
_MOST_WAIT = 30.0
_LOOK = 0.05
_PAUSE = 10.0
# Requests that may wait, for one space and for all: each of them holds a thread of the proxy's 64.
_MOST_HELD = 8
_MOST_HELD_IN_ALL = 40
# The exit code of a command that names what isn't there.
_NO_SUCH = 2

_log = logging.getLogger(__name__)

# Starts a space, in it the environment of the second name first if there is one, and returns the exit code in the end.
Start = Callable[[str, str], int]


class Waker:
    """
    Starts spaces.

    Args:
        start: None where no command can be run.
        clock: Seconds that only go forward.
        pause: Sleeps for so many seconds.
    """

    def __init__(
        self,
        start: Start | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._start = start
        self._clock = clock
        self._pause = pause
        self._lock = threading.Lock()
        self._starting: set[str] = set()
        self._failed: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def wake(self, name: str, environment: str, *, is_awake: Callable[[], bool]) -> None:
        """
        Start space *name*, *environment* first, unless that is under way, and wait until *is_awake*.

        Raises:
            Problem: 503, it isn't after 30 s, or can't be started, or too many wait for it already.
        """
        with self._holding(name):
            self._begin(name, environment)
            deadline = self._clock() + _MOST_WAIT
            while not is_awake():
                if self._clock() >= deadline:
                    raise _asleep(name, f"space {name} is being started, and not there yet", wait=5)
                if name not in self._starting:
                    if is_awake():  # it became so after the look, and before the command's end
                        return
                    raise _failed(name) if name in self._failed else _without_it(name)
                self._pause(_LOOK)

    @contextmanager
    def _holding(self, name: str) -> Iterator[None]:
        with self._lock:
            if self._held.get(name, 0) >= _MOST_HELD or sum(self._held.values()) >= _MOST_HELD_IN_ALL:
                raise _asleep(name, f"space {name} is being started, and many wait for it already", wait=2)
            self._held[name] = self._held.get(name, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._held[name] -= 1
                if not self._held[name]:
                    del self._held[name]

    def _begin(self, name: str, environment: str) -> None:
        start = self._start
        if start is None:
            raise _asleep(name, f"space {name} sleeps, and this proxy runs no commands", wait=60)
        with self._lock:
            if name in self._starting:
                return
            if self._failed.get(name, float("-inf")) + _PAUSE > self._clock():
                raise _failed(name)
            self._starting.add(name)
        arguments = (start, name, environment)
        threading.Thread(target=self._run, args=arguments, name=f"wake {name}", daemon=True).start()

    def _run(self, start: Start, name: str, environment: str) -> None:
        has_failed = True
        try:
            has_failed = start(name, environment) != 0
        except OSError as error:
            _log.warning("space %s can't be started: %s", name, error)
        finally:
            with self._lock:
                self._failed.pop(name, None)
                if has_failed:
                    self._failed[name] = self._clock()
                self._starting.discard(name)


def finding(command: Command, routes: Iterable[Route]) -> Command:
    """*command* with the variables by which whoever published *routes* found their cluster."""
    asked_with = next((dict(route.asked_with) for route in routes if route.asked_with), {})
    if not asked_with:
        return command

    def environ() -> Mapping[str, str]:
        return {name: value for name, value in command.environ().items() if name not in VARIABLES} | asked_with

    return replace(command, environ=environ)


def running_by(
    command: Command, routes_of: Callable[[str], Iterable[Route]] = lambda _space: ()
) -> Callable[[Sequence[str]], int]:
    """
    Runs multistack with arguments, and returns its exit code; what one that fails said is in the proxy's log.

    Args:
        routes_of: Those of the space that ``--space`` names, or of the project itself.
    """

    def run(arguments: Sequence[str]) -> int:
        space = arguments[1] if arguments[0] == "--space" else ""
        # A file and no pipe: it goes on when the proxy that started it is replaced.
        with tempfile.TemporaryFile() as said:
            process = finding(command, routes_of(space)).start(arguments, stdout=said, stderr=subprocess.STDOUT)
            code = process.wait()
            if code:
                said.seek(0)
                lines = said.read().decode(errors="replace").splitlines()
                _log.warning("`multistack %s` ended with %d: %s", " ".join(arguments), code, " | ".join(lines[-5:]))
        return code

    return run


def starting_by(run: Callable[[Sequence[str]], int]) -> Start:
    """Starts spaces as a person would: ``multistack --space NAME up --first ENVIRONMENT``."""

    def start(space: str, first: str) -> int:
        up = ["--space", space, "up"]
        code = run([*up, "--first", first]) if first else _NO_SUCH
        # One that is in the routes still, and in the project file no more, must not keep the others asleep.
        return run(up) if code == _NO_SUCH else code

    return start


def _failed(name: str) -> Problem:
    return _asleep(name, f"space {name} could not be started; the proxy's log says why", wait=int(_PAUSE))


def _without_it(name: str) -> Problem:
    return _asleep(name, f"space {name} was started, and this environment isn't there", wait=int(_PAUSE))


def _asleep(name: str, detail: str, *, wait: int) -> Problem:
    problem = Problem(
        503,
        "asleep",
        "Space not awake",
        detail,
        next_command=f"multistack --space {name} up",
        extra={"space": name},
    )
    problem.headers.append(("Retry-After", str(wait)))
    return problem
