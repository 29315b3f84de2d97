"""Commands that the page started: child processes whose output is kept while they run, and for a while after."""

from __future__ import annotations

import contextlib
import enum
import itertools
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from emulator.dashboard.actions import Order
from emulator.process import LABEL
from emulator.proxy.problems import Problem

_KEPT = 50
_BLOCK = 64 * 1024
_MOST_RUNNING = 8
_MOST_LINES = 1_000
_MOST_LINE = 1_000
# Seconds between two looks at what a command said.
_LOOK = 0.1
_LOCK_PID = re.compile(rb"\(pid ([0-9]+)\)")


class JobState(enum.Enum):
    """How far a job is."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """
    An action under way, or what became of it.

    Attributes:
        commands: As a person would type them.
        exit_code: Of the last command that ran; None while one does.
        lines: How many lines they said so far.
        output: What they said, in lines; the first ones are dropped when it is too long.
    """

    id: int
    action: str
    environment: str
    commands: Sequence[str]
    state: JobState
    started: datetime
    ended: datetime | None = None
    exit_code: int | None = None
    lines: int = 0
    output: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """
    How ``multistack`` is run for this project.

    Attributes:
        program: The interpreter with what makes it multistack.
        file: The project file.
        environ: Tells the variables that the project is to be read with.
    """

    program: Sequence[str]
    file: Path
    environ: Callable[[], Mapping[str, str]]

    def start(
        self,
        arguments: Sequence[str],
        *,
        stdout: int | IO[bytes] = subprocess.PIPE,
        stderr: int,
        ends_with_proxy: bool = False,
    ) -> subprocess.Popen[bytes]:
        """
        Run it in a session of its own.

        Args:
            ends_with_proxy: It bears the mark of the proxy's own processes, which end with it, however that ends. What
                replaces the proxy, or starts emulators, must not.
        """
        environ = {name: value for name, value in self.environ().items() if name != LABEL or ends_with_proxy}
        environ["PYTHONUNBUFFERED"] = "1"  # a line is seen when it is said
        return subprocess.Popen(
            [*self.program, "--file", str(self.file), *arguments],
            cwd=self.file.parent,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )


class _Running:
    """One job while it runs; its own lock guards nothing but what a reader copies."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.lines: deque[str] = deque(maxlen=_MOST_LINES)
        self.count = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.is_cancelled = False


