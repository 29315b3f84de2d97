"""
One request to a function's process, and its answer, waited for by whoever asks: no thread of its own per process.

Three things happen at once, or a function that logs more than a pipe holds while it is sent a long request would wait
for ever: the request is written as far as it goes, the answer and the log are read as they come, and the process is
watched. Its end-of-call mark stands in the log pipe before the answer is written to the other, so when the answer is
there all of the call's log is too, and nothing is waited for.
"""

from __future__ import annotations

import enum
import errno
import os
import select
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from emulator.drivers.launcher.functions.waiting import readable

# What a pipe holds, and little enough to be taken from a free list.
_CHUNK = 64 * 1024
# The log of a call this short is read after its answer: it fits into the pipe or waits in the function that long, and
# the mark, which always comes just before the answer, wakes nobody.
_QUICK_SECONDS = 0.002
# Kept of one call's log; more would fill the memory of an emulator that shares a laptop with others.
MOST_LOG_BYTES = 16 * 1024 * 1024


class Ending(enum.Enum):
    """How an exchange ended."""

    ANSWERED = enum.auto()
    ENDED = enum.auto()  # the process did, or closed its side
    TIMED_OUT = enum.auto()


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a request; *log* is what was printed until then."""

    ending: Ending
    answer: bytes
    log: bytes


# Takes the answer out of what was read so far; None while it isn't whole.
Extract = Callable[[bytearray], bytes | None]


class Conversation:
    """
    The emulator's side of a function's process.

    Args:
        requests: Written to; may be the same as *answers*. All of them are made non-blocking, and closed by ``close``.
        fate: Turns readable when the process has ended; not closed.
        mark: What the process writes to its log at the end of each call.
        patience: Seconds of silence after which a mark that isn't there with the answer won't come; 0 if it always is.
    """

    def __init__(
        self,
        *,
        requests: int,
        answers: int,
        log: int,
        fate: int,
        mark: bytes,
        extract: Extract,
        patience: float = 0.0,
    ) -> None:
        self._requests, self._answers, self._log, self._fate = requests, answers, log, fate
        self._mark, self._extract, self._patience = mark, extract, patience
        self._received = bytearray()
        self._lines = bytearray()
        self._dropped = 0
        self._has_log = True
        self._is_blocked = False
        self._poll = select.epoll()
        self._quick_poll = select.epoll()
        for fd in {requests, answers, log}:
            os.set_blocking(fd, False)
        for fd in (answers, log, fate):
            self._poll.register(fd, select.EPOLLIN)
        for fd in (answers, fate):
            self._quick_poll.register(fd, select.EPOLLIN)

    def exchange(self, request: bytes, *, deadline: float) -> Reply:
        """
        Send *request* and wait for its answer.

        Args:
            deadline: On the monotonic clock.
        """
        unsent = self._send(memoryview(request))
        events = {} if unsent else readable(self._quick_poll, _QUICK_SECONDS)
        while True:
            if not events:
                left = deadline - time.monotonic()
                if left <= 0:
                    return Reply(Ending.TIMED_OUT, b"", self._take_log())
                events = readable(self._poll, left)
            reply = self._reply(events)
            if reply is not None:
                return reply
            unsent, events = self._send(unsent), {}

    def _reply(self, events: Mapping[int, int]) -> Reply | None:
        """Read what has come; the reply, if that was all of it."""
        if self._log in events:
            self._read_log()
        has_ended = self._fate in events
        if self._answers not in events and not has_ended:
            return None
        is_open = self._read_answers()
        answer = self._extract(self._received)
        if answer is None and is_open and not has_ended:
            return None
        self._read_log()  # once: a pipe gives all that it holds
        if answer is not None and self._patience:
            self._read_to_mark()
        return Reply(Ending.ENDED if answer is None else Ending.ANSWERED, answer or b"", self._take_log())

    def close(self) -> None:
        """Hang up."""
        for fd in {self._requests, self._answers, self._log}:
            os.close(fd)
        self._poll.close()
        self._quick_poll.close()

    def _send(self, unsent: memoryview) -> memoryview:
        if not unsent:
            return unsent
        try:
            unsent = unsent[os.write(self._requests, unsent) :]
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET):
                raise
            unsent = unsent[:0]  # nobody reads any more: the answer, or the end of the process, says the rest
        if bool(unsent) != self._is_blocked:
            self._is_blocked = bool(unsent)
            self._watch_for_room()
        return unsent

    def _watch_for_room(self) -> None:
        room = select.EPOLLOUT if self._is_blocked else 0
        if self._requests == self._answers:
            self._poll.modify(self._requests, select.EPOLLIN | room)
        elif room:
            self._poll.register(self._requests, room)
        else:
            self._poll.unregister(self._requests)

    def _read_answers(self) -> bool:
        """Read all that is there; False when no more will come."""
        while True:
            try:
                chunk = os.read(self._answers, _CHUNK)
            except BlockingIOError:
                return True
            except ConnectionResetError:
                return False
            if not chunk:
                return False
            self._received += chunk
            if len(chunk) < _CHUNK:
                return True

    def _read_log(self) -> None:
        if not self._has_log:
            return
        try:
            chunk = os.read(self._log, _CHUNK)
        except BlockingIOError:
            return
        if chunk:
            self._keep(chunk)
        else:
            self._has_log = False
            self._poll.unregister(self._log)  # every writer closed it: it would be readable for ever

    def _read_to_mark(self) -> None:
        """The rest of the log of a process whose answer may overtake it."""
        seen = 0
        while self._has_log and self._lines.find(self._mark, max(0, seen - len(self._mark))) < 0:
            seen = len(self._lines)
            if self._log not in readable(self._poll, self._patience):
                return
            self._read_log()

    def _keep(self, chunk: bytes) -> None:
        room = MOST_LOG_BYTES - len(self._lines)
        if len(chunk) <= room:
            self._lines += chunk
            return
        # The end is kept as well as it goes: the mark stands there.
        self._dropped += len(chunk) + len(self._lines) - MOST_LOG_BYTES
        self._lines += chunk
        del self._lines[MOST_LOG_BYTES // 2 : len(self._lines) - MOST_LOG_BYTES // 2]

    def _take_log(self) -> bytes:
        """The lines up to the mark; what follows it was printed afterwards, and belongs to the next call."""
        end = self._lines.find(self._mark)
        found = bytes(self._lines if end < 0 else self._lines[:end])
        del self._lines[: len(found) + len(self._mark) if end >= 0 else len(self._lines)]
        if self._dropped:
            half = MOST_LOG_BYTES // 2
            note = f"\n… {self._dropped} bytes of this log were dropped here: more than {MOST_LOG_BYTES} were printed\n"
            found = found[:half] + note.encode() + found[half:]
            self._dropped = 0
        return found
