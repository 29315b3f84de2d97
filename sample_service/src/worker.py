"""Marks placed orders as processed; a message that cannot be read ends, after three tries, in the dead letters."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping
from typing import Any

from clients import client
from log import Log
from orders import OrderTable
from settings import Identity


class Worker:
    """The Lambda handler of the queue."""

    def __init__(self, orders: OrderTable, log: Log) -> None:
        self._orders = orders
        self._log = log

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
        failed = [record["messageId"] for record in event["Records"] if not self._process(record, context)]
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    def _process(self, record: Mapping[str, Any], context: Any) -> bool:
        """Whether the message is done with. Failures of AWS are raised: then the whole batch comes again."""
        about = {"request_id": context.aws_request_id, "message_id": record["messageId"]}
        try:
            order_id = _read_id(record["body"])
        except ValueError as error:
            self._log("error", "unreadable", reason=str(error), **about)
            return False
        found = self._orders.mark_processed(order_id)
        self._log("info", "processed" if found else "deleted meanwhile", order=order_id, **about)
        return True


def _read_id(body: str) -> str:
    message = json.loads(body)
    if not isinstance(message, dict) or not isinstance(message.get("id"), str):
        raise ValueError("a message is a JSON object with an order's id")
    return message["id"]


@functools.cache
def _worker() -> Worker:
    identity = Identity.read(os.environ)
    return Worker(
        OrderTable(lambda: client("dynamodb"), os.environ["TABLE"]),
        Log(os.environ["LOG_LEVEL"], environment=identity.environment, release=identity.release),
    )


def handler(event: Mapping[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """What Lambda calls."""
    return _worker()(event, context)
