"""
Gap: MiniStack 1.5.33 makes a stack anew over one whose creation failed, and plans changes of any stack.

On AWS a stack in ROLLBACK_COMPLETE keeps its name until somebody deletes it, and a stack that can't be updated gets
no change set and executes none.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_FAILED = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED"}
_NAMEABLE = {"DELETE_COMPLETE", "REVIEW_IN_PROGRESS"}

Parameters = Mapping[str, Sequence[str]]


def apply() -> None:
    """Look at the stack's status before it is created, planned or changed."""
    from ministack.services.cloudformation import handlers, helpers

    actions = handlers._ACTION_HANDLERS
    created, planned, executed = actions["CreateStack"], actions["CreateChangeSet"], actions["ExecuteChangeSet"]

    def create(parameters: Parameters) -> Any:
        stack = handlers._resolve_stack(_given(parameters, "StackName"))
        if stack is not None and stack["StackStatus"] == "ROLLBACK_COMPLETE":
            return helpers._error("AlreadyExistsException", f"Stack [{stack['StackName']}] already exists")
        return created(parameters)

    def plan(parameters: Parameters) -> Any:
        stack = handlers._resolve_stack(_given(parameters, "StackName"))
        reason = _refusal(stack, _given(parameters, "ChangeSetType"), _given(parameters, "ChangeSetName"))
        return helpers._error("ValidationError", reason) if reason else planned(parameters)

    def execute(parameters: Parameters) -> Any:
        name = _given(parameters, "ChangeSetName")
        change_set = _change_set(name, _given(parameters, "StackName"))
        stack = handlers._resolve_stack(change_set["StackName"]) if change_set else None
        if stack is not None and not _is_changeable(stack):
            reason = f"ChangeSet [{name}] cannot be executed: its stack is in {stack['StackStatus']} state"
            return helpers._error("InvalidChangeSetStatus", reason)
        return executed(parameters)

    actions.update(CreateStack=create, CreateChangeSet=plan, ExecuteChangeSet=execute)


def _given(parameters: Parameters, name: str) -> str:
    from ministack.services.cloudformation import helpers

    return str(helpers._p(parameters, name))


def _change_set(name: str, stack_name: str) -> Mapping[str, Any] | None:
    from ministack.services.cloudformation import changesets, handlers

    stack = handlers._resolve_stack(stack_name) if stack_name else None
    found: Mapping[str, Any] | None = changesets._find_change_set(name, stack["StackName"] if stack else stack_name)[1]
    return found


def _is_changeable(stack: Mapping[str, Any]) -> bool:
    status = str(stack["StackStatus"])
    return status not in _FAILED and (status == "REVIEW_IN_PROGRESS" or not status.endswith("_IN_PROGRESS"))


def _refusal(stack: Mapping[str, Any] | None, kind: str, change_set: str) -> str | None:
    if stack is None or stack["StackStatus"] in _NAMEABLE:
        return None
    if kind == "CREATE":
        name = stack["StackName"]
        return f"Stack [{name}] already exists and cannot be created again with the changeSet [{change_set}]."
    if not _is_changeable(stack):
        return f"Stack:{stack['StackId']} is in {stack['StackStatus']} state and can not be updated."
    return None
