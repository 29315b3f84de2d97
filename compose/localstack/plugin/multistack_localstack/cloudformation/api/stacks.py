"""
Stacks made, updated and deleted without a change set.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from localstack.aws.api import RequestContext, handler
from localstack.aws.api.cloudformation import (
    AlreadyExistsException,
    CreateStackInput,
    CreateStackOutput,
    UpdateStackInput,
    UpdateStackOutput,
    UpdateTerminationProtectionOutput,
)
from localstack.services.cloudformation.engine.validations import ValidationError
from localstack.services.cloudformation.v2.entities import Stack

from multistack_localstack.cloudformation.api import requests
from multistack_localstack.cloudformation.api.change_sets import drop_others
from multistack_localstack.cloudformation.api.lookup import find_stack, stack_of, store_of
from multistack_localstack.cloudformation.engine import exports, operations
from multistack_localstack.cloudformation.engine.planning import Plan
from multistack_localstack.cloudformation.engine.target import Target
from multistack_localstack.cloudformation.transforms import TransformFailed


class Stacks:
    """The operations that make, update and delete stacks at once."""

    @handler("CreateStack", expand=False)
    def create_stack(self, context: RequestContext, request: CreateStackInput) -> CreateStackOutput:
        """Make a stack; one in review becomes this one."""
        name = request["StackName"]
        earlier = find_stack(context, name)
        if earlier is not None and str(earlier.status) != "REVIEW_IN_PROGRESS":
            raise AlreadyExistsException(f"Stack [{name}] already exists")
        body = requests.template_body(context, request, None)
        requests.check_capabilities(request, body)
        stack = earlier or Stack(context.account_id, context.region, request, tags=request.get("Tags"))
        target = _target(context, request, stack, body)
        # It shows what can be refused before anything is made.
        Plan(stack, target)
        stack.enable_termination_protection = bool(request.get("EnableTerminationProtection"))
        on_failure = "DO_NOTHING" if request.get("DisableRollback") else str(request.get("OnFailure") or "ROLLBACK")
        store_of(context).stacks_v2[stack.stack_id] = stack
        drop_others(context, stack, keep=None)
        operations.start(stack, "CREATE_IN_PROGRESS", lambda: operations.create(stack, target, on_failure=on_failure))
        return CreateStackOutput(StackId=stack.stack_id)

    @handler("UpdateStack", expand=False)
    def update_stack(self, context: RequestContext, request: UpdateStackInput) -> UpdateStackOutput:
        """Update a stack; refused where nothing would change."""
        stack = stack_of(context, request["StackName"])
        operations.check_can_update(stack)
        body = requests.template_body(context, request, stack)
        requests.check_capabilities(request, body)
        target = _target(context, request, stack, body)
        plan = Plan(stack, target)
        if not plan.changes and not plan.has_others and str(stack.status) != "UPDATE_FAILED":
            raise ValidationError("No updates are to be performed.")
        stays = bool(request.get("DisableRollback"))
        drop_others(context, stack, keep=None)
        operations.start(stack, "UPDATE_IN_PROGRESS", lambda: operations.update(stack, target, disable_rollback=stays))
        stack.updated_time = datetime.now(UTC)
        return UpdateStackOutput(StackId=stack.stack_id)

    @handler("DeleteStack")
    def delete_stack(
        self, context: RequestContext, stack_name: str, retain_resources: Sequence[str] | None = None, **_others: Any
    ) -> None:
        """Delete a stack and its resources; one that isn't there is as good."""
        stack = find_stack(context, stack_name)
        if stack is None or not stack.is_active() or str(stack.status) == "DELETE_IN_PROGRESS":
            return
        if stack.enable_termination_protection:
            raise ValidationError(
                f"Stack [{stack.stack_name}] cannot be deleted while TerminationProtection is enabled"
            )
        if operations.is_busy(stack):
            raise ValidationError(f"Stack [{stack.stack_name}] cannot be deleted while in status {stack.status}")
        if retain_resources and str(stack.status) != "DELETE_FAILED":
            raise ValidationError(
                f"Invalid operation on stack [{stack.stack_id}]. When you delete a stack, specify which resources to "
                "retain only when the stack is in the DELETE_FAILED state."
            )
        exports.check_unused(stack)
        drop_others(context, stack, keep=None)
        retained = list(retain_resources or [])
        operations.start(stack, "DELETE_IN_PROGRESS", lambda: operations.delete(stack, retained=retained))

    @handler("UpdateTerminationProtection")
    def update_termination_protection(
        self, context: RequestContext, enable_termination_protection: bool, stack_name: str, **_others: Any
    ) -> UpdateTerminationProtectionOutput:
        """Protect a stack from being deleted, or don't."""
        stack = stack_of(context, stack_name)
        stack.enable_termination_protection = enable_termination_protection
        return UpdateTerminationProtectionOutput(StackId=stack.stack_id)


def _target(context: RequestContext, request: Any, stack: Stack, body: str) -> Target:
    try:
        return requests.target_of(context, request, stack, body=body)
    except TransformFailed as error:
        raise ValidationError(str(error)) from error
