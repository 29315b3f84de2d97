"""
Waiting for a function without a thread: the event loop goes on meanwhile.

MiniStack's way to a function is plain synchronous code, which it therefore runs on a thread for each call; two
hand-overs from thread to thread take longer than the call itself, and eight of them fight for the interpreter. Here
that code runs in a greenlet on the loop's own thread. Where it would wait for the function's answer, :func:`readable`
leaves it to the loop to wait, and serve others, as SQLAlchemy's ``greenlet_spawn`` does for database drivers.
"""

from __future__ import annotations

import asyncio
import contextvars
import select
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")


async def on_this_thread(function: Callable[..., Any], *args: Any) -> Any:
    """
    What *function* returns or raises, in a copy of the caller's context as a thread would run it.

    A caller that is cancelled learns so only when it is done: until then it changes what the caller would let go of.
    """
    running = greenlet(function)
    running.gr_context = contextvars.copy_context()
    cancelled: asyncio.CancelledError | None = None
    awaited = running.switch(*args)
    while not running.dead:
        try:
            await awaited
        except asyncio.CancelledError as error:
            cancelled = error  # to the function it looks like a moment at which nothing has come yet
        except BaseException:  # the function's, where it waits
            awaited = running.throw(*sys.exc_info())
            continue
        awaited = running.switch()
    if cancelled is not None:
        raise cancelled
    return awaited


def readable(poll: select.epoll, seconds: float) -> Mapping[int, int]:
    """
    What ``poll.poll(seconds)`` says, waited for by whoever can: the thread, or in a greenlet its event loop.

    Args:
        poll: Used by one caller at a time.
    """
    loop = getcurrent().parent
    if loop is None:
        return dict(poll.poll(seconds))
    loop.switch(_until_readable(poll.fileno(), seconds))
    return dict(poll.poll(0))


def elsewhere(function: Callable[..., T], *args: Any) -> T:
    """What *function* returns or raises; in a greenlet a thread runs it, for it waits in ways of its own."""
    loop = getcurrent().parent
    if loop is None:
        return function(*args)
    job = asyncio.get_running_loop().run_in_executor(None, contextvars.copy_context().run, function, *args)
    while not job.done():
        loop.switch(asyncio.wait([job]))
    return job.result()


async def _until_readable(fd: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    woken: asyncio.Future[None] = loop.create_future()
    loop.add_reader(fd, _wake, woken)
    timer = loop.call_later(seconds, _wake, woken)
    try:
        await woken
    finally:
        timer.cancel()
        loop.remove_reader(fd)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
