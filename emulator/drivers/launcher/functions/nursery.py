"""
Zygotes: one process for each interpreter that has imported boto3, and forks the processes of functions.

Importing boto3 is most of a small function's cold start. A fork has it already, and shares the memory of it with all
other forks. Only a function that could not tell the difference is forked: one that brings no module of a name which
the zygote has loaded, and sets no variable that an interpreter or its loader reads at its start.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from emulator.drivers.launcher.functions.processes import Forked, Started

_BOOTSTRAP = Path(__file__).with_name("multistack_runtime") / "__main__.py"
# -s and -S: nothing of this machine's site-packages. Not -I: a function's own PYTHON… variables count, as on AWS.
OPTIONS = ("-s", "-S", "-X", "no_debug_ranges")
_READ_AT_START = ("PYTHON", "LD_", "MALLOC_", "GLIBC_")
_MOST_BYTES = 256 * 1024


def command(program: Path, role: str, *arguments: object, options: Sequence[str] = ()) -> list[str]:
    """The command line of a process that runs our part of the function's side; *options* are more of Python's own."""
    return [str(program), *OPTIONS, *options, str(_BOOTSTRAP), role, *map(str, arguments)]


class Zygote:
    """
    A running one.

    Args:
        environ: Of the zygote itself; a fork gets variables of its own.
    """

    def __init__(self, program: Path, *, sdk: Path, environ: Mapping[str, str], folder: Path) -> None:
        self._stream, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            child = subprocess.Popen(
                command(program, "zygote", theirs.fileno(), sdk),
                env=dict(environ),
                cwd=folder,
                umask=0o022,  # not the emulator's own, which keeps its state from others
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
        self._process = Started(child)
        self._lock = threading.Lock()
        self._modules: frozenset[str] | None = None
        self._forks: list[Forked] = []
        self.last_used = time.monotonic()

    def modules(self, *, timeout: float) -> frozenset[str] | None:
        """The top-level modules it has loaded, once it is ready; None if it isn't in time, or has died."""
        deadline = time.monotonic() + timeout
        if self._modules is None and self._lock.acquire(timeout=timeout):  # another who waits may use the time up
            try:
                left = max(0.0, deadline - time.monotonic())
                if self._modules is None and select.select([self._stream], [], [], left)[0]:
                    with contextlib.suppress(OSError, ValueError):
                        self._modules = frozenset(json.loads(self._stream.recv(_MOST_BYTES)))
            finally:
                self._lock.release()
        return self._modules

    @property
    def has_failed(self) -> bool:
        """Whether it ended before it was ready, e.g. because boto3 does not run on this version any more."""
        return self._modules is None and self._process.poll() is not None

    def fork(self, variables: Mapping[str, str], folder: Path, *, control: int, log: int) -> Forked:
        """
        A new process with *variables* in *folder*.

        Raises:
            OSError: The zygote is gone.
        """
        self.last_used = time.monotonic()
        fate, theirs = os.pipe()
        try:
            request = json.dumps({"variables": dict(variables), "folder": str(folder)}).encode()
            socket.send_fds(self._stream, [request], [control, log, theirs])
        except OSError:
            os.close(fate)
            raise
        finally:
            os.close(theirs)
        pid = _read_line(fate)
        if not pid:
            os.close(fate)
            raise ChildProcessError("the zygote ended")
        fork = Forked(int(pid), fate)
        with self._lock:
            self._forks = [*(one for one in self._forks if one.is_needed), fork]
        return fork

    def is_idle(self, seconds: float) -> bool:
        """Whether nothing that it forked runs, and nobody wanted it for so long."""
        return time.monotonic() - self.last_used >= seconds and not any(one.is_needed for one in self._forks)

    def end(self) -> None:
        """End it, and what it forked: nobody else would notice how that ends."""
        self._stream.close()
        self._process.end()


def _read_line(fd: int) -> bytes:
    """Up to the line end, and not a byte more: the exit status may be right behind it."""
    line = b""
    while (character := os.read(fd, 1)) not in (b"", b"\n"):
        line += character
    return line


class Nursery:
    """
    The zygotes of one emulator, started when first wanted and ended when idle.

    Args:
        environ: Of the zygotes.
        folder: Where they work.
    """

    def __init__(self, *, sdk: Path, environ: Mapping[str, str], folder: Path) -> None:
        self._sdk, self._environ, self._folder = sdk, environ, folder
        self._lock = threading.Lock()
        self._zygotes: dict[Path, Zygote] = {}
        self._hopeless: set[Path] = set()

    def warm(self, program: Path) -> Zygote | None:
        """Start the zygote of *program*, if it can have one, and don't wait for it."""
        with self._lock:
            if program in self._hopeless:
                return None
            found = self._zygotes.get(program)
            if found is None:
                found = Zygote(program, sdk=self._sdk, environ=self._environ, folder=self._folder)
                self._zygotes[program] = found
            found.last_used = time.monotonic()
            return found

    def drop(self, zygote: Zygote) -> None:
        """Forget one that does not work; one that never did is not tried again."""
        with self._lock:
            if zygote.has_failed:
                self._hopeless |= {program for program, one in self._zygotes.items() if one is zygote}
            self._zygotes = {program: one for program, one in self._zygotes.items() if one is not zygote}
        zygote.end()

    def end_idle(self, seconds: float) -> None:
        """End those that nobody wanted for so long."""
        with self._lock:
            idle = [one for one in self._zygotes.values() if one.is_idle(seconds)]
        for zygote in idle:
            self.drop(zygote)


def is_forkable(variables: Mapping[str, str], own: Iterable[Path], loaded: frozenset[str]) -> bool:
    """
    Whether a function would notice that it was forked.

    Args:
        variables: The function's own, not AWS's.
        own: The folders in which its modules are searched before the standard library.
        loaded: What the zygote has imported.
    """
    if any(name.startswith(_READ_AT_START) for name in variables):
        return False
    names = {entry.name.partition(".")[0] for folder in own if folder.is_dir() for entry in folder.iterdir()}
    return not names & loaded
