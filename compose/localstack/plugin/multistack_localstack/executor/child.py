"""A function's process: leader of a group of its own, its log pipe, how it ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_MAX_READ = 256 * 1024


class Child:
    """
    A process with the pipe that it writes its log to.

    Attributes:
        fate: A file descriptor that turns readable when the process has ended.
        log: The reading end of its pipe.
        has_closed_log: Nothing can come from the pipe any more.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: int) -> None:
        self._process = process
        self.pid = process.pid
        self.fate = os.pidfd_open(process.pid)
        self.log = log
        self.has_closed_log = False
        self._is_closed = False

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

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
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> int:
        """Kill it and wait; returns its exit status, that of its own if it had ended before, negative for a signal."""
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2.0)
        status = self._process.poll()
        return -signal.SIGKILL if status is None else status

    def close(self) -> None:
        """Give its file descriptors back."""
        if not self._is_closed:
            self._is_closed = True
            os.close(self.fate)
            os.close(self.log)


def start(command: Sequence[str], environ: Mapping[str, str], folder: Path) -> Child:
    """
    Start *command* in *folder*; its standard output, standard error and the descriptor of its log records are one pipe.

    Raises:
        OSError: It can't be started.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    try:
        os.set_blocking(reading, False)
        process = subprocess.Popen(  # noqa: S603
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
    return Child(process, reading)
