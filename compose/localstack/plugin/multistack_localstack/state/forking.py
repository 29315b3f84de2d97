"""
Do a job in a forked copy of this process: it sees all memory as it was at one moment, and may take its time.

The copy has only the thread that forked. A lock that another thread held at that moment is held there for ever, so a
copy that does not answer in time is killed, and the caller does the job by other means. What the copy changes in memory
is gone with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# Politer than whoever answers requests: the copy must not take their processor on a small machine.
NICE = 5
_FIRST_FILE = 3
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Abandoned(Exception):
    """The copy could not be made, died, or was killed because it did not answer in time."""


class Copy:
    """
    A copy of this process that is at work.

    Args:
        job: What it does; its answer is plain JSON values.

    Raises:
        Abandoned: It can't be made.
    """

    def __init__(self, job: Callable[[], Mapping[str, Any]]) -> None:
        self._reading, writing = os.pipe()
        try:
            self._pid = os.fork()
        except OSError as error:
            os.close(self._reading)
            os.close(writing)
            raise Abandoned(str(error)) from error
        if self._pid == 0:
            _be_the_copy(job, writing)
        os.close(writing)

    def wait(self, timeout: float) -> dict[str, Any]:
        """
        What the job answers; the copy is gone when this returns.

        Raises:
            Abandoned: There is no whole answer within *timeout* seconds.
        """
        try:
            answer = _read(self._reading, timeout=timeout)
        finally:
            os.close(self._reading)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)  # no harm to one that has answered: it has nothing left to do
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
        try:
            return dict(json.loads(answer))
        except ValueError:
            raise Abandoned("it ended without an answer") from None


def _read(reading: int, *, timeout: float) -> bytes:
    """Everything up to the end of the pipe."""
    answer, deadline = b"", time.monotonic() + timeout
    poll = select.poll()  # not select.select, which takes no descriptor above 1,023
    poll.register(reading, select.POLLIN)
    while (left := deadline - time.monotonic()) > 0:
        if poll.poll(left * 1000):
            part = os.read(reading, 65536)
            if not part:
                return answer
            answer += part
    raise Abandoned(f"no answer within {timeout:g} s")


def _be_the_copy(job: Callable[[], Mapping[str, Any]], writing: int) -> None:
    """
    Do the job, answer, and end without any clean-up that belongs to the original.

    Connections, pipes and the listening socket are closed at once: whoever waits for their end must see it when the
    original closes them.
    """
    try:
        # A copy that outlived the original could write over what the next LocalStack has written meanwhile.
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.set_wakeup_fd(-1)  # the thread that forked is the copy's main thread
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        gc.disable()  # a collection would touch, and so copy, every page
        _close_all_but(writing)
        os.nice(NICE)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(json.dumps(job()).encode())
    finally:
        os._exit(0)  # a failed job has not answered, which is what the original looks at


def _close_all_but(kept: int) -> None:
    """One by one, since older engines forbid containers to close a range, and there may be a million to try."""
    numbers = [int(path.name) for path in Path("/proc/self/fd").iterdir()]
    for number in numbers:
        if number >= _FIRST_FILE and number != kept:
            with contextlib.suppress(OSError):
                os.close(number)
