"""SQS: a move of messages that was under way goes on."""

from __future__ import annotations

import logging
from typing import Any

from localstack.services.sqs.models import MessageMoveTaskStatus, sqs_stores

_log = logging.getLogger("multistack.state")


def revive(provider: Any) -> None:
    """Let moves of messages that were under way go on."""
    for _account, _region, store in list(sqs_stores.iter_stores()):
        for task in store.move_tasks.values():
            if task.status not in (MessageMoveTaskStatus.CREATED, MessageMoveTaskStatus.RUNNING):
                continue
            try:
                provider._message_move_task_manager.submit(task)
            except Exception as error:  # of any kind; it has marked the task as failed
                _log.warning("messages of %s are not moved on: %s", task.source_arn, error)
