"""
What changes state without a request of its own.

The rest (what expires, what other threads do a little later) is found by looking at all state now and then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localstack.services.sqs.models import FifoQueue, SqsQueue, StandardQueue


def watch(mark: Callable[[str], None]) -> None:
    """Call *mark* with the service after each of these."""
    for kind in (StandardQueue, FifoQueue):
        _after_receive(kind, mark)
    _watch_stacks(mark)
    _watch_versions(mark)


def _after_receive(kind: type[SqsQueue], mark: Callable[[str], None]) -> None:
    """Most polls find nothing; one that does hides messages, or moves them to the dead letter queue."""
    receive = kind.receive

    def receive_and_mark(queue: Any, *args: Any, **options: Any) -> Any:
        result = receive(queue, *args, **options)
        if result.successful or result.dead_letter_messages:
            mark("sqs")
        return result

    setattr(kind, "receive", receive_and_mark)  # noqa: B010 (it is no method to a type checker)


def _watch_stacks(mark: Callable[[str], None]) -> None:
    """A deployment goes on in a thread; its end is nobody's request."""
    from localstack.services.cloudformation.v2.entities import ChangeSet, Stack

    from multistack_localstack.cloudformation.engine import events

    for kind, name in ((Stack, "set_stack_status"), (ChangeSet, "set_execution_status")):
        _mark_after(kind, name, lambda: mark("cloudformation"))
    # What a deployment has made must be known to its stack in the same checkpoint.
    events.watchers.append(lambda: mark("cloudformation"))


def _watch_versions(mark: Callable[[str], None]) -> None:
    """A function becomes ready in a thread."""
    from localstack.services.lambda_.invocation.lambda_service import LambdaService

    _mark_after(LambdaService, "update_version_state", lambda: mark("lambda"))


def _mark_after(kind: type, name: str, mark: Callable[[], None]) -> None:
    method = getattr(kind, name)

    def method_and_mark(*args: Any, **options: Any) -> Any:
        result = method(*args, **options)
        mark()
        return result

    setattr(kind, name, method_and_mark)
