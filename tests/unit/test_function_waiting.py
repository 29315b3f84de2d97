"""Synchronous code that waits on the event loop's thread without holding the loop up."""

from __future__ import annotations

import asyncio
import contextvars
import os
import select
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from emulator.drivers.launcher.functions.waiting import elsewhere, on_this_thread, readable

_who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")
_LONG = 30.0


@dataclass(frozen=True)
class Pipe:
    """A pipe with an epoll object that watches its reading end."""

    reading: int
    writing: int
    poll: select.epoll

    def events(self, seconds: float = _LONG) -> dict[int, int]:
        """What :func:`readable` says of it."""
        return dict(readable(self.poll, seconds))


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe that nothing was written to."""
    reading, writing = os.pipe()
    with select.epoll() as poll:
        poll.register(reading, select.EPOLLIN)
        yield Pipe(reading, writing, poll)
    os.close(reading)
    os.close(writing)


def test_a_thread_waits_as_ever(pipe: Pipe) -> None:
    """Outside a greenlet it is the thread that waits."""
    assert pipe.events(0) == {}
    os.write(pipe.writing, b"x")
    assert pipe.events() == {pipe.reading: select.EPOLLIN}


def test_the_loop_goes_on_while_a_function_waits(pipe: Pipe) -> None:
    """What wakes the function is done by the very loop on whose thread it waits."""

    async def run() -> tuple[dict[int, int], bool]:
        asyncio.get_running_loop().call_soon(os.write, pipe.writing, b"x")
        thread: list[threading.Thread] = []

        def function() -> dict[int, int]:
            thread.append(threading.current_thread())
            return pipe.events()

        return await on_this_thread(function), thread == [threading.current_thread()]

    assert asyncio.run(run()) == ({pipe.reading: select.EPOLLIN}, True)


def test_nothing_readable_in_time_is_no_event(pipe: Pipe) -> None:
    """The time it may take holds on the loop as well."""
    assert asyncio.run(on_this_thread(pipe.events, 0.01)) == {}


def test_what_a_function_raises_reaches_the_caller() -> None:
    """An error is the caller's."""

    def function() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        asyncio.run(on_this_thread(function))


def test_what_a_function_sets_stays_in_its_own_context() -> None:
    """Account and region that a call sets are not those of the request that caused it; it starts from those."""

    async def run() -> tuple[str, str]:
        _who.set("request")

        def function() -> str:
            before = _who.get()
            _who.set("call")
            return before

        return await on_this_thread(function), _who.get()

    assert asyncio.run(run()) == ("request", "request")


def test_a_cancelled_caller_learns_so_when_the_function_is_done(pipe: Pipe) -> None:
    """A function that was begun ends: its process would otherwise still answer, to whoever calls next."""
    finished: list[bool] = []

    def function() -> None:
        deadline = time.monotonic() + _LONG
        while not pipe.events(deadline - time.monotonic()):
            assert time.monotonic() < deadline
        finished.append(True)

    async def run() -> None:
        task = asyncio.create_task(on_this_thread(function))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        os.write(pipe.writing, b"x")
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert finished == [True]


def test_functions_wait_side_by_side() -> None:
    """Ten that wait for each other's pipes end: none of them holds the thread."""

    async def run() -> list[int]:
        pipes = [os.pipe() for _ in range(10)]

        def function(number: int) -> int:
            with select.epoll() as poll:
                poll.register(pipes[number][0], select.EPOLLIN)
                if number:
                    readable(poll, _LONG)
            os.write(pipes[(number + 1) % 10][1], b"x")
            return number

        try:
            return await asyncio.gather(*(on_this_thread(function, number) for number in reversed(range(10))))
        finally:
            for fd in sum(pipes, ()):
                os.close(fd)

    assert asyncio.run(run()) == list(reversed(range(10)))


def test_what_waits_in_its_own_way_is_done_by_a_thread() -> None:
    """The loop goes on while it waits, here for the loop itself; its result and its errors come back."""

    async def run() -> int:
        woken = threading.Event()
        asyncio.get_running_loop().call_soon(woken.set)
        return await on_this_thread(lambda: elsewhere(lambda number: number + woken.wait(_LONG), 1))

    assert asyncio.run(run()) == 2
    assert elsewhere(threading.current_thread) is threading.current_thread()

    def failing() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        asyncio.run(on_this_thread(elsewhere, failing))
