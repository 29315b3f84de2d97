"""CloudFormation: what was in progress will not go on, and says so."""

from __future__ import annotations

from typing import Any

from localstack.services.cloudformation.stores import cloudformation_stores

_ENDED = "LocalStack stopped while this was in progress"
# A stack that was planned and never executed; it waits for nobody.
_WAITING = "REVIEW_IN_PROGRESS"


def revive(_provider: Any) -> None:
    """Let stacks, resources and change sets that were in progress be failed ones."""
    for _account, _region, store in list(cloudformation_stores.iter_stores()):
        for stack in store.stacks_v2.values():
            _end_stack(stack)
        for change_set in store.change_sets.values():
            _end_change_set(change_set)


def _end_stack(stack: Any) -> None:
    for name, resource in list(stack.resource_states.items()):
        if resource["ResourceStatus"].endswith("_IN_PROGRESS"):
            stack.set_resource_status(
                logical_resource_id=name,
                physical_resource_id=resource.get("PhysicalResourceId"),
                resource_type=resource["ResourceType"],
                status=_failed(resource["ResourceStatus"]),
                resource_status_reason=_ENDED,
            )
    if stack.status.endswith("_IN_PROGRESS") and stack.status != _WAITING:
        stack.set_stack_status(_failed(stack.status), _ENDED)


def _end_change_set(change_set: Any) -> None:
    if change_set.status.endswith(("_IN_PROGRESS", "_PENDING")):
        change_set.status, change_set.status_reason = "FAILED", _ENDED
        change_set.execution_status = "UNAVAILABLE"
    elif change_set.execution_status == "EXECUTE_IN_PROGRESS":
        change_set.execution_status = "EXECUTE_FAILED"


def _failed(status: str) -> str:
    """E.g. ``UPDATE_FAILED`` for ``UPDATE_COMPLETE_CLEANUP_IN_PROGRESS``."""
    if "ROLLBACK" in status:
        return "UPDATE_ROLLBACK_FAILED" if status.startswith("UPDATE") else "ROLLBACK_FAILED"
    return f"{status.partition('_')[0]}_FAILED"
