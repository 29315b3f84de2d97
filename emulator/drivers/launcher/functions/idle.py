"""
Gap: MiniStack 1.5.33 keeps one process of every function that was ever called, for ever.

Here each goes when nobody called it for a while, so that thirty environments fit on a laptop. AWS does not say how long
an idle execution environment lives; five minutes is what MiniStack's ``LAMBDA_WARM_TTL_SECONDS`` says by default.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

_MOST_SECONDS_BETWEEN = 30.0


def apply(also: Callable[[float], None]) -> None:
    """Reap in a thread of our own; *also* is called each time, with the seconds after which something is idle."""
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    ttl: float = lambda_runtime._LOCAL_WORKER_TTL

    def reap(seconds: float | None = None) -> int:
        return reap_idle(ttl if seconds is None else seconds)

    lambda_runtime.reap_idle_workers = reap
    lambda_svc.reap_idle_workers = reap
    threading.Thread(target=_reap_for_ever, args=(ttl, also), daemon=True, name="multistack-reaper").start()


def _reap_for_ever(ttl: float, also: Callable[[float], None]) -> None:
    while True:
        time.sleep(min(_MOST_SECONDS_BETWEEN, max(ttl / 4, 0.1)))
        reap_idle(ttl)
        also(ttl)


def reap_idle(ttl: float) -> int:
    """End what nobody used for *ttl* seconds; returns how many."""
    from ministack.core import lambda_runtime

    with lambda_runtime._lock:
        idle = take_idle(lambda_runtime._workers, before=time.time() - ttl)
    lambda_runtime.kill_workers(idle)
    return len(idle)


def take_idle(pools: dict[str, list[Any]], *, before: float) -> list[Any]:
    """Take out of *pools* what isn't in use and was last used *before*; a pool that is empty then goes as well."""
    idle = []
    for key, workers in list(pools.items()):
        kept = [
            worker
            for worker in workers
            if worker.in_use or worker.last_used > before or getattr(worker, "is_debugged", False)
        ]
        idle += [worker for worker in workers if worker not in kept]
        if kept:
            pools[key] = kept
        else:
            del pools[key]
    return idle
