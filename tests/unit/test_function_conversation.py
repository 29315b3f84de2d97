"""One request, its answer and its log: nothing waits for anything that can't come."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from emulator.drivers.launcher.functions import conversation
from emulator.drivers.launcher.functions.conversation import Conversation, Ending, Reply

_MARK = b"<mark>\n"


def _extract(received: bytearray) -> bytes | None:
    """An answer ends with a full stop."""
    end = received.find(b".")
    if end < 0:
        return None
    answer = bytes(received[:end])
    del received[: end + 1]
    return answer


@dataclass
class Function:
    """The other side, played by a thread of the test."""

    control: socket.socket
    log: int
    ended: int

    def read(self, length: int) -> bytes:
        """So many bytes of the request."""
        found = b""
        while len(found) < length:
            found += self.control.recv(65536)
        return found

    def say(self, text: bytes) -> None:
        """Write to the log."""
        left = memoryview(text)
        while left:
            left = left[os.write(self.log, left) :]

    def answer(self, text: bytes) -> None:
        """Mark the end, then answer."""
        self.say(_MARK)
        self.control.sendall(text + b".")

    def end(self) -> None:
        """As when a process ends: everything is closed, and its fate told."""
        os.write(self.ended, b"0")


@pytest.fixture
def sides() -> Iterator[tuple[Conversation, Function]]:
    """Both."""
    ours, theirs = socket.socketpair()
    log, log_end = os.pipe()
    fate, ended = os.pipe()
    talk = ours.detach()
    conversation = Conversation(requests=talk, answers=talk, log=log, fate=fate, mark=_MARK, extract=_extract)
    yield conversation, Function(theirs, log_end, ended)
    conversation.close()
    theirs.close()
    for fd in (log_end, fate, ended):
        os.close(fd)


def exchange(
    sides: tuple[Conversation, Function],
    play: Callable[[Function], None],
    *,
    request: bytes = b"?",
    seconds: float = 20,
) -> Reply:
    """One exchange, in which *play* is the function."""
    thread = threading.Thread(target=play, args=(sides[1],))
    thread.start()
    reply = sides[0].exchange(request, deadline=time.monotonic() + seconds)
    thread.join()
    return reply


def test_lines_before_the_mark_belong_to_the_call(sides: tuple[Conversation, Function]) -> None:
    """What is printed after it is the next call's, line end or not."""

    def first(function: Function) -> None:
        function.say(b"one\nno end")
        function.answer(b"1")
        function.say(b"late\n")

    assert exchange(sides, first) == Reply(Ending.ANSWERED, b"1", b"one\nno end")
    assert exchange(sides, lambda function: function.answer(b"2")) == Reply(Ending.ANSWERED, b"2", b"late\n")


def test_much_goes_in_all_directions_at_once(sides: tuple[Conversation, Function]) -> None:
    """A function that fills its log before it reads a long request, and answers at length, blocks nobody."""
    size = 6 * 1024 * 1024

    def play(function: Function) -> None:
        function.say(b"x" * size)
        assert function.read(size) == b"r" * size
        function.answer(b"a" * size)

    reply = exchange(sides, play, request=b"r" * size)
    assert (reply.ending, len(reply.answer), len(reply.log)) == (Ending.ANSWERED, size, size)


def test_an_answer_without_a_mark_is_an_answer(sides: tuple[Conversation, Function]) -> None:
    """A function may have closed everything it could; nothing is waited for."""
    reply = exchange(sides, lambda function: function.control.sendall(b"1."))
    assert reply == Reply(Ending.ANSWERED, b"1", b"")


def test_a_process_that_ends_is_noticed(sides: tuple[Conversation, Function]) -> None:
    """With what it printed, although a child of its own keeps the socket open."""

    def play(function: Function) -> None:
        function.say(b"last words")
        function.end()

    assert exchange(sides, play) == Reply(Ending.ENDED, b"", b"last words")


def test_an_answer_just_before_the_end_counts(sides: tuple[Conversation, Function]) -> None:
    """It was given."""

    def play(function: Function) -> None:
        function.answer(b"1")
        function.end()

    assert exchange(sides, play).answer == b"1"


def test_a_socket_that_is_closed_ends_the_exchange(sides: tuple[Conversation, Function]) -> None:
    """Nobody can answer any more."""

    def play(function: Function) -> None:
        function.read(1)
        function.control.close()

    assert exchange(sides, play).ending is Ending.ENDED


def test_silence_ends_at_the_deadline(sides: tuple[Conversation, Function]) -> None:
    """With what was printed until then."""
    reply = exchange(sides, lambda function: function.say(b"working"), seconds=0.2)
    assert reply == Reply(Ending.TIMED_OUT, b"", b"working")


def test_a_log_may_come_after_its_answer() -> None:
    """Where it can, the mark is waited for; for a moment only, as it may never come."""
    requests_end, requests = os.pipe()
    answers, answers_end = os.pipe()
    log, log_end = os.pipe()
    fate, ended = os.pipe()
    conversation = Conversation(
        requests=requests, answers=answers, log=log, fate=fate, mark=_MARK, extract=_extract, patience=0.3
    )

    def play() -> None:
        os.write(answers_end, b"1.")
        left = memoryview(b"x" * 1_000_000 + _MARK)
        while left:
            left = left[os.write(log_end, left) :]

    thread = threading.Thread(target=play)
    thread.start()
    reply = conversation.exchange(b"?", deadline=time.monotonic() + 20)
    thread.join()
    assert reply == Reply(Ending.ANSWERED, b"1", b"x" * 1_000_000)
    os.write(answers_end, b"2.")
    assert conversation.exchange(b"?", deadline=time.monotonic() + 20) == Reply(Ending.ANSWERED, b"2", b"")
    conversation.close()
    for fd in (requests_end, answers_end, log_end, fate, ended):
        os.close(fd)


def test_a_log_without_end_does_not_fill_the_memory(sides: tuple[Conversation, Function]) -> None:
    """The beginning and the end are kept, and the middle is said to be missing."""
    most = conversation.MOST_LOG_BYTES

    def play(function: Function) -> None:
        function.say(b"begin")
        function.say(b"x" * (most + 1_000_000))
        function.say(b"end")
        function.answer(b"1")

    reply = exchange(sides, play)
    assert len(reply.log) < most + 200
    assert reply.log.startswith(b"begin")
    assert reply.log.endswith(b"end")
    assert b"bytes of this log were dropped here" in reply.log
