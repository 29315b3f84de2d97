"""
Gap: MiniStack 1.5.33 never gives the name of an executed change set back.

On AWS a stack's next change set can have it again, which is how a pipeline with one fixed name deploys.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_EXECUTED = {"EXECUTE_COMPLETE", "EXECUTE_FAILED", "OBSOLETE"}


def apply() -> None:
    """Forget an executed change set when another one takes its name."""
    from ministack.services.cloudformation import _change_sets, handlers, helpers

    actions = handlers._ACTION_HANDLERS
    planned = actions["CreateChangeSet"]

    def plan(parameters: Mapping[str, Sequence[str]]) -> Any:
        stack = handlers._resolve_stack(helpers._p(parameters, "StackName"))
        name = helpers._p(parameters, "ChangeSetName")
        executed = {
            key: found
            for key, found in _change_sets.items()
            if stack is not None
            and (found["StackName"], found["ChangeSetName"]) == (stack["StackName"], name)
            and found["ExecutionStatus"] in _EXECUTED
        }
        for key in executed:
            del _change_sets[key]
        answer = planned(parameters)
        if answer[0] >= 400:
            _change_sets.update(executed)
        return answer

    actions["CreateChangeSet"] = plan
