"""
Ways back from a failed update: later, or once more.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ContinueUpdateRollback.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackStack.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CancelUpdateStack.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localstack.aws.api import RequestContext, handler
from localstack.aws.api.cloudformation import ContinueUpdateRollbackOutput, RollbackStackOutput
from localstack.services.cloudformation.engine.validations import ValidationError

from multistack_localstack.cloudformation.api.lookup import stack_of
from multistack_localstack.cloudformation.engine import operations
from multistack_localstack.cloudformation.engine.going_back import go_back


class Rollbacks:
    """The operations that take a stack back."""

    @handler("ContinueUpdateRollback")
    def continue_update_rollback(
        self,
        context: RequestContext,
        stack_name: str,
        resources_to_skip: Sequence[str] | None = None,
        **_others: Any,
    ) -> ContinueUpdateRollbackOutput:
        """Try again to go back, without what is skipped."""
        stack = stack_of(context, stack_name)
        if str(stack.status) != "UPDATE_ROLLBACK_FAILED":
            raise ValidationError(
                f"Stack:{stack.stack_id} is in {stack.status} state and can not be continued to be rolled back"
            )
        skipped = list(resources_to_skip or [])
        operations.start(
            stack, "UPDATE_ROLLBACK_IN_PROGRESS", lambda: go_back(stack, skipped=skipped), reason="User Initiated"
        )
        return ContinueUpdateRollbackOutput()

    @handler("RollbackStack")
    def rollback_stack(self, context: RequestContext, stack_name: str, **_others: Any) -> RollbackStackOutput:
        """Go back from a failure that stopped where it was."""
        stack = stack_of(context, stack_name)
        status = str(stack.status)
        if status == "UPDATE_FAILED":
            operations.start(stack, "UPDATE_ROLLBACK_IN_PROGRESS", lambda: go_back(stack), reason="User Initiated")
        elif status == "CREATE_FAILED":
            operations.start(
                stack,
                "ROLLBACK_IN_PROGRESS",
                lambda: operations.take_back_creation(stack),
                reason="User Initiated",
            )
        else:
            raise ValidationError(f"Stack:{stack.stack_id} is in {status} state and can not be rolled back")
        return RollbackStackOutput(StackId=stack.stack_id)

    @handler("CancelUpdateStack")
    def cancel_update_stack(self, context: RequestContext, stack_name: str, **_others: Any) -> None:
        """Stop an update after the resource it is at, and go back."""
        stack = stack_of(context, stack_name)
        if str(stack.status) != "UPDATE_IN_PROGRESS":
            raise ValidationError("CancelUpdateStack cannot be called from current stack status")
        operations.cancel(stack)
