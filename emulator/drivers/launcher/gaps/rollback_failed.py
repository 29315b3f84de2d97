"""
Gap: MiniStack 1.5.33 can hardly end in UPDATE_ROLLBACK_FAILED.

A resource that somebody deleted by hand is made again when its stack is updated or rolled back, and one whose own
update failed half-way stays half-way. On AWS the update fails, the failed resource is sent back too, and where it is
no more the rollback fails: the stack is then stuck until somebody continues the rollback.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-continueupdaterollback.html
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

_NOT_FOUND = "Resource of type '{kind}' with identifier '{physical_id}' was not found. (HandlerErrorCode: NotFound)"

_goes_back: ContextVar[bool] = ContextVar("goes back", default=False)

Properties = Mapping[str, Any]


def apply() -> None:
    """Require what is updated in place to be there, and send back what failed half-way."""
    from ministack.services.cloudformation import drift, provisioners, stacks

    updated, sent_back = stacks._update_resource, stacks._sends_back_failed_update
    remembered, reverted = stacks._failed_operation, stacks._revert_update

    def update(kind: str, physical_id: str, old: Properties, new: Properties, *more: Any) -> Any:
        if old != new and not _is_replaced(kind, old, new) and not _is_there(kind, physical_id, old):
            raise ValueError(_NOT_FOUND.format(kind=kind, physical_id=physical_id))
        try:
            return updated(kind, physical_id, old, new, *more)
        except Exception:
            # MiniStack's updates go by the difference: one that was refused before it did anything can't be undone.
            if _goes_back.get() and _is_as(kind, physical_id, new):
                return physical_id, {}
            raise

    async def revert(*arguments: Any) -> None:
        token = _goes_back.set(True)
        try:
            await reverted(*arguments)
        finally:
            _goes_back.reset(token)

    def sends_back(kind: str) -> bool:
        # Without an update of its own a type is created again, which a resource that is there refuses.
        has_update = "update" in provisioners._RESOURCE_HANDLERS.get(kind, {})
        # A type without a reader may refuse to go back what it refused to do.
        return bool(sent_back(kind)) or (has_update and kind in drift._DRIFT_READERS)

    def remember(is_update: bool, previous_stack: Any, created: Any, failed_update: Any, *more: Any) -> Any:
        return remembered(is_update, previous_stack, created, _to_send_back(failed_update), *more)

    stacks._update_resource = update
    stacks._sends_back_failed_update = sends_back
    stacks._failed_operation = remember
    stacks._revert_update = revert


def _to_send_back(failed_update: Any) -> Any:
    """Nothing where a new resource could not be made: going back would replace the old one, which was left alone."""
    if failed_update is None:
        return None
    logical_id, kind, physical_id, applied, previous, _ = failed_update
    if applied is None or not _is_replaced(kind, previous, applied):
        return failed_update
    return logical_id, kind, physical_id, None, None, None


def _is_replaced(kind: str, old: Properties, new: Properties) -> bool:
    """Whether a new resource is made: what then becomes of the old one doesn't matter."""
    from ministack.services.cloudformation import provisioners

    named = provisioners._CUSTOM_NAME_REPLACEMENT.get(kind, {}).get("name")
    renamed = isinstance(named, str) and old.get(named) != new.get(named)
    return renamed or bool(provisioners._requires_replacement(kind, old, new))


def _is_there(kind: str, physical_id: str, properties: Properties) -> bool:
    """Ask the reader that drift detection uses; a type without one counts as there."""
    from ministack.services.cloudformation import drift

    if kind not in drift._DRIFT_READERS:
        return True
    read, _ = drift._DRIFT_READERS[kind]
    return read(physical_id, properties) is not None


def _is_as(kind: str, physical_id: str, properties: Properties) -> bool:
    """Whether drift detection would find the resource to be what *properties* say."""
    from ministack.services.cloudformation import drift

    if kind not in drift._DRIFT_READERS:
        return False
    record = {"ResourceType": kind, "PhysicalResourceId": physical_id, "Properties": properties}
    return str(drift.detect_resource_drift({}, "", record, "")["StackResourceDriftStatus"]) == "IN_SYNC"
