"""
Gap: MiniStack 1.5.33 starts a thread for every call of a function, which costs more than the call.

Its reason stands: a call may come back to the emulator and must find a thread there, so their number has no bound.
Here a thread that is done waits for the next call, for a while, instead of ending; and a call for which a process of
the function waits needs none (see ``waiting``).
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import queue
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from emulator.drivers.launcher.functions.waiting import on_this_thread
from emulator.drivers.launcher.functions.worker import FunctionWorker

# Seconds after which a thread without a job ends.
_IDLE = 30.0

# Returns what tells the caller, which neither takes long nor raises.
_Job = Callable[[], Callable[[], object]]


class Threads:
    """As many threads as there are jobs at once; the one that was busy last is the next to be."""

    def __init__(self, *, idle: float = _IDLE) -> None:
        self._idle = idle
        self._lock = threading.Lock()
        self._waiting: list[queue.SimpleQueue[_Job]] = []

    def run(self, job: _Job) -> None:
        """
        Run *job*, which must not raise, at once.

        Raises:
            RuntimeError: The machine has no more threads.
        """
        with self._lock:
            inbox = self._waiting.pop() if self._waiting else None
        if inbox is None:
            inbox = queue.SimpleQueue()
            threading.Thread(target=self._work, args=(inbox,), daemon=True, name="multistack-call").start()
        inbox.put(job)

    def _work(self, inbox: queue.SimpleQueue[_Job]) -> None:
        while True:
            try:
                job = inbox.get(timeout=self._idle)
            except queue.Empty:
                with self._lock:
                    if inbox not in self._waiting:
                        continue  # taken this very moment: its job is on the way
                    self._waiting.remove(inbox)
                return
            tell = job()
            # First, so that a caller who goes on with the next job finds this thread again.
            with self._lock:
                self._waiting.append(inbox)
            tell()
            del job, tell  # what they hold must not live until the next one


def apply() -> None:
    """Replace it everywhere: modules of MiniStack have taken it by name."""
    from ministack.core import concurrency

    original = concurrency.run_reentrant
    replacement = running_on(Threads(), concurrency._bump, is_brief=is_warm_call)
    for name, module in list(sys.modules.items()):
        if name.startswith("ministack.") and getattr(module, "run_reentrant", None) is original:
            module.run_reentrant = replacement  # type: ignore[attr-defined]


def is_warm_call(function: Callable[..., Any], *args: Any) -> bool:
    """Whether it is the call of a function that has an idle process."""
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    if function is not lambda_svc._execute_function_with_config_scope:
        return False
    config = args[0].get("config") or args[0]
    key = lambda_runtime._worker_key(config.get("FunctionName", ""), config, config.get("Version", "$LATEST"))
    return any(isinstance(worker, FunctionWorker) and worker.is_idle for worker in lambda_runtime._workers.get(key, ()))


def running_on(
    threads: Threads,
    count: Callable[[str, int], None],
    *,
    is_brief: Callable[..., bool] = lambda *_: False,
) -> Callable[..., Awaitable[Any]]:
    """
    MiniStack's ``run_reentrant``, on *threads*.

    Args:
        count: Told ``"reentrant"`` and 1 when a job begins, -1 when it ends.
        is_brief: Whether a job waits for nothing but functions that run already, and so needs no thread.
    """

    async def run_reentrant(function: Callable[..., Any], *args: Any, thread_name: str = "") -> Any:
        if is_brief(function, *args):
            return await on_this_thread(function, *args)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        context = contextvars.copy_context()

        def job() -> Callable[[], None]:
            value, error = None, None
            try:
                value = context.run(function, *args)
            except BaseException as raised:  # all of it is the caller's
                error = raised
            count("reentrant", -1)
            return functools.partial(_tell, loop, future, value, error)

        threads.run(job)
        count("reentrant", 1)
        return await _finished(future)

    return run_reentrant


def _tell(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], value: Any, error: BaseException | None
) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(_settle, future, value, error)


def _settle(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)


async def _finished(future: asyncio.Future[Any]) -> Any:
    """
    Its result; a caller that is cancelled learns so only when the job is done.

    Until then it still changes what the caller would let go of.
    """
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError as error:
            cancelled = error
        except BaseException:  # the job's own, raised below by result()
            break
    if cancelled is None:
        return future.result()
    future.exception()  # seen
    raise cancelled
