"""
Gap: MiniStack 1.5.33 refuses to update a stack that failed without a rollback.

On AWS ``DisableRollback`` pauses such a stack in CREATE_FAILED or UPDATE_FAILED: a corrected template goes on from what
was made.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_PAUSED = {"CREATE_FAILED", "UPDATE_FAILED"}


def apply() -> None:
    """Let an update see a paused stack as one that can be updated."""
    from ministack.services.cloudformation import handlers, helpers

    actions = handlers._ACTION_HANDLERS
    updated = actions["UpdateStack"]

    def update(parameters: Mapping[str, Sequence[str]]) -> Any:
        stack = handlers._resolve_stack(helpers._p(parameters, "StackName"))
        paused = stack["StackStatus"] if stack is not None else ""
        if paused not in _PAUSED:
            return updated(parameters)
        stack["StackStatus"] = "UPDATE_ROLLBACK_COMPLETE"
        try:
            return updated(parameters)
        finally:
            # Refused, or MiniStack stumbled: then nothing has begun.
            if stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE":
                stack["StackStatus"] = paused

    actions["UpdateStack"] = update
