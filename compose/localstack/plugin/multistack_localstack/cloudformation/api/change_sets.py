"""
Change sets: planned when they are made, executed once or not at all.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from localstack.aws.api import RequestContext, handler
from localstack.aws.api.cloudformation import (
    AlreadyExistsException,
    ChangeSetStatus,
    CreateChangeSetInput,
    CreateChangeSetOutput,
    DeleteChangeSetOutput,
    DescribeChangeSetOutput,
    ExecuteChangeSetOutput,
    ExecutionStatus,
    InvalidChangeSetStatusException,
    ListChangeSetsOutput,
)
from localstack.services.cloudformation.engine.validations import ValidationError
from localstack.services.cloudformation.v2.entities import ChangeSet, Stack

from multistack_localstack.cloudformation.api import requests
from multistack_localstack.cloudformation.api.lookup import (
    change_set_of,
    find_change_set,
    find_stack,
    stack_of,
    store_of,
)
from multistack_localstack.cloudformation.engine import operations, parameters
from multistack_localstack.cloudformation.engine.planning import Plan, context_of
from multistack_localstack.cloudformation.engine.target import Target
from multistack_localstack.cloudformation.transforms import TransformFailed

_UNCHANGED = "The submitted information didn't contain changes. Submit different information to create a change set."
_KIND = {"CREATE", "UPDATE"}


class ChangeSets:
    """The operations on change sets."""

    @handler("CreateChangeSet", expand=False)
    def create_change_set(self, context: RequestContext, request: CreateChangeSetInput) -> CreateChangeSetOutput:
        """Plan what a template would do to a stack; a new stack then is in review."""
        name, kind = request["ChangeSetName"], str(request.get("ChangeSetType") or "UPDATE")
        if kind not in _KIND:
            raise ValidationError(f"ChangeSetType {kind} is not supported here: use one of {sorted(_KIND)}")
        stack = find_stack(context, request["StackName"])
        _check_stack(stack, request, kind)
        earlier = None if stack is None else find_change_set(context, name, stack.stack_id)
        if earlier is not None and earlier.execution_status == ExecutionStatus.AVAILABLE:
            raise AlreadyExistsException(f"ChangeSet {earlier.change_set_id} already exists")
        body = requests.template_body(context, request, stack)
        store = store_of(context)
        if stack is None:
            stack = Stack(context.account_id, context.region, request, initial_status="REVIEW_IN_PROGRESS")
        change_set = ChangeSet(stack, request, template_body=body)
        _plan(context, request, change_set)
        if str(stack.status) == "REVIEW_IN_PROGRESS" and stack.stack_id not in store.stacks_v2:
            store.stacks_v2[stack.stack_id] = stack
            stack.set_stack_status("REVIEW_IN_PROGRESS", "User Initiated")
        store.change_sets[change_set.change_set_id] = change_set
        stack.change_set_ids.add(change_set.change_set_id)
        return CreateChangeSetOutput(StackId=stack.stack_id, Id=change_set.change_set_id)

    @handler("DescribeChangeSet")
    def describe_change_set(
        self,
        context: RequestContext,
        change_set_name: str,
        stack_name: str | None = None,
        include_property_values: bool | None = None,
        **_others: Any,
    ) -> DescribeChangeSetOutput:
        """What a change set would do, and whether it can be executed."""
        change_set = change_set_of(context, change_set_name, stack_name)
        changes = [_with_values(change, include_property_values) for change in getattr(change_set, "changes", [])]
        described = DescribeChangeSetOutput(
            **_summary(change_set),
            Changes=changes,
            Capabilities=getattr(change_set, "capabilities", []),
            RollbackConfiguration={},
            NotificationARNs=[],
            Tags=change_set.tags or None,
        )
        if change_set.resolved_parameters:
            described["Parameters"] = parameters.shown(change_set.resolved_parameters)
        return described

    @handler("ListChangeSets")
    def list_change_sets(self, context: RequestContext, stack_name: str, **_others: Any) -> ListChangeSetsOutput:
        """The change sets of a stack that weren't executed, the youngest first."""
        stack = stack_of(context, stack_name)
        sets = [store_of(context).change_sets.get(one) for one in stack.change_set_ids]
        waiting = [one for one in sets if one is not None and one.execution_status in ("AVAILABLE", "UNAVAILABLE")]
        youngest_first = sorted(waiting, key=lambda one: one.creation_time, reverse=True)
        return ListChangeSetsOutput(Summaries=[_summary(one) for one in youngest_first])

    @handler("DeleteChangeSet")
    def delete_change_set(
        self, context: RequestContext, change_set_name: str, stack_name: str | None = None, **_others: Any
    ) -> DeleteChangeSetOutput:
        """Forget a change set; what it would have done isn't done."""
        change_set = find_change_set(context, change_set_name, stack_name)
        if change_set is not None:
            if change_set.execution_status == ExecutionStatus.EXECUTE_IN_PROGRESS:
                raise InvalidChangeSetStatusException(
                    f"ChangeSet [{change_set.change_set_id}] cannot be deleted while it is executed"
                )
            _forget(context, change_set)
        return DeleteChangeSetOutput()

    @handler("ExecuteChangeSet")
    def execute_change_set(
        self,
        context: RequestContext,
        change_set_name: str,
        stack_name: str | None = None,
        disable_rollback: bool | None = None,
        **_others: Any,
    ) -> ExecuteChangeSetOutput:
        """Carry a change set out; the other ones of its stack don't fit it any more, and go."""
        change_set = change_set_of(context, change_set_name, stack_name)
        if change_set.execution_status != ExecutionStatus.AVAILABLE:
            raise InvalidChangeSetStatusException(
                f"ChangeSet [{change_set.change_set_id}] cannot be executed in its current status of "
                f"[{change_set.status}]"
            )
        stack = change_set.stack
        is_new = str(stack.status) == "REVIEW_IN_PROGRESS"
        if not is_new:
            operations.check_can_update(stack)
        target = requests.target_from(change_set.target)
        on_failure = getattr(change_set, "on_stack_failure", None)

        def work() -> None:
            if is_new:
                kept = on_failure or ("DO_NOTHING" if disable_rollback else "ROLLBACK")
                succeeded = operations.create(stack, target, on_failure=kept)
            else:
                stays = bool(disable_rollback) or on_failure == "DO_NOTHING"
                succeeded = operations.update(stack, target, disable_rollback=stays)
            done = ExecutionStatus.EXECUTE_COMPLETE if succeeded else ExecutionStatus.EXECUTE_FAILED
            change_set.set_execution_status(done)

        change_set.set_execution_status(ExecutionStatus.EXECUTE_IN_PROGRESS)
        try:
            operations.start(stack, "CREATE_IN_PROGRESS" if is_new else "UPDATE_IN_PROGRESS", work)
        except ValidationError:
            change_set.set_execution_status(ExecutionStatus.AVAILABLE)
            raise
        change_set.target = None
        stack.change_set_id = change_set.change_set_id
        if not is_new:
            stack.updated_time = datetime.now(UTC)
        drop_others(context, stack, keep=change_set)
        return ExecuteChangeSetOutput()


