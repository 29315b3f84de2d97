"""What a stack tells of what happens to it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from localstack.aws.api.cloudformation import StackEvent, StackResource
from localstack.services.cloudformation.v2.entities import Stack
from localstack.utils.strings import long_uid


def tell_stack(stack: Stack, status: str, reason: str | None = None) -> None:
    """Put a stack into *status*, for *reason*."""
    stack.status = status
    stack.status_reason = reason
    _tell(stack, stack.stack_name, "AWS::CloudFormation::Stack", stack.stack_id, status, reason)


def tell_resource(  # noqa: PLR0917
    stack: Stack,
    logical_id: str,
    kind: str,
    physical_id: str | None,
    status: str,
    reason: str | None = None,
    *,
    is_current: bool = True,
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
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": physical_id or "",
            "ResourceType": kind,
            "Timestamp": datetime.now(UTC),
            "ResourceStatus": status,
        }
        if reason:
            shown["ResourceStatusReason"] = reason
        stack.resource_states[logical_id] = StackResource(**shown)
    _tell(stack, logical_id, kind, physical_id or "", status, reason)


def _tell(stack: Stack, logical_id: str, kind: str, physical_id: str, status: str, reason: str | None) -> None:  # noqa: PLR0917
    event: dict[str, Any] = {
        "EventId": long_uid(),
        "Timestamp": datetime.now(UTC),
        "StackId": stack.stack_id,
        "StackName": stack.stack_name,
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": physical_id,
        "ResourceStatus": status,
        "ResourceType": kind,
    }
    if reason:
        event["ResourceStatusReason"] = reason
    # The API has the newest first.
    stack.events.insert(0, StackEvent(**event))
