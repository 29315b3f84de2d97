"""
What a stack remembers: its resources, and how to get back to them while an update runs.

All of it is kept on LocalStack's own objects as plain dictionaries, so that a saved state needs no class of this
package, and a state that plain LocalStack saved is understood.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from localstack.services.cloudformation.v2.entities import Stack

from multistack_localstack.cloudformation.engine.events import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """
    One resource of a stack.

    Attributes:
        model: Its properties, with those that only the resource itself knows: what `Fn::GetAtt` reads.
        desired: Its properties as the template asked for them; dynamic references aren't filled in.
        needs: What was there before it, so it must go before these.
        policies: ``DeletionPolicy`` and ``UpdateReplacePolicy``, where the template has them.
        made: Tells this resource from another one that takes its place under the same name.
        is_dirty: An update of it broke off: it may be other than *model* says.
    """

    logical_id: str
    kind: str
    physical_id: str
    model: Mapping[str, Any]
    desired: Mapping[str, Any]
    needs: tuple[str, ...] = ()
    policies: Mapping[str, str] = field(default_factory=dict)
    metadata: Any = None
    made: str = ""
    is_dirty: bool = False
    status: str = "CREATE_COMPLETE"
    changed_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def subject(self) -> Subject:
        """Whom events about it are about."""
        return Subject(self.logical_id, self.kind, self.physical_id)

    def kept(self) -> dict[str, Any]:
        """As a stack keeps it; the upper-case keys are LocalStack's."""
        return {
            "LogicalResourceId": self.logical_id,
            "Type": self.kind,
            "PhysicalResourceId": self.physical_id,
            "Properties": dict(self.model),
            "SpecifiedProperties": dict(self.desired),
            "ResourceStatus": self.status,
            "LastUpdatedTimestamp": self.changed_at,
            "needs": list(self.needs),
            "policies": dict(self.policies),
            "metadata": self.metadata,
            "made": self.made,
            "is_dirty": self.is_dirty,
        }


def record_of(kept: Mapping[str, Any]) -> Record:
    """The record that :meth:`Record.kept` gave."""
    model = kept.get("Properties") or {}
    return Record(
        logical_id=kept["LogicalResourceId"],
        kind=kept["Type"],
        physical_id=kept.get("PhysicalResourceId") or "",
        model=model,
        desired=kept.get("SpecifiedProperties", model),
        needs=tuple(kept.get("needs", ())),
        policies=kept.get("policies", {}),
        metadata=kept.get("metadata"),
        made=kept.get("made") or f"{kept['LogicalResourceId']}-as-found",
        is_dirty=kept.get("is_dirty", False),
        status=str(kept.get("ResourceStatus", "CREATE_COMPLETE")),
        changed_at=kept.get("LastUpdatedTimestamp") or datetime.now(UTC),
    )


def new_mark() -> str:
    """What tells a resource that was just made from all others."""
    return uuid.uuid4().hex[:12]


def records_of(stack: Stack) -> dict[str, Record]:
    """The resources of a stack by logical id; one that LocalStack couldn't make isn't one."""
    kept = stack.resolved_resources.items()
    return {name: record_of(one) for name, one in kept if one.get("PhysicalResourceId")}


def remember(stack: Stack, record: Record) -> None:
    """Keep *record* as the stack's resource of its name."""
    stack.resolved_resources[record.logical_id] = record.kept()


def forget(stack: Stack, logical_id: str) -> None:
    """Drop a resource that the stack has no more."""
    stack.resolved_resources.pop(logical_id, None)
    stack.resource_states.pop(logical_id, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """
    How to get back to where a stack was before an update began.

    Attributes:
        before: The resources it had, by logical id.
        made: The resources that were made since.
        touched: Names of those that an update was tried on.
    """

    before: Mapping[str, Record]
    made: tuple[Record, ...] = ()
    touched: tuple[str, ...] = ()


_UNDO = "multistack_undo"


def undo_of(stack: Stack) -> Undo | None:
    """How to get back; None when no update runs, or waits to be corrected."""
    kept = getattr(stack, _UNDO, None)
    if kept is None:
        return None
    return Undo(
        before={name: record_of(one) for name, one in kept["before"].items()},
        made=tuple(map(record_of, kept["made"])),
        touched=tuple(kept["touched"]),
    )


def begin_undo(stack: Stack) -> None:
    """Remember where *stack* is, unless an update that failed waits to be corrected: then it goes back further."""
    if getattr(stack, _UNDO, None) is None:
        before = {name: record.kept() for name, record in records_of(stack).items()}
        setattr(stack, _UNDO, {"before": before, "made": [], "touched": []})


def note_made(stack: Stack, record: Record) -> None:
    """Remember that *record* is new."""
    getattr(stack, _UNDO)["made"].append(record.kept())


def note_touched(stack: Stack, logical_id: str) -> None:
    """Remember that a resource may be other than it was."""
    touched = getattr(stack, _UNDO)["touched"]
    if logical_id not in touched:
        touched.append(logical_id)


def keep_touched(stack: Stack, logical_ids: Iterable[str]) -> None:
    """Remember that only these are still other than they were."""
    getattr(stack, _UNDO)["touched"][:] = logical_ids


def end_undo(stack: Stack) -> None:
    """Forget how to get back."""
    setattr(stack, _UNDO, None)


def with_status(record: Record, status: str, **changed: Any) -> Record:
    """*record* at another moment."""
    return replace(record, status=status, changed_at=datetime.now(UTC), **changed)
