"""Stacks and change sets by name or ARN."""

from __future__ import annotations

from localstack.aws.api import RequestContext
from localstack.aws.api.cloudformation import ChangeSetNotFoundException, ExecutionStatus
from localstack.services.cloudformation.engine.validations import ValidationError
from localstack.services.cloudformation.stores import CloudFormationStore, get_cloudformation_store
from localstack.services.cloudformation.v2.entities import ChangeSet, Stack
from localstack.services.cloudformation.v2.provider import is_changeset_arn, is_stack_arn

from multistack_localstack.cloudformation.engine.operations import is_busy, resume


def store_of(context: RequestContext) -> CloudFormationStore:
    """What CloudFormation keeps for the caller's account and region."""
    return get_cloudformation_store(context.account_id, context.region)


def find_stack(context: RequestContext, name: str) -> Stack | None:
    """
    A stack by its ARN, deleted or not, or a living one by its name.

    A stack that a process which is gone was working on is taken up again.
    """
    stacks = store_of(context).stacks_v2
    if is_stack_arn(name):
        found = stacks.get(name)
    else:
        found = next((one for one in list(stacks.values()) if one.stack_name == name and one.is_active()), None)
    if found is not None:
        take_up(found)
    return found


def take_up(stack: Stack) -> None:
    """Go on with *stack* when it is in the middle of something and nobody works on it."""
    status = str(stack.status)
    if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS" and not is_busy(stack):
        resume(stack)


def stack_of(context: RequestContext, name: str, message: str = "Stack [{name}] does not exist") -> Stack:
    """
    A stack by its ARN or name.

    Raises:
        ValidationError: There is none, in the words of *message*.
    """
    found = find_stack(context, name)
    if found is None:
        raise ValidationError(message.format(name=name))
    return found


def find_change_set(context: RequestContext, name: str, stack_name: str | None) -> ChangeSet | None:
    """
    A change set by its ARN, or by its name and its stack's.

    Of several with one name it is the one that can still be executed, else the youngest.

    Raises:
        ValidationError: There is no such stack, or it isn't named.
    """
    sets = store_of(context).change_sets
    if is_changeset_arn(name):
        return sets.get(name)
    if stack_name is None:
        raise ValidationError("StackName must be specified if ChangeSetName is not specified as an ARN.")
    stack = stack_of(context, stack_name)
    named = [sets[one] for one in stack.change_set_ids if one in sets and sets[one].change_set_name == name]
    return max(
        named, key=lambda one: (one.execution_status == ExecutionStatus.AVAILABLE, one.creation_time), default=None
    )


def change_set_of(context: RequestContext, name: str, stack_name: str | None) -> ChangeSet:
    """
    As :func:`find_change_set`.

    Raises:
        ChangeSetNotFoundException: There is none.
    """
    found = find_change_set(context, name, stack_name)
    if found is None:
        raise ChangeSetNotFoundException(f"ChangeSet [{name}] does not exist")
    return found
