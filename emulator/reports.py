"""Differences for people: aligned lines in a terminal, or Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from emulator.comparison.config import Compared, Verdict
from emulator.comparison.drift import Drift, Drifted
from emulator.comparison.parity import Parity
from emulator.comparison.releases import ReleaseDifference
from emulator.comparison.structure import Difference, Kind
from emulator.comparison.template import text_of
from emulator.render import table

_SIGNS = {Kind.ADDED: "+", Kind.REMOVED: "-", Kind.CHANGED: "~"}
_COLOURS = {"+": "green", "-": "red", "~": "yellow", "equal": "green", "different": "yellow"}
# Characters of a value that are shown; --json has it whole.
_LONGEST = 100
# Files of one archive that are listed; --json has all.
_FILES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """
    A part of a report.

    Attributes:
        rows: Cells in plain text; empty when *note* says all.
        note: One line below the heading.
    """

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    note: str = ""


def to_terminal(sections: Sequence[Section]) -> str:
    """Headings and aligned columns, coloured where a terminal is."""
    return "\n\n".join("\n".join(_terminal_lines(section)) for section in sections)


def _terminal_lines(section: Section) -> Iterator[str]:
    yield click.style(section.title, bold=True) + (f": {section.note}" if section.note else "")
    if section.rows:
        rows = [[_coloured(cell) for cell in row] for row in section.rows]
        yield from (f"  {line}" for line in table(section.columns, rows).splitlines())


def _coloured(cell: str) -> str:
    colour = "red" if cell.startswith("only in ") else _COLOURS.get(cell)
    return click.style(_short(cell), fg=colour)


def _short(cell: str) -> str:
    return cell if len(cell) <= _LONGEST else f"{cell[:_LONGEST]}…"


def to_markdown(sections: Sequence[Section]) -> str:
    """Headings and tables as GitHub and Bitbucket show them."""
    return "\n\n".join("\n".join(_markdown_lines(section)) for section in sections)


def _markdown_lines(section: Section) -> Iterator[str]:
    yield f"### {section.title}"
    yield ""
    if section.note:
        yield _escaped(section.note)
    if section.note and section.rows:
        yield ""
    if section.rows:
        yield f"| {' | '.join(_escaped(column) for column in section.columns)} |"
        yield f"|{'---|' * len(section.columns)}"
        yield from (f"| {' | '.join(_escaped(_short(cell)) for cell in row)} |" for row in section.rows)


def _escaped(cell: str) -> str:
    """Nothing in a value may end its cell, or be taken for a tag or a mark."""
    text = " ".join(cell.split())
    for mark in ("\\", "|", "`", "*", "_", "<", "[", "#", "~", "@"):
        text = text.replace(mark, f"\\{mark}")
    return text


def diff_report(found: ReleaseDifference) -> list[Section]:
    """What ``multistack diff`` tells."""
    sides = [found.before, found.after]
    return [
        Section(
            title="Release",
            columns=["", *sides, "result"],
            rows=[[one.name, _digits(one.before), _digits(one.after), _verdict(one, found)] for one in found.release],
        ),
        _changes("Code", ["", "functions", "file"], list(_code_rows(found))),
        _changes("Template", ["", "property", *sides], [_row(one) for one in found.template]),
        _compared("Config", "key", found.config, found, nothing="no keys"),
        Section(title="Outputs", note=f"not compared, {found.no_outputs}")
        if found.outputs is None
        else _compared("Outputs", "output", found.outputs, found, nothing="none"),
    ]


def _digits(value: str | None) -> str:
    return (value or "")[:12]


def _changes(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Section:
    return Section(title=title, columns=columns, rows=rows, note="" if rows else "equal")


def _code_rows(found: ReleaseDifference) -> Iterator[list[str]]:
    archives: dict[tuple[str, ...], list[list[str]]] = {}
    for one in found.code:
        row = [_SIGNS[one.kind], ", ".join(one.functions), one.file]
        archives.setdefault(one.functions, []).append(row)
    for functions, rows in archives.items():
        yield from rows[:_FILES]
        if len(rows) > _FILES:
            yield ["", ", ".join(functions), f"and {len(rows) - _FILES} more files"]


def _row(one: Difference) -> list[str]:
    before, after = (_value(value) for value in (one.before, one.after))
    return [
        _SIGNS[one.kind],
        one.path,
        "" if one.kind is Kind.ADDED else before,
        "" if one.kind is Kind.REMOVED else after,
    ]


def _value(value: Any) -> str:
    return " ".join(text_of(value).split()) or '""'


def _compared(
    title: str, what: str, compared: Sequence[Compared], found: ReleaseDifference, *, nothing: str
) -> Section:
    rows = [[one.name, _one_side(one.before), _one_side(one.after), _verdict(one, found)] for one in compared]
    columns = [what, found.before, found.after, "result"]
    return Section(title=title, columns=columns, rows=rows, note="" if rows else nothing)


def _one_side(value: str | None) -> str:
    return "" if value is None else _value(value)


def _verdict(one: Compared, found: ReleaseDifference) -> str:
    where = {Verdict.ONLY_BEFORE: found.before, Verdict.ONLY_AFTER: found.after}.get(one.verdict)
    return f"only in {where}" if where else one.verdict.value


def drift_report(found: Sequence[Drift]) -> list[Section]:
    """What ``multistack drift`` tells, an environment each."""
    return [_drift_section(one) for one in found]


def _drift_section(found: Drift) -> Section:
    since = f"release {found.release}, deployed {found.since:%Y-%m-%d %H:%M} UTC"
    count = len(found.differences)
    said = f"{count} difference{'' if count == 1 else 's'} from" if count else "as deployed,"
    rows = [_drift_row(one) for one in found.differences]
    rows += [["?", name, "", f"not compared, {reason}"] for name, reason in found.not_compared.items()]
    return Section(
        title=found.environment, columns=["", "property", "deployed", "found"], rows=rows, note=f"{said} {since}"
    )


def _drift_row(one: Drifted) -> list[str]:
    if not one.property:
        gone = one.kind is Kind.REMOVED
        return [_SIGNS[one.kind], one.resource, one.type if gone else "", "gone" if gone else one.type]
    path = f"{one.resource}.{one.property}"
    return _row(Difference(path=path, kind=one.kind, before=one.deployed, after=one.found))


def parity_report(found: Parity) -> list[Section]:
    """What ``multistack parity`` tells: one row per aspect, one column per environment."""
    names = list(found.aspects[0].values)
    rows = [
        [
            aspect.name,
            *(aspect.values[name] for name in names),
            "may differ" if aspect.by_design else "different" if aspect.differing else "equal",
        ]
        for aspect in found.aspects
    ]
    note = f"all as in {found.baseline}" if found.holds else _who(found)
    return [Section(title="Parity", columns=["aspect", *names, "result"], rows=rows, note=note)]


def _who(found: Parity) -> str:
    differing: Mapping[str, None] = dict.fromkeys(one for aspect in found.aspects for one in aspect.differing)
    return f"{', '.join(differing)} {'is' if len(differing) == 1 else 'are'} not as {found.baseline}"
