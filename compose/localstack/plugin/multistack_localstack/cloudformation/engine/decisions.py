"""What becomes of one resource: nothing, a change where it is, or another one in its place."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from multistack_localstack.cloudformation.engine.records import Record
from multistack_localstack.cloudformation.engine.resource_types import Path, at, rules_for
from multistack_localstack.cloudformation.engine.values import same, unknown_in


class Verdict(enum.Enum):
    """What an update does to a resource."""

    KEEP = "keep"
    UPDATE = "update"
    REPLACE = "replace"
    # Only once the resources are made that it refers to.
    MAY_REPLACE = "may replace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """
    A verdict, and why.

    Attributes:
        changed: Names of the properties that change.
        attributes: The other attributes of the resource that change, e.g. ``Metadata``.
    """

    verdict: Verdict
    changed: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()


def decide(record: Record, desired: Mapping[str, Any], *, policies: Mapping[str, str], metadata: Any) -> Decision:
    """Hold what a resource is to be like against what was asked for it last."""
    names = dict.fromkeys([*desired, *record.desired])
    changed = tuple(name for name in names if not same(record.desired.get(name), desired.get(name)))
    attributes = tuple(
        name
        for name, before, after in (
            *((key, record.policies.get(key), policies.get(key)) for key in ("DeletionPolicy", "UpdateReplacePolicy")),
            ("Metadata", record.metadata, metadata),
        )
        if not same(before, after) and (before is not None or after is not None)
    )
    if not changed and not attributes and not record.is_dirty:
        return Decision(verdict=Verdict.KEEP)
    verdict = max((_verdict_on(path, record, desired) for path in rules_for(record.kind).create_only), default=0)
    verdicts = (Verdict.UPDATE, Verdict.MAY_REPLACE, Verdict.REPLACE)
    return Decision(verdict=verdicts[verdict], changed=changed, attributes=attributes)


def _verdict_on(path: Path, record: Record, desired: Mapping[str, Any]) -> int:
    before, after = at(record.desired, path), at(desired, path)
    # A name that was left to chance, and now is given as it came out, is the same name.
    if same(before, after) or (after is not None and before is None and same(at(record.model, path), after)):
        return 0
    return 1 if any(unknown_in(after)) else 2


def recreation(kind: str, name: str) -> bool:
    """Whether a change of the property *name* can need a new resource."""
    return any(path[0] == name for path in rules_for(kind).create_only)


def keeps_its_name(record: Record, desired: Mapping[str, Any]) -> bool:
    """Whether a new resource would need the name that its author gave the old one: there can't be two."""
    name = rules_for(record.kind).name
    return bool(name) and name in desired and name in record.desired and same(desired[name], record.desired[name])
