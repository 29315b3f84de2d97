"""The answers of several environments as rows: a place each, with a column for every environment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.differences import Part, Place

DIFFERENT, EXPECTED, MASKED, EQUAL = "!", "~", "*", ""
_ABSENT = ""
_PROBLEM = str(Place(Part.PROBLEM))
# Lines of a text that are places of their own.
_MOST_LINES = 200


@dataclass(frozen=True, slots=True)
class Row:
    """
    One place.

    Attributes:
        mark: What is to be said of it, of the constants above.
        cells: By environment; an empty one has nothing there.
        differing: Environments that are not as the baseline here.
    """

    where: str
    mark: str
    cells: Mapping[str, str]
    differing: frozenset[str] = frozenset()


def rows_of(document: Mapping[str, Any]) -> list[Row]:
    """What stands where, as in the baseline's answer from top to bottom."""
    entries = document["environments"]
    rows = [
        _facts("status", {name: str(entry["status"]) for name, entry in entries.items()}),
        _facts("milliseconds", {name: f"{entry['seconds'] * 1000:.1f}" for name, entry in entries.items()}),
        _facts("release", {name: entry["release"] or "" for name, entry in entries.items()}),
    ]
    marked = {row.where: row for row in _marked(document)}
    if status := marked.pop("status", None):
        told = {name: status.cells[name] for name in status.differing}
        rows[0] = Row("status", DIFFERENT, {**rows[0].cells, **told}, status.differing)
    leaves = {name: dict(_leaves(entry)) for name, entry in entries.items()}
    body = [row for where in leaves[document["baseline"]] for row in _row_at(where, leaves, marked, document["masked"])]
    return [*rows, *(row for row in marked.values() if row not in body), *body]


def _facts(where: str, cells: Mapping[str, str]) -> Row:
    return Row(where, EQUAL, cells)


def _row_at(
    where: str, leaves: Mapping[str, Mapping[str, str]], marked: Mapping[str, Row], masked: Sequence[Mapping[str, str]]
) -> Iterator[Row]:
    """The row of one place of the baseline's body; none where a difference above it has one already."""
    if where in marked:
        yield marked[where]
        return
    cells = {name: found.get(where, _ABSENT) for name, found in leaves.items()}
    if any(_covers(mask["where"], where) for mask in masked):
        yield Row(where, MASKED, cells)
    elif len(set(cells.values())) == 1:
        yield Row(where, EQUAL, cells)


def _marked(document: Mapping[str, Any]) -> list[Row]:
    """A row for each place in which any environment differs."""
    entries, baseline = document["environments"], document["baseline"]
    found: dict[str, dict[str, tuple[str, Mapping[str, Any]]]] = {}
    for one in document["expected"]:
        found.setdefault(one["where"], {})[one["environment"]] = EXPECTED, one
    for name, entry in entries.items():
        for one in entry["differences"]:
            found.setdefault(one["where"], {})[name] = DIFFERENT, one
    rows = []
    for where, by_name in found.items():
        one = next(iter(by_name.values()))[1]
        before = shown(one["baseline"], is_absent=one["kind"] == "added")
        # Whoever gave no answer has nothing here, and not what the baseline has.
        cells = {
            name: before if where == _PROBLEM or "problem" not in entry else _ABSENT for name, entry in entries.items()
        }
        for name, (_, finding) in by_name.items():
            cells[name] = shown(finding["value"], is_absent=finding["kind"] == "missing")
            if finding["kind"] == "unstable":
                cells[name] = f"{finding['baseline']}, then {finding['value']}"
        mark = DIFFERENT if any(one == DIFFERENT for one, _ in by_name.values()) else EXPECTED
        rows.append(Row(where, mark, cells, frozenset(by_name) - ({baseline} if mark == EXPECTED else set())))
    return rows


def _leaves(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    body, encoding = entry["body"], entry["body_encoding"]
    if "problem" in entry:
        return
    if encoding == "json":
        yield from _json_leaves(body, ())
    elif encoding == "text" and entry["body_length"] and body.count("\n") < _MOST_LINES:
        for number, line in enumerate(body.splitlines(), 1):
            yield str(Place(Part.LINE, (number,))), line
    elif entry["body_length"]:
        yield "body", f"{entry['body_length']} bytes"


def _json_leaves(value: Any, at: tuple[str | int, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from _json_leaves(child, (*at, key))
    elif isinstance(value, list) and value:
        for index, child in enumerate(value):
            yield from _json_leaves(child, (*at, index))
    else:
        yield str(Place(Part.JSON, at)), shown(value)


def shown(value: Any, *, is_absent: bool = False) -> str:
    """A value on one line; text without quotes, but where it could be taken for something else."""
    if is_absent:
        return _ABSENT
    if isinstance(value, str) and value and value.isprintable() and value == value.strip():
        return value
    return json.dumps(value, ensure_ascii=False)


def printable(text: str) -> str:
    """*text* with nothing in it that a terminal obeys, or can't show."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def _covers(mask: str, where: str) -> bool:
    if mask == "body":
        return where.startswith(("$", "line ", "body"))
    pattern = re.escape(mask).replace(r"\[\*\]", r"\[[0-9]+\]")
    return re.match(rf"{pattern}(?![^.\[])", where) is not None
