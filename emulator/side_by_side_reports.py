"""The answers of several environments for a terminal, for a pull request, and as JUnit for a pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from emulator.differences.noise import BY_REQUEST
from emulator.junit import xml_text
from emulator.render import table
from emulator.reports import Section, to_markdown
from emulator.side_by_side import DIFFERENT, EQUAL, EXPECTED, MASKED, Row, printable, rows_of, shown

# Rows that are shown though they are equal everywhere, and characters of a cell at least and at most.
_FEW = 40
_NARROWEST, _WIDEST = 12, 60
_COLOURS = {DIFFERENT: "red", EXPECTED: "yellow", MASKED: "bright_black"}


def to_terminal(document: Mapping[str, Any], *, width: int, shows_all: bool = False) -> str:
    """Aligned columns, an environment each; colour only where they differ."""
    rows, left_out = _chosen(rows_of(document), shows_all)
    names = list(document["environments"])
    where = max([len(row.where) for row in rows], default=0)
    cell = min(_WIDEST, max(_NARROWEST, (width - min(where, width // 3) - 4) // len(names) - 2))
    lines = [_line(row, names, cell, max(cell, width // 3)) for row in rows]
    parts = [click.style(_short(_title(document), max(width, _WIDEST)), bold=True), table(["", "place", *names], lines)]
    if left_out:
        parts.append(f"{left_out} more places are equal; --all shows them")
    return "\n".join([*parts, "", *map(printable, _words(document, shows_all=shows_all))])


def to_markdown_report(document: Mapping[str, Any]) -> str:
    """Headings and tables as GitHub and Bitbucket show them."""
    rows, left_out = _chosen(rows_of(document), shows_all=False)
    names = list(document["environments"])
    note = [*_words(document, shows_all=True), *([f"{left_out} more places are equal"] if left_out else [])]
    cells = [[row.mark, *map(printable, [row.where, *(row.cells[name] for name in names)])] for row in rows]
    section = Section(
        title=printable(_title(document)), columns=["", "place", *names], rows=cells, note=printable("; ".join(note))
    )
    return to_markdown([section])


def write_junit(document: Mapping[str, Any], file: Path) -> None:
    """
    A test case for each environment but the baseline, which has one when it gave no answer.

    Raises:
        OSError: The file can't be written.
    """
    suite = TestSuite(f"multistack compare {xml_text(_title(document))}")
    for name, entry in document["environments"].items():
        if name == document["baseline"] and "problem" not in entry and not entry["differences"]:
            continue
        case = TestCase(
            name, f"{document['request']['method']} {xml_text(document['request']['target'])}", entry["seconds"]
        )
        told = "\n".join(_told(entry["differences"]))
        if "problem" in entry:
            case.result = [Error(xml_text(entry["problem"]["detail"]), entry["problem"]["type"])]
        elif entry["differences"]:
            failure = Failure(f"{_count(len(entry['differences']))} from {document['baseline']}", "difference")
            failure.text = xml_text(told)
            case.result = [failure]
        suite.add_testcase(case)
    report = JUnitXml()
    report.add_testsuite(suite)
    report.write(str(file), pretty=True)


def _chosen(rows: Sequence[Row], shows_all: bool) -> tuple[list[Row], int]:
    """The rows to show, and how many equal ones are left out."""
    if shows_all or len(rows) <= _FEW:
        return list(rows), 0
    facts, rest = rows[:3], rows[3:]
    kept = [row for row in rest if row.mark != EQUAL]
    return [*facts, *kept], len(rest) - len(kept)


def _line(row: Row, names: Sequence[str], cell: int, where: int) -> list[str]:
    colour = _COLOURS.get(row.mark)
    mark = click.style(row.mark, fg=colour) if row.mark else " "
    cells = []
    for name in names:
        text = _short(row.cells[name], cell)
        is_coloured = bool(text) and (name in row.differing or row.mark == MASKED)
        cells.append(click.style(text, fg=colour) if is_coloured else text)
    return [mark, _short(row.where, where), *cells]


def _short(text: str, most: int) -> str:
    plain = printable(text)
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def _title(document: Mapping[str, Any]) -> str:
    return f"{document['request']['method']} {document['request']['target']}"


def _words(document: Mapping[str, Any], *, shows_all: bool) -> Iterator[str]:
    """What the marks mean here, and what is to be done."""
    entries, baseline = document["environments"], document["baseline"]
    for name, entry in entries.items():
        if "problem" in entry:
            command = entry["problem"].get("next")
            yield f"{name} gave no whole answer: {entry['problem']['detail']}" + (
                f"; run `{command}`" if command else ""
            )
        elif entry["differences"] and name == baseline:
            yield f"{DIFFERENT} {baseline} answers one request with two statuses"
        elif entry["differences"]:
            yield f"{DIFFERENT} {name} has {_count(len(entry['differences']))} from {baseline}"
    for reason in dict.fromkeys(one["reason"] for one in document["expected"]):
        explained = dict.fromkeys(one["where"] for one in document["expected"] if one["reason"] == reason)
        yield f"{EXPECTED} expected{f', {reason}' if reason else ''}: {', '.join(explained)}"
    # That ids and dates of requests are masked goes without saying; --json says it.
    for why in dict.fromkeys(one["why"] for one in document["masked"] if one["why"] != BY_REQUEST):
        places = ", ".join(one["where"] for one in document["masked"] if one["why"] == why)
        yield f"{MASKED} masked: {places}, which {why}"
    if unused := document["unused"]:
        # One request rarely has a use for all that a project declares.
        listed = ", ".join(map(_declared, unused)) if shows_all else f"{len(unused)}; --all lists them"
        yield f"expected differences that explain nothing here: {listed}"
    yield from document["warnings"]
    if document["is_equal"]:
        others = ", ".join(list(entries)[1:])
        yield f"equal: {others} as {baseline}" if others else f"only {baseline} was asked"


def _declared(rule: Mapping[str, Any]) -> str:
    return " with ".join(f"{name} {shown(rule[name])}" for name in ("json_path", "header", "regex") if name in rule)


def _count(number: int) -> str:
    return f"{number} difference{'' if number == 1 else 's'}"


def _told(differences: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for one in differences:
        yield f"{one['where']}: {one['kind']}, {shown(one['baseline'])} → {shown(one['value'])}"
