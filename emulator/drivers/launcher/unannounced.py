"""
What changes state without a request of its own: an ended call of a function, a message that moves to another queue.

The rest (what expires, schedules that call no function) is found by looking at all state now and then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc, sqs


def watch(mark: Callable[[], None]) -> None:
    """Call *mark* after each of these."""
    write_logs, sweep = lambda_svc._emit_lambda_logs, sqs._dlq_sweep

    def write_logs_and_mark(*args: Any, **options: Any) -> None:
        write_logs(*args, **options)
        mark()

    def sweep_and_mark(queue: dict[str, Any]) -> None:
        before = len(queue["messages"])
        sweep(queue)
        if len(queue["messages"]) != before:
            mark()

    lambda_svc._emit_lambda_logs = write_logs_and_mark
    sqs._dlq_sweep = sweep_and_mark
