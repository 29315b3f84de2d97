"""Threads that are used again."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import pytest

from emulator.drivers.launcher.functions.reentrant import Threads, running_on


def _ignore(_kind: str, _change: int) -> None:
    pass


def test_a_thread_takes_the_next_job() -> None:
    """One after the other needs one thread."""
    run = running_on(Threads(), _ignore)

    async def three_times() -> set[int]:
        return {await run(threading.get_ident) for _ in range(3)}

    assert len(asyncio.run(three_times())) == 1


def test_jobs_never_wait_for_each_other() -> None:
    """A job that needs a hundred others to run finds a thread for each."""
    run = running_on(Threads(), _ignore)
    barrier = threading.Barrier(100)

    async def all_at_once() -> list[int]:
        return await asyncio.gather(*(run(barrier.wait, 20) for _ in range(100)))

    assert sorted(asyncio.run(all_at_once())) == list(range(100))


def test_an_idle_thread_ends() -> None:
    """After its time without a job."""
    found: Future[threading.Thread] = Future()
    Threads(idle=0.05).run(lambda: lambda: found.set_result(threading.current_thread()))
    thread = found.result(timeout=10)
    thread.join(timeout=10)
    assert not thread.is_alive()


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)], ids=["exception", "exit"])
def test_an_error_is_the_caller_s(error: BaseException) -> None:
    """And the thread is there for the next job."""
    counted: list[int] = []
    run = running_on(Threads(), lambda _kind, change: counted.append(change))

    def fail() -> None:
        raise error

    async def caller() -> int:
        with pytest.raises(type(error)):
            await run(fail)
        return int(await run(lambda: 7))

    assert asyncio.run(caller()) == 7
    assert sum(counted) == 0


def test_a_cancelled_caller_learns_so_after_the_job() -> None:
    """Until then the job still changes what the caller would let go of."""
    run = running_on(Threads(), _ignore)
    go, done = threading.Event(), threading.Event()

    def job() -> None:
        go.wait(20)
        done.set()

    async def caller() -> None:
        task = asyncio.ensure_future(run(job))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done.is_set()

    asyncio.run(caller())