class _Lines:
    """The lines that others write into a file, each once."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._at = 0
        self._rest = b""

    def new(self, *, is_last: bool = False) -> Iterator[str]:
        """Those since the last call; the last one too that has no end yet, if nothing more will come."""
        while part := os.pread(self._file, _BLOCK, self._at):
            self._at += len(part)
            *lines, self._rest = (self._rest + part).split(b"\n")
            yield from map(_shown, lines)
            self._rest = self._rest[:_MOST_LINE]
        if is_last and self._rest:
            yield _shown(self._rest)


def _shown(line: bytes) -> str:
    return line[:_MOST_LINE].decode(errors="replace").rstrip("\r")


class Jobs:
    """
    Starts jobs and remembers the last ones.

    Args:
        command: None when there is no project to run commands on.
        on_change: Called after each change of a job, from any thread.
        lock: The file that names whichever command changes the project.
    """

    def __init__(self, command: Command | None, *, on_change: Callable[[Job], None], lock: Path) -> None:
        self._command = command
        self._on_change = on_change
        self._lock_file = lock
        self._guard = threading.Lock()
        self._numbers = itertools.count(1)
        self._jobs: dict[int, _Running] = {}
        self._is_closed = False

    @property
    def are_possible(self) -> bool:
        """Whether there is a project to run commands on."""
        return self._command is not None

    def start(self, order: Order) -> Job:
        """
        Begin an action.

        Raises:
            Problem: 409, there is no project here, or too much runs already.
        """
        command = self._command
        if command is None:
            raise no_project()
        with self._guard:
            busy = [one for one in self._jobs.values() if one.job.state is JobState.RUNNING]
            same = [one for one in busy if one.job.environment == order.environment]
            if same or len(busy) >= _MOST_RUNNING:
                what = f"job {(same or busy)[0].job.id} ({(same or busy)[0].job.action}) still runs"
                raise Problem(409, "busy", "Something else runs", what, environment=order.environment)
            job = Job(
                id=next(self._numbers),
                action=order.action.name,
                environment=order.environment,
                commands=[shlex.join(["multistack", *arguments]) for arguments in order.commands],
                state=JobState.RUNNING,
                started=datetime.now(UTC),
            )
            running = self._jobs[job.id] = _Running(job)
            for number in [one for one in self._jobs if one <= job.id - _KEPT]:
                if self._jobs[number].job.state is not JobState.RUNNING:
                    del self._jobs[number]
        threading.Thread(target=self._run, args=(running, order, command), name=f"job {job.id}", daemon=True).start()
        self._on_change(job)
        return job

    def all(self) -> list[Job]:
        """The last jobs, the latest first, without their output."""
        with self._guard:
            return [replace(running.job, lines=running.count) for running in reversed(self._jobs.values())]

    def get(self, number: int) -> Job:
        """
        One job with what it said so far.

        Raises:
            Problem: 404, there is no such job, or not any more.
        """
        running = self._find(number)
        with self._guard:
            return replace(running.job, lines=running.count, output=tuple(running.lines))

    def cancel(self, number: int) -> Job:
        """Ask a job to stop, as Ctrl-C does; one that has ended stays as it is."""
        running = self._find(number)
        self._interrupt(running)
        return self.get(number)

    def close(self) -> None:
        """Stop what waits for its turn; a command that changes the project now is left to finish."""
        self._is_closed = True
        holder = self._holder()
        with self._guard:
            left = [one for one in self._jobs.values() if one.job.state is JobState.RUNNING]
        for running in left:
            if running.process is None or running.process.pid != holder:
                self._interrupt(running)

    def _holder(self) -> int | None:
        """The process of the command that changes the project, or that did so last."""
        try:
            match = _LOCK_PID.search(self._lock_file.read_bytes())
        except OSError:
            return None
        return int(match[1]) if match else None

    def _find(self, number: int) -> _Running:
        with self._guard:
            running = self._jobs.get(number)
        if running is None:
            raise Problem(404, "unknown-job", "Unknown job", f"there is no job {number}, or not any more")
        return running

    def _interrupt(self, running: _Running) -> None:
        with self._guard:
            running.is_cancelled = True
            if running.process is not None and running.process.poll() is None:
                running.process.send_signal(signal.SIGINT)

    def _run(self, running: _Running, order: Order, command: Command) -> None:
        code: int | None = 0
        for arguments in order.commands:
            if running.is_cancelled or self._is_closed:
                running.is_cancelled = True  # what was left of it is not done
                break
            self._say(running, f"$ multistack {shlex.join(arguments)}")
            try:
                code = self._run_one(running, arguments, command)
            except OSError as error:
                self._say(running, f"error: it can't be started: {error.strerror or error}")
                code = None
            if code not in order.action.codes:
                break
        state = JobState.SUCCEEDED if code in order.action.codes else JobState.FAILED
        if running.is_cancelled:
            state = JobState.CANCELLED
        with self._guard:
            running.job = replace(running.job, state=state, ended=datetime.now(UTC), exit_code=code)
        self._on_change(self.get(running.job.id))

    def _run_one(self, running: _Running, arguments: Sequence[str], command: Command) -> int:
        """Run one command to its end; returns its exit code."""
        # A file and no pipe: a command goes on, and may speak, when it has replaced the proxy that started it.
        with tempfile.TemporaryFile() as said:
            with self._guard:
                process = running.process = command.start(arguments, stdout=said, stderr=subprocess.STDOUT)
                if running.is_cancelled or self._is_closed:
                    running.is_cancelled = True
                    process.send_signal(signal.SIGINT)
            output = _Lines(said.fileno())
            while process.poll() is None:
                for line in output.new():
                    self._say(running, line)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK)
            for line in output.new(is_last=True):
                self._say(running, line)
        return process.returncode

    def _say(self, running: _Running, line: str) -> None:
        with self._guard:
            running.lines.append(line)
            running.count += 1
        self._on_change(running.job)


def no_project() -> Problem:
    """What a proxy says that was given no project: it can show, and not act."""
    detail = "whoever reaches this proxy needs no password, so its pages are for reading; use the command line"
    return Problem(409, "no-project", "For reading only", detail)


def own_command(file: Path) -> Command:
    """This very multistack on the project of *file*, with the variables of this process."""
    return Command(program=(sys.executable, "-m", "emulator"), file=file, environ=_environ)


def _environ() -> Mapping[str, str]:
    from emulator.config import process_environ  # late: the proxy needs no settings itself

    return process_environ()
