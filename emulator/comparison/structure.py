"""Two plain trees held against each other: what was added, removed, changed, and where."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# By the first of these that all entries of a list have, each with another value, they are told apart.
_NAMES = ("Key", "PolicyName", "AttributeName", "IndexName", "Name", "Sid", "Id", "id", "name", "StatusCode")
_MISSING = object()


class Kind(enum.Enum):
    """What became of a value on the way from the one tree to the other."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """
    One place in which two trees differ.

    Attributes:
        path: From the root, e.g. ``ApiFunction.Environment.Variables.PAGE_SIZE``.
        before: None when added.
        after: None when removed.
    """

    path: str
    kind: Kind
    before: Any = None
    after: Any = None


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """Every place in which *before* and *after* differ, as deep as both have it."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _at(_below(path, str(key)), before.get(key, _MISSING), after.get(key, _MISSING))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _in_lists(before, after, path)
    elif before != after or isinstance(before, bool) != isinstance(after, bool):
        yield Difference(path=path, kind=Kind.CHANGED, before=before, after=after)


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _at(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if before is _MISSING:
        yield Difference(path=path, kind=Kind.ADDED, after=after)
    elif after is _MISSING:
        yield Difference(path=path, kind=Kind.REMOVED, before=before)
    else:
        yield from differences(before, after, path)


def _in_lists(before: Sequence[Any], after: Sequence[Any], path: str) -> Iterator[Difference]:
    """Entries with names by their names, others by what they are; a mere change of order counts as one difference."""
    name = _naming([*before, *after], before, after)
    if name:
        named = [{entry[name]: entry for entry in entries} for entries in (before, after)]
        for key in [*named[0], *(key for key in named[1] if key not in named[0])]:
            yield from _at(f"{path}[{key}]", named[0].get(key, _MISSING), named[1].get(key, _MISSING))
        return
    gone, new = _without(before, after), _without(after, before)
    if not gone and not new and list(before) != list(after):
        yield Difference(path=path, kind=Kind.CHANGED, before=before, after=after)
    elif len(gone) == len(new) and not any(isinstance(before[index], (str, int, float)) for index in gone):
        for left, right in zip(gone, new, strict=True):
            yield from differences(before[left], after[right], f"{path}[{left}]")
    elif len(gone) == len(new) == 1:
        yield Difference(path=f"{path}[{gone[0]}]", kind=Kind.CHANGED, before=before[gone[0]], after=after[new[0]])
    else:
        yield from (Difference(path=f"{path}[{one}]", kind=Kind.REMOVED, before=before[one]) for one in gone)
        yield from (Difference(path=f"{path}[{one}]", kind=Kind.ADDED, after=after[one]) for one in new)


def _naming(entries: Sequence[Any], *sides: Sequence[Any]) -> str | None:
    if not entries or not all(isinstance(entry, Mapping) for entry in entries):
        return None
    for name in _NAMES:
        if all(isinstance(entry.get(name), str) for entry in entries) and all(
            len({entry[name] for entry in side}) == len(side) for side in sides
        ):
            return name
    return None


def _without(entries: Sequence[Any], others: Sequence[Any]) -> list[int]:
    """Indices of *entries* that have no equal of their own among *others*."""
    left = list(others)
    found = []
    for index, entry in enumerate(entries):
        if entry in left:
            left.remove(entry)
        else:
            found.append(index)
    return found
