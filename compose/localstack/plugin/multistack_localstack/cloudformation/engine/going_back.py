"""
A failed update taken back: resources as they were before it, and nothing of what it made.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-continueupdaterollback.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from localstack.services.cloudformation.engine.validations import ValidationError
from localstack.services.cloudformation.v2.entities import Stack

from multistack_localstack.cloudformation.engine import dynamic
from multistack_localstack.cloudformation.engine.calls import Caller, ResourceFailed, reason_of
from multistack_localstack.cloudformation.engine.cleanup import delete_all
from multistack_localstack.cloudformation.engine.deployment import kept_identity
from multistack_localstack.cloudformation.engine.events import tell_resource, tell_stack
from multistack_localstack.cloudformation.engine.records import (
    Record,
    Undo,
    end_undo,
    forget,
    keep_touched,
    records_of,
    remember,
    undo_of,
    with_status,
)
from multistack_localstack.cloudformation.engine.target import place_of
from multistack_localstack.cloudformation.engine.template import in_order


def go_back(stack: Stack, *, skipped: Iterable[str] = ()) -> None:
    """
    Bring *stack* to where it was before its last update began.

    It ends in ``UPDATE_ROLLBACK_COMPLETE``, or in ``UPDATE_ROLLBACK_FAILED`` when a resource can't be brought back.

    Args:
        skipped: Names of resources that stay as they are, and count as brought back.
    """
    undo = undo_of(stack) or Undo(before=records_of(stack))
    failed = [name for name in _order(undo) if not _bring_back(stack, undo.before[name], set(skipped))]
    if failed:
        keep_touched(stack, failed)
        told = f"The following resource(s) failed to update: [{', '.join(failed)}]."
        tell_stack(stack, "UPDATE_ROLLBACK_FAILED", told)
        return
    tell_stack(stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
    clean_up_after_return(stack)


def clean_up_after_return(stack: Stack) -> None:
    """Delete what the failed update made; ends the return."""
    undo = undo_of(stack) or Undo(before={})
    kept = {record.made for record in undo.before.values()}
    delete_all(stack, [record for record in undo.made if record.made not in kept], undoes_creation=True)
    # One that couldn't be made isn't there; one that couldn't be deleted is nobody's from here on.
    for name in stack.resource_states.keys() - undo.before.keys():
        forget(stack, name)
    end_undo(stack)
    tell_stack(stack, "UPDATE_ROLLBACK_COMPLETE")


def _order(undo: Undo) -> list[str]:
    """What was touched, each after what it needs: it may refer to it."""
    needs = {name: record.needs for name, record in undo.before.items()}
    return [name for name in in_order(undo.before, needs) if name in undo.touched]


def _bring_back(stack: Stack, before: Record, skipped: set[str]) -> bool:
    name, current = before.logical_id, records_of(stack).get(before.logical_id)
    tell_resource(stack, before.subject, "UPDATE_IN_PROGRESS")
    is_replaced = current is None or current.made != before.made
    model: Mapping[str, object] = before.model
    if name not in skipped and not is_replaced and current is not None:
        caller, place = Caller(place=place_of(stack)), place_of(stack)
        try:
            desired = dynamic.fill_in(before.desired, account_id=place.account_id, region=place.region)
            model = kept_identity(
                before, caller.update(before.kind, name, desired, current.model, put_all=current.is_dirty)
            )
        except (ResourceFailed, ValidationError) as error:
            tell_resource(stack, before.subject, "UPDATE_FAILED", reason_of(error))
            return False
    remember(stack, with_status(before, "UPDATE_COMPLETE", model=model, is_dirty=False))
    tell_resource(stack, before.subject, "UPDATE_COMPLETE")
    return True