def _check_stack(stack: Stack | None, request: CreateChangeSetInput, kind: str) -> None:
    """Refuse a change set that doesn't fit the stack's status."""
    if kind == "UPDATE":
        if stack is None:
            raise ValidationError(f"Stack [{request['StackName']}] does not exist")
        operations.check_can_update(stack)
    elif stack is not None and str(stack.status) != "REVIEW_IN_PROGRESS":
        raise ValidationError(
            f"Stack [{stack.stack_name}] already exists and cannot be created again with the changeSet "
            f"[{request['ChangeSetName']}]."
        )


def _plan(context: RequestContext, request: CreateChangeSetInput, change_set: ChangeSet) -> None:
    """Fill in what *change_set* would do."""
    stack, found = change_set.stack, vars(change_set)
    found["on_stack_failure"] = request.get("OnStackFailure")
    found["capabilities"] = list(request.get("Capabilities") or [])
    found["changes"], found["target"] = [], None
    try:
        target = requests.target_of(context, request, stack, body=change_set.template_body)
    except TransformFailed as error:
        _fail(change_set, str(error))
        return
    _keep(change_set, target)
    plan = Plan(stack, target)
    found["changes"] = [_change(change, plan) for change in plan.changes]
    if plan.changes or plan.has_others:
        change_set.set_change_set_status(ChangeSetStatus.CREATE_COMPLETE)
    else:
        _fail(change_set, _UNCHANGED)


def _keep(change_set: ChangeSet, target: Target) -> None:
    change_set.template = dict(target.original)
    change_set.processed_template = dict(target.template)
    change_set.resolved_parameters = dict(target.parameters)
    change_set.tags = [dict(tag) for tag in target.tags]
    vars(change_set)["target"] = requests.kept(target)


def _fail(change_set: ChangeSet, reason: str) -> None:
    change_set.set_change_set_status(ChangeSetStatus.FAILED)
    change_set.set_execution_status(ExecutionStatus.UNAVAILABLE)
    change_set.status_reason = reason


def _change(change: dict[str, Any], plan: Plan) -> dict[str, Any]:
    before, after = plan.values[change["LogicalResourceId"]]
    contexts = {
        key: context_of(properties)
        for key, properties in (("BeforeContext", before), ("AfterContext", after))
        if properties is not None
    }
    return {"Type": "Resource", "ResourceChange": {**change, **contexts}}


def _with_values(change: dict[str, Any], wanted: bool | None) -> Any:
    if wanted:
        return change
    shown = {key: value for key, value in change["ResourceChange"].items() if not key.endswith("Context")}
    return {**change, "ResourceChange": shown}


def _summary(change_set: ChangeSet) -> Any:
    described = {
        "StackId": change_set.stack.stack_id,
        "StackName": change_set.stack.stack_name,
        "ChangeSetId": change_set.change_set_id,
        "ChangeSetName": change_set.change_set_name,
        "ExecutionStatus": change_set.execution_status,
        "Status": change_set.status,
        "StatusReason": change_set.status_reason,
        "CreationTime": change_set.creation_time,
        "Description": change_set.description,
        "IncludeNestedStacks": False,
    }
    return {key: value for key, value in described.items() if value is not None}


def _forget(context: RequestContext, change_set: ChangeSet) -> None:
    change_set.stack.change_set_ids.discard(change_set.change_set_id)
    store_of(context).change_sets.pop(change_set.change_set_id, None)


def drop_others(context: RequestContext, stack: Stack, *, keep: ChangeSet | None) -> None:
    """Forget the change sets of *stack* but for the one that is executed: they were planned for what it was."""
    for one in list(stack.change_set_ids):
        found = store_of(context).change_sets.get(one)
        if found is not keep:
            stack.change_set_ids.discard(one)
            store_of(context).change_sets.pop(one, None)
