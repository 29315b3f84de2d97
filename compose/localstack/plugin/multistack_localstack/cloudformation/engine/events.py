"""What a stack tells of what happens to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from localstack.aws.api.cloudformation import StackEvent, StackResource, StackStatus
from localstack.services.cloudformation.v2.entities import Stack
from localstack.utils.strings import long_uid

# Of one stack; AWS keeps them for 90 days. Years of deployments must not fill the memory.
_MOST_EVENTS = 3_000

# Called after something happened to a stack: a deployment goes on without requests.
watchers: list[Callable[[], None]] = []


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom an event is about; without a physical id while there is nothing yet."""

    logical_id: str
    kind: str
    physical_id: str = ""


def tell_stack(stack: Stack, status: str, reason: str | None = None) -> None:
    """Put a stack into *status*, for *reason*."""
    stack.status_reason = reason
    # LocalStack's own method, which others watch: this may change without a request.
    stack.set_stack_status(StackStatus(status), reason)


def tell_resource(
    stack: Stack, subject: Subject, status: str, reason: str | None = None, *, is_current: bool = True
) -> None:
    """
    Put a resource into *status*.

    Args:
        is_current: Whether it is the one that the stack has under this name, not one that another took the place of.
    """
    if is_current:
        shown: dict[str, Any] = {
            "StackName": stack.stack_name,
            "StackId": stack.stack_id,
            "LogicalResourceId": subject.logical_id,
            "PhysicalResourceId": subject.physical_id,
            "ResourceType": subject.kind,
            "Timestamp": datetime.now(UTC),
            "ResourceStatus": status,
        }
        if reason:
            shown["ResourceStatusReason"] = reason
        stack.resource_states[subject.logical_id] = StackResource(**shown)
    _tell(stack, subject, status, reason)


def _tell(stack: Stack, subject: Subject, status: str, reason: str | None) -> None:
    event: dict[str, Any] = {
        "EventId": long_uid(),
        "Timestamp": datetime.now(UTC),
        "StackId": stack.stack_id,
        "StackName": stack.stack_name,
        "LogicalResourceId": subject.logical_id,
        "PhysicalResourceId": subject.physical_id,
        "ResourceStatus": status,
        "ResourceType": subject.kind,
    }
    if reason:
        event["ResourceStatusReason"] = reason
    # The API has the newest first.
    stack.events.insert(0, StackEvent(**event))
    del stack.events[_MOST_EVENTS:]
    for watcher in watchers:
        watcher()
