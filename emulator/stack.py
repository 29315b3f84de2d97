"""CloudFormation stacks by change set: look, plan, execute, delete."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.change_set import UnsupportedTypes, create, deploy_error, is_long
from emulator.endpoint import Clock, client
from emulator.errors import DeployError
from emulator.model import Endpoint
from emulator.template import Template

__all__ = [
    "Change",
    "ChangeSet",
    "Stack",
    "UnsupportedTypes",
    "delete",
    "describe",
    "discard",
    "execute",
    "is_long",
    "plan",
    "resources",
]

_POLL = 0.02
# Every one of them says that there is nothing to do. Source: CreateChangeSet and DescribeChangeSet on AWS.
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
# A stack that failed to be created can only be deleted. Source: AWS, "Stack status codes".
_UNUSABLE = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}
# The update failed and going back as well: no update until somebody continues the rollback. Source: AWS, "Continue
# rolling back an update".
_STUCK = "UPDATE_ROLLBACK_FAILED"
# A stack's own events that begin something; no logical id is a stack's name, which has a hyphen.
_BEGUN = {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"}
# Seconds; the longest that a resource of MiniStack usually waits, e.g. for a signal that somebody must send.
_SETTLE = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack as the emulator describes it."""

    name: str
    status: str
    tags: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def is_stable(self) -> bool:
        """Whether it serves some release: created or updated, or back at the one before."""
        return self.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of a change set, e.g. ``Modify OrdersFunction AWS::Lambda::Function``."""

    action: str
    logical_id: str
    type: str
    replacement: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet:
    """
    A plan the emulator has made but not carried out.

    Attributes:
        is_empty: There is nothing to execute. One that changes outputs or tags only has no changes, and isn't empty.
    """

    stack: str
    name: str
    changes: tuple[Change, ...]
    is_empty: bool = False


def describe(endpoint: Endpoint, name: str) -> Stack | None:
    """The stack *name*, or None when there is none."""
    from botocore.exceptions import ClientError

    try:
        found = client(endpoint, "cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise deploy_error(endpoint, error) from error
    return Stack(
        name=name,
        status=found["StackStatus"],
        tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", [])},
        outputs={output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])},
    )


def resources(endpoint: Endpoint, name: str) -> Mapping[str, str]:
    """Logical id to physical id of a stack's resources."""
    # describe_stack_resources ends at 100.
    pages = client(endpoint, "cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
    found = [resource for page in pages for resource in page["StackResourceSummaries"]]
    return {resource["LogicalResourceId"]: resource.get("PhysicalResourceId", "") for resource in found}


def plan(
    endpoint: Endpoint,
    name: str,
    template: Template,
    *,
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
    bucket: str,
    cancelled: Callable[[], None],
    dry_run: bool = False,
    clock: Clock = time,
) -> ChangeSet:
    """
    Make a change set that brings the stack to *template*.

    A stack that can't be updated, because its creation failed, is deleted first.

    Args:
        bucket: Where a template longer than CloudFormation's limit goes.
        cancelled: Called between polls; raises to stop waiting.
        dry_run: Leave everything as it is: the change set is discarded again. A stack that would have to be deleted
            first isn't asked: every resource counts as added, and what the emulator would refuse stays unknown.

    Raises:
        UnsupportedTypes: The emulator does not know a resource type.
        DeployError: It refuses the template, or doesn't come to an end with what it does to the stack.
    """
    existing = _settled(endpoint, name, cancelled=cancelled, clock=clock)
    if existing is not None and existing.status in _UNUSABLE:
        if dry_run:
            return _all_new(name, template)
        delete(endpoint, name, cancelled=cancelled)
        existing = None
    _refuse_stuck(endpoint, existing)
    is_new = existing is None or existing.status == "REVIEW_IN_PROGRESS"
    change_set = create(
        endpoint,
        name,
        template,
        kind="CREATE" if is_new else "UPDATE",
        parameters=parameters,
        tags=tags,
        bucket=bucket,
    )
    planned = _await_plan(endpoint, name, change_set, cancelled=cancelled)
    if dry_run and not planned.is_empty:
        discard(endpoint, planned)
    return planned


def _refuse_stuck(endpoint: Endpoint, stack: Stack | None) -> None:
    if stack is not None and stack.status == _STUCK:
        problem = f"environment {endpoint.environment}: stack {stack.name} is in {_STUCK} and can't be updated"
        raise DeployError(problem, hint=_way_out(endpoint, stack))


def _all_new(name: str, template: Template) -> ChangeSet:
    resources = template["Resources"].items()
    added = (
        Change(action="Add", logical_id=logical_id, type=resource["Type"], replacement=False)
        for logical_id, resource in resources
    )
    return ChangeSet(stack=name, name="", changes=tuple(added))


def _settled(endpoint: Endpoint, name: str, *, cancelled: Callable[[], None], clock: Clock) -> Stack | None:
    """The stack when nothing works on it any more: an interrupted command leaves it to the emulator to finish."""
    deadline = clock.monotonic() + _SETTLE
    while True:
        found = describe(endpoint, name)
        if found is None or not found.status.endswith("_IN_PROGRESS") or found.status == "REVIEW_IN_PROGRESS":
            return found
        if clock.monotonic() >= deadline:
            again = f"`multistack down {endpoint.environment}`, then `multistack up {endpoint.environment}`"
            raise DeployError(
                f"environment {endpoint.environment}: stack {name} is still {found.status} after {_SETTLE:g} s",
                hint=f"wait, or end what its emulator does: {again}",
            )
        cancelled()
        clock.sleep(_POLL)


def _await_plan(endpoint: Endpoint, name: str, change_set: str, *, cancelled: Callable[[], None]) -> ChangeSet:
    cloudformation = client(endpoint, "cloudformation")
    while True:
        found = cloudformation.describe_change_set(StackName=name, ChangeSetName=change_set)
        if found["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
            break
        cancelled()
        time.sleep(_POLL)
    reason = found.get("StatusReason", "")
    if found["Status"] == "FAILED" and not any(text in reason for text in _NO_CHANGES):
        raise DeployError(f"environment {endpoint.environment}: the change set failed: {reason}")
    changes = tuple(_change(change["ResourceChange"]) for change in found.get("Changes", []))
    if found["Status"] == "FAILED":
        nothing = ChangeSet(stack=name, name=change_set, changes=(), is_empty=True)
        discard(endpoint, nothing)
        return nothing
    return ChangeSet(stack=name, name=change_set, changes=changes)


def _change(found: Mapping[str, Any]) -> Change:
    return Change(
        action=found["Action"],
        logical_id=found["LogicalResourceId"],
        type=found["ResourceType"],
        replacement=found.get("Replacement") == "True",
    )


def discard(endpoint: Endpoint, change_set: ChangeSet) -> None:
    """Delete a change set that will not be executed, and the empty stack that it may have made."""
    cloudformation = client(endpoint, "cloudformation")
    cloudformation.delete_change_set(StackName=change_set.stack, ChangeSetName=change_set.name)
    existing = describe(endpoint, change_set.stack)
    if existing is not None and existing.status == "REVIEW_IN_PROGRESS":
        cloudformation.delete_stack(StackName=change_set.stack)


def execute(endpoint: Endpoint, change_set: ChangeSet, *, cancelled: Callable[[], None]) -> None:
    """
    Carry a change set out and wait for its end.

    Raises:
        DeployError: It failed; details are the failed events, oldest first. CloudFormation has rolled back.
    """
    client(endpoint, "cloudformation").execute_change_set(StackName=change_set.stack, ChangeSetName=change_set.name)
    stack = _await_end(endpoint, change_set.stack, cancelled=cancelled)
    if stack.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        return
    served = "the release before it is still served; " if stack.is_stable else ""
    again = f"{served}correct the template, then run `multistack deploy {endpoint.environment}`"
    raise DeployError(
        f"environment {endpoint.environment}: stack {change_set.stack} ended in {stack.status}",
        hint=_way_out(endpoint, stack) if stack.status == _STUCK else again,
        details=_failed(endpoint, change_set.stack),
    )


def _way_out(endpoint: Endpoint, stack: Stack) -> str:
    """What to do about a stack that could not even be rolled back."""
    called = f"aws cloudformation continue-update-rollback --stack-name {stack.name}"
    return (
        f"put back what is missing, then run `multistack exec {endpoint.environment} -- {called}`; "
        "--resources-to-skip goes on without it"
    )


def _await_end(endpoint: Endpoint, name: str, *, cancelled: Callable[[], None]) -> Stack:
    while True:
        stack = describe(endpoint, name)
        if stack is None:
            return Stack(name=name, status="DELETE_COMPLETE", tags={}, outputs={})
        if not stack.status.endswith("_IN_PROGRESS"):
            return stack
        cancelled()
        time.sleep(_POLL)


def _failed(endpoint: Endpoint, name: str) -> list[str]:
    """What failed since the last time that something was begun with the stack, oldest first, with its reason."""
    failed = [
        f"{event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', 'failed')}"
        for event in _last_events(endpoint, name)
        if event["ResourceStatus"].endswith("_FAILED")
    ]
    return failed[::-1]


def _last_events(endpoint: Endpoint, name: str) -> Iterator[Mapping[str, Any]]:
    """Newest first, as the API answers, down to the one that says what was begun: a stack keeps those of its life."""
    pages = client(endpoint, "cloudformation").get_paginator("describe_stack_events").paginate(StackName=name)
    for event in (event for page in pages for event in page["StackEvents"]):
        if event["LogicalResourceId"] == name and event["ResourceStatus"] in _BEGUN:
            return
        yield event


def delete(endpoint: Endpoint, name: str, *, cancelled: Callable[[], None]) -> None:
    """
    Delete a stack and wait until it is gone.

    Raises:
        DeployError: It can't be deleted; details are the failed events, oldest first.
    """
    client(endpoint, "cloudformation").delete_stack(StackName=name)
    stack = _await_end(endpoint, name, cancelled=cancelled)
    if stack.status != "DELETE_COMPLETE":
        environment = endpoint.environment
        raise DeployError(
            f"environment {environment}: stack {name} can't be deleted ({stack.status})",
            hint=f"remove what is in the way with `multistack exec {environment} -- aws …`, or all data with "
            f"`multistack reset {environment}`",
            details=_failed(endpoint, name),
        )
