"""
Run ``multistack`` hundreds of times without importing it as often: every command is a fork of one process.

Each of them is a process as it would be, see :mod:`tests.command_server`; starting Python and importing what a command
imports would take most of the time of most of them. It is for whoever asks only for what a command says and does:
benchmarks, and tests that start, stop or look at the process itself, run the installed command.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

# Read when an interpreter starts.
_OF_PYTHON = re.compile(r"PYTHON|LC_|LANG(?!$)|LD_")
_LANG = "C.UTF-8"
_SERVER = Path(__file__).with_name("command_server.py")


class Forks:
    """Runs commands; the process that they are forks of starts with the first one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: tuple[subprocess.Popen[bytes], socket.socket] | None = None

    def run(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """
        What :func:`subprocess.run` does, with both outputs captured as text and nothing to read.

        Raises:
            subprocess.TimeoutExpired: It took more seconds than that, and was killed.
        """
        asked = {"command": list(command), "cwd": str(cwd), "environ": dict(env), "umask": _umask()}
        with contextlib.ExitStack() as ours:
            pipes = [os.pipe(), os.pipe()]
            outputs = [ours.enter_context(os.fdopen(read, "rb", buffering=0)) for read, _ in pipes]
            reply, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.enter_context(reply)
            files = [*(write for _, write in pipes), theirs.detach()]
            try:
                with self._lock:
                    socket.send_fds(self._control(), [json.dumps(asked).encode()], files)
            finally:
                for file in files:
                    os.close(file)
            pid = int(reply.recv(64))
            try:
                said = _read_all(outputs, timeout)
                reply.settimeout(timeout)
                code = int(reply.recv(64))
            except BaseException as error:
                os.kill(pid, signal.SIGKILL)
                reply.settimeout(None)
                reply.recv(64)
                if isinstance(error, TimeoutError):
                    raise subprocess.TimeoutExpired(list(command), timeout) from None
                raise
        return subprocess.CompletedProcess(list(command), code, *said)

    def close(self) -> None:
        """End the process that there are no more forks of."""
        if self._server is not None:
            server, control = self._server
            control.close()
            server.wait()

    def _control(self) -> socket.socket:
        if self._server is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                server = subprocess.Popen(
                    [sys.executable, str(_SERVER), str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env={"PATH": os.environ["PATH"], "LANG": _LANG},
                )
            self._server = server, ours
        return self._server[1]


def run_alone(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """The same as :meth:`Forks.run`, by a process that starts from nothing."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def can_fork(env: Mapping[str, str]) -> bool:
    """Whether a command with these variables is the same when its interpreter runs already; forking is for Linux."""
    return sys.platform == "linux" and env.get("LANG") == _LANG and not any(map(_OF_PYTHON.match, env))


_forks: Forks | None = None


def forks() -> Forks | None:
    """What runs commands now; None outside of :func:`forking`."""
    return _forks


@contextlib.contextmanager
def forking() -> Iterator[None]:
    """Let commands be forks."""
    global _forks  # noqa: PLW0603 (one for all tests of a process)
    _forks = Forks()
    with contextlib.closing(_forks):
        yield
    _forks = None


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Let commands be the installed one again: it comes half a second later, as a person's would."""
    global _forks  # noqa: PLW0603 (as above)
    before, _forks = _forks, None
    yield
    _forks = before


def _umask() -> int:
    """This process's, without setting it."""
    (mask,) = re.findall(r"^Umask:\s*(\d+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(mask, 8)


def _read_all(outputs: Sequence[object], timeout: float) -> list[str]:
    """Everything until nobody can write any more, which a process that was left behind could."""
    deadline = time.monotonic() + timeout
    said = {output: bytearray() for output in outputs}
    with selectors.DefaultSelector() as waiting:
        for output in outputs:
            waiting.register(output, selectors.EVENT_READ)  # type: ignore[arg-type]
        while waiting.get_map():
            ready = waiting.select(deadline - time.monotonic())
            if not ready and time.monotonic() >= deadline:
                raise TimeoutError
            for key, _ in ready:
                read = os.read(key.fd, 1 << 16)
                said[key.fileobj] += read
                if not read:
                    waiting.unregister(key.fileobj)
    return [text.decode().replace("\r\n", "\n").replace("\r", "\n") for text in said.values()]
