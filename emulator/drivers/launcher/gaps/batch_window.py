"""
Gap: MiniStack 1.5.33 ignores ``MaximumBatchingWindowInSeconds`` of a queue's mapping, and batches of more than ten.

On AWS a mapping with a window gathers messages until the batch is full or the window has passed, and may then have
batches of up to 10,000 messages of a standard queue.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping
from typing import Any


def apply() -> None:
    """Let mappings wait for their window, and take as many messages as their batch size says."""
    from ministack.services import lambda_svc, sqs

    mappings, receive = lambda_svc._iter_all_esms, sqs._receive_messages_for_esm
    # Mapping's id to the moment when its window began.
    began: dict[str, float] = {}

    @functools.wraps(mappings)
    def ready_mappings() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        for account_id, region, mapping in mappings():
            if not mapping.get("MaximumBatchingWindowInSeconds") or _is_ready(mapping, began):
                yield account_id, region, mapping

    @functools.wraps(receive)
    def receive_more(queue_url: str, most: int) -> list[Any]:
        found: list[Any] = []
        while len(found) < most and (more := receive(queue_url, most - len(found))):
            found += more
            if sqs._queues[queue_url]["is_fifo"]:
                break  # at most ten, and more would not be of another group
        return found

    lambda_svc._iter_all_esms = ready_mappings
    sqs._receive_messages_for_esm = receive_more


def _is_ready(mapping: Mapping[str, Any], began: dict[str, float]) -> bool:
    """Whether a mapping with a window has a full batch, or has waited long enough for one."""
    from ministack.services import sqs

    queue = sqs._queue_by_arn(mapping["EventSourceArn"]) if ":sqs:" in mapping["EventSourceArn"] else None
    if queue is None:
        return True
    now = time.time()
    waiting = sum(message["visible_at"] <= now for message in queue["messages"])
    start = began.setdefault(mapping["UUID"], now)
    is_full = waiting >= int(mapping.get("BatchSize", 10))
    if waiting and not is_full and now - start < float(mapping["MaximumBatchingWindowInSeconds"]):
        return False
    began.pop(mapping["UUID"], None)
    return True
