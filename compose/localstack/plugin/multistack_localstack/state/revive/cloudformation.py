"""CloudFormation: what was in progress is taken up again, or says that it will not go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localstack.services.cloudformation.stores import cloudformation_stores

_ENDED = "LocalStack stopped while this was in progress"
# A stack that was planned and never executed; it waits for nobody.
_WAITING = "REVIEW_IN_PROGRESS"
_CLEANUP = "_CLEANUP_IN_PROGRESS"


def revive(provider: Any) -> None:
    """
    Let no stack or change set stay in progress.

    The engine of this package takes its stacks up again: a change is taken back. LocalStack's own can't, so its stacks
    have failed. The execution of a change set has failed either way.
    """
    settle = _take_up_with(provider) or _end_stack
    for _account, _region, store in list(cloudformation_stores.iter_stores()):
        for stack in list(store.stacks_v2.values()):
            settle(stack)
        for change_set in store.change_sets.values():
            _end_change_set(change_set)


def _take_up_with(provider: Any) -> Callable[[Any], None] | None:
    if not type(provider).__module__.startswith("multistack_localstack.cloudformation"):
        return None
    from multistack_localstack.cloudformation.api.lookup import take_up

    return take_up


def _end_stack(stack: Any) -> None:
    for name, resource in list(stack.resource_states.items()):
        if resource["ResourceStatus"].endswith("_IN_PROGRESS"):
            stack.set_resource_status(
                logical_resource_id=name,
                physical_resource_id=resource.get("PhysicalResourceId"),
                resource_type=resource["ResourceType"],
                status=_settled(resource["ResourceStatus"]),
                resource_status_reason=_ENDED,
            )
    if stack.status.endswith("_IN_PROGRESS") and stack.status != _WAITING:
        stack.set_stack_status(_settled(stack.status), _ENDED)


def _end_change_set(change_set: Any) -> None:
    if change_set.status.endswith(("_IN_PROGRESS", "_PENDING")):
        change_set.status, change_set.status_reason = "FAILED", _ENDED
        change_set.execution_status = "UNAVAILABLE"
    elif change_set.execution_status == "EXECUTE_IN_PROGRESS":
        change_set.execution_status = "EXECUTE_FAILED"


def _settled(status: str) -> str:
    """What a status in progress becomes: ``UPDATE_FAILED``; only cleaning up changes nothing any more."""
    if status.endswith(_CLEANUP):
        return status.removesuffix(_CLEANUP)
    if "ROLLBACK" in status:
        return "UPDATE_ROLLBACK_FAILED" if status.startswith("UPDATE") else "ROLLBACK_FAILED"
    return f"{status.partition('_')[0]}_FAILED"
