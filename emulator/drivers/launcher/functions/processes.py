"""
The process of a function: whether it still runs, how it ended, and its end together with all that it started.

Looks like ``subprocess.Popen`` to MiniStack, whose pool asks ``poll``, ``terminate``, ``wait`` and ``kill`` of it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
from abc import ABC, abstractmethod


class FunctionProcess(ABC):
    """
    The leader of a process group of its own.

    Attributes:
        fate: A file descriptor that turns readable when the process has ended.
    """

    def __init__(self, pid: int, fate: int) -> None:
        self.pid = pid
        self.fate = fate
        self._status: int | None = None
        self._is_closed = False
        # How it ended can be read once, and the number of a closed descriptor is soon another's.
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """The exit status once it has ended, negative for a signal."""
        with self._lock:
            if self._status is None and self._wait_for_fate(0):
                self._status = self._read_status()
            return self._status

    def wait(self, timeout: float) -> int:
        """
        The exit status, waited for.

        Raises:
            TimeoutError: It runs on.
        """
        if self._status is None and not self._wait_for_fate(timeout):
            raise TimeoutError
        status = self.poll()
        return 0 if status is None else status

    def kill(self) -> None:
        """
        Kill the group: what the function started ends with it.

        Source:
            https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html: a runtime without
            extensions gets SIGKILL, so that nothing needs to be waited for.
        """
        if self._status is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    terminate = kill

    def end(self) -> int:
        """Kill the group and let go of it; returns the exit status, that of its own if it had ended before."""
        try:
            if self.poll() is None:
                self.kill()
            return self.wait(timeout=2.0)
        except TimeoutError:
            return -signal.SIGKILL  # stuck in the kernel
        finally:
            self.close()

    def close(self) -> None:
        """Give the file descriptor back."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                os.close(self.fate)

    @abstractmethod
    def _read_status(self) -> int:
        """The exit status, when *fate* is readable."""

    def _wait_for_fate(self, timeout: float) -> bool:
        if self._is_closed:
            return False
        poll = select.poll()
        poll.register(self.fate, select.POLLIN)
        return bool(poll.poll(timeout * 1000))


class Started(FunctionProcess):
    """A child of the emulator's own."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        super().__init__(child.pid, os.pidfd_open(child.pid))
        self._child = child

    def _read_status(self) -> int:
        # What it left behind in its group is unreachable once its number is free again.
        self.kill()
        return self._child.wait()


class Forked(FunctionProcess):
    """
    A child of a zygote, which writes the exit status to a pipe.

    Args:
        fate: That pipe, from which the process id has been read.
    """

    def _read_status(self) -> int:
        with contextlib.suppress(ValueError):
            return int(os.read(self.fate, 64))
        self.kill()  # it is the zygote that died, which else kills the group while the number is sure to be its own
        return -signal.SIGKILL

    @property
    def is_needed(self) -> bool:
        """Whether anybody may still ask how it ends, which only its zygote can tell."""
        return not self._is_closed and self.poll() is None
