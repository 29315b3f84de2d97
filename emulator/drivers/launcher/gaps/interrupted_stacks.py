"""
Gap: a restarted MiniStack 1.5.33 shows stacks in progress that nobody works on any more, for ever.

AWS has no such moment: its operations go on or fail. Here they fail, so that the stack can be deleted or updated.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

from __future__ import annotations

from typing import Any

_REASON = "The emulator ended before this was done"
# Without the resources to roll back at hand, what was half updated can only be updated again.
_ENDS = {
    "CREATE_IN_PROGRESS": "CREATE_FAILED",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_FAILED",
    "DELETE_IN_PROGRESS": "DELETE_FAILED",
    "UPDATE_IN_PROGRESS": "UPDATE_FAILED",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_FAILED",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
}


def apply() -> None:
    """End what was in progress when a saved state is loaded."""
    from ministack.services import cloudformation

    loaded = cloudformation.load_persisted_state

    def load(data: Any) -> None:
        loaded(data)
        # Of every account and region: none is asked for yet.
        for stack in cloudformation._stacks._data.values():
            _end(stack, "StackStatus", _ENDS, "StackStatusReason")
        for change_set in cloudformation._change_sets._data.values():
            _end(change_set, "ExecutionStatus", {"EXECUTE_IN_PROGRESS": "EXECUTE_FAILED"}, "StatusReason")

    cloudformation.load_persisted_state = load


def _end(record: dict[str, Any], key: str, ends: dict[str, str], reason: str) -> None:
    if record[key] in ends:
        record[key] = ends[record[key]]
        record[reason] = _REASON
