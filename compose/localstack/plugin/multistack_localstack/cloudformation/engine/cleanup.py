"""Resources that a stack has no more use for, deleted after everything else is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from localstack.services.cloudformation.v2.entities import Stack

from multistack_localstack.cloudformation.engine.calls import Caller, ResourceFailed
from multistack_localstack.cloudformation.engine.events import tell_resource
from multistack_localstack.cloudformation.engine.records import Record, forget, records_of
from multistack_localstack.cloudformation.engine.target import place_of
from multistack_localstack.cloudformation.engine.template import in_order

_KEPT = {"Retain", "RetainExceptOnCreate"}


def delete_all(
    stack: Stack, doomed: Iterable[Record], *, retained: Iterable[str] = (), undoes_creation: bool = False
) -> list[str]:
    """
    Delete resources of *stack*, each before what it needs; what can't be deleted keeps what it needs.

    Args:
        retained: Names of those that stay, whatever their policy is.
        undoes_creation: Whether this takes back what made them: `RetainExceptOnCreate` then keeps nothing.

    Returns:
        The names of those that couldn't be deleted.
    """
    failed: list[str] = []
    blocked: set[str] = set()
    for record in _last_first(list(doomed)):
        is_current = _is_current(stack, record)
        # A resource whose user is still there can't go either.
        if record.logical_id in blocked:
            blocked.update(record.needs)
            continue
        if _stays(stack, record, undoes_creation=undoes_creation) or record.logical_id in set(retained):
            _tell(stack, record, "DELETE_SKIPPED", is_current=is_current)
        elif not _delete(stack, record, is_current=is_current):
            failed.append(record.logical_id)
            blocked.update(record.needs)
            continue
        if is_current:
            forget(stack, record.logical_id)
    return failed


def _last_first(doomed: Sequence[Record]) -> list[Record]:
    """Each before what it needs; of two with one name the older first."""
    needs: dict[str, set[str]] = {}
    for record in doomed:
        needs.setdefault(record.logical_id, set()).update(set(record.needs) - {record.logical_id})
    rank = {name: position for position, name in enumerate(in_order(needs, needs))}
    return sorted(doomed, key=lambda record: -rank[record.logical_id])


def _is_current(stack: Stack, record: Record) -> bool:
    current = records_of(stack).get(record.logical_id)
    return current is not None and current.made == record.made


def _stays(stack: Stack, record: Record, *, undoes_creation: bool) -> bool:
    replaced = record.logical_id in stack.resolved_resources and not _is_current(stack, record)
    policy = record.policies.get("UpdateReplacePolicy" if replaced and not undoes_creation else "DeletionPolicy")
    return policy == "Retain" if undoes_creation else policy in _KEPT


def _delete(stack: Stack, record: Record, *, is_current: bool) -> bool:
    _tell(stack, record, "DELETE_IN_PROGRESS", is_current=is_current)
    try:
        Caller(place=place_of(stack)).delete(record.kind, record.logical_id, record.model)
    except ResourceFailed as error:
        _tell(stack, record, "DELETE_FAILED", error.reason, is_current=is_current)
        return False
    _tell(stack, record, "DELETE_COMPLETE", is_current=is_current)
    return True


def _tell(stack: Stack, record: Record, status: str, reason: str | None = None, *, is_current: bool) -> None:
    tell_resource(stack, record.subject, status, reason, is_current=is_current)
