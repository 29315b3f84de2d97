"""A function's process: leader of a group of its own, its log pipe, how it ended."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_MAX_READ = 256 * 1024
# Seconds that the kernel may take to end a killed process.
_END_TIMEOUT = 2.0


class Child:
    """
    A process with the pipe that it writes its log to.

    Attributes:
        fate: A file descriptor that turns readable when the process has ended.
        log: The reading end of its pipe.
        has_closed_log: Nothing can come from the pipe any more.
    """

    def __init__(self, pid: int, fate: int, log: int, *, reap: Callable[[], int]) -> None:
        """*reap* returns how the process ended, once it has."""
        self.pid = pid
        self.fate = fate
        self.log = log
        self._reap = reap
        self._status: int | None = None
        self._lock = threading.Lock()
        self.has_closed_log = False
        self._is_closed = False

    def is_running(self) -> bool:
        """Whether it has not ended."""
        with self._lock:
            return self._status is None and not self._is_closed and not _has_ended(self.fate, 0)

    def read_log(self) -> bytes:
        """What it wrote since, without waiting for more."""
        found = bytearray()
        while len(found) < _MAX_READ:
            try:
                data = os.read(self.log, _MAX_READ)
            except (BlockingIOError, InterruptedError):
                break
            if not data:
                self.has_closed_log = True
                break
            found += data
        return bytes(found)

    def memory_used(self) -> int:
        """The most memory it had so far, in MB; 0 once it is gone."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            status = Path(f"/proc/{self.pid}/status").read_bytes()
            return int(status.partition(b"VmHWM:")[2].split(None, 1)[0]) // 1024
        return 0

    def kill(self) -> None:
        """
        Kill it with all that it started.

        Source:
            https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html: a runtime without
            extensions gets SIGKILL, so that nothing needs to be waited for.
        """
        with self._lock:
            if self._status is None:  # else its number may be another's by now
                for kill in (os.killpg, os.kill):  # a fork leads no group in its first moment
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        kill(self.pid, signal.SIGKILL)

    def end(self) -> int:
        """Kill it and wait; returns its exit status, that of its own if it had ended before, negative for a signal."""
        if not _has_ended(self.fate, 0):
            self.kill()
        with self._lock:
            if self._status is None and not self._is_closed and _has_ended(self.fate, _END_TIMEOUT):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)  # what it started
                self._status = self._reap()
            return -signal.SIGKILL if self._status is None else self._status

    def close(self) -> None:
        """Give its file descriptors back."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                os.close(self.fate)
                os.close(self.log)


def _has_ended(fate: int, timeout: float) -> bool:
    poll = select.poll()
    poll.register(fate, select.POLLIN)
    return bool(poll.poll(timeout * 1000))


def start(command: Sequence[str], environ: Mapping[str, str], folder: Path) -> Child:
    """
    Start *command* in *folder*; its standard output, standard error and the descriptor of its log records are one pipe.

    Raises:
        OSError: It can't be started.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    try:
        os.set_blocking(reading, False)
        process = subprocess.Popen(
            command,
            env=dict(environ),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            start_new_session=True,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return Child(process.pid, os.pidfd_open(process.pid), reading, reap=process.wait)
