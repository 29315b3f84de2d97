"""Answers of several environments as rows, and as a terminal, a pull request and a pipeline get them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import pytest

from emulator.side_by_side import DIFFERENT, EQUAL, EXPECTED, MASKED, rows_of
from emulator.side_by_side_reports import to_markdown_report, to_terminal, write_junit


def entry(body: Any, *differences: tuple[str, str, Any, Any], encoding: str = "json", **changes: Any) -> dict[str, Any]:
    """An environment's entry in the document."""
    return {
        "status": 200,
        "headers": [],
        "body": body,
        "body_encoding": encoding,
        "body_length": 10,
        "seconds": 0.0042,
        "release": "ce9d3706731f",
        "digest": "ab" * 32,
        "differences": [dict(zip(("where", "kind", "baseline", "value"), one, strict=True)) for one in differences],
        **changes,
    }


def document(**entries: dict[str, Any]) -> dict[str, Any]:
    """What ``/_all/`` answers with."""
    is_equal = all(not one["differences"] for one in entries.values())
    return {
        "request": {"method": "GET", "target": "/a"},
        "baseline": next(iter(entries)),
        "is_equal": is_equal,
        "environments": entries,
        "masked": [],
        "expected": [],
        "unused": [],
        "warnings": [],
    }


FOUND = document(
    test=entry({"same": 1, "price": 1, "id": 7, "name": "test", "items": [{"n": 1}]}),
    prod=entry(
        {"same": 1, "price": 2, "id": 8, "name": "prod", "items": []},
        ("$.price", "changed", 1, 2),
        ("$.items[0]", "missing", {"n": 1}, None),
    ),
) | {
    "masked": [{"where": "$.id", "why": "differs when the same environment is asked twice"}],
    "expected": [
        {
            "environment": "prod",
            "where": "$.name",
            "kind": "changed",
            "baseline": "test",
            "value": "prod",
            "reason": "its name",
        }
    ],
    "unused": [{"between": "all", "json_path": "$.gone", "reason": ""}],
}


def test_every_place_is_one_row():
    """With what is to be said of it, and what each environment has there."""
    rows = {row.where: (row.mark, *row.cells.values()) for row in rows_of(FOUND)}

    assert rows["$.same"] == (EQUAL, "1", "1")
    assert rows["$.price"] == (DIFFERENT, "1", "2")
    assert rows["$.id"] == (MASKED, "7", "8")
    assert rows["$.name"] == (EXPECTED, "test", "prod")
    assert rows["$.items[0]"] == (DIFFERENT, '{"n": 1}', "")
    assert rows["status"] == (EQUAL, "200", "200")


def test_masks_cover_what_is_in_them_only():
    """`$.a[*].id` is no mask of `$.a[0].idle`."""
    found = document(test=entry({"a": [{"id": 1, "idle": 1}]}), prod=entry({"a": [{"id": 2, "idle": 1}]})) | {
        "masked": [{"where": "$.a[*].id", "why": "noise"}]
    }

    marks = {row.where: row.mark for row in rows_of(found)}

    assert (marks["$.a[0].id"], marks["$.a[0].idle"]) == (MASKED, EQUAL)


def test_text_is_shown_line_by_line():
    """Equal lines beside each other, different ones marked."""
    found = document(
        test=entry("a\nb", encoding="text"),
        prod=entry("a\nc", ("line 2", "changed", "b", "c"), encoding="text"),
    )

    assert [(row.where, row.mark, *row.cells.values()) for row in rows_of(found)[3:]] == [
        ("line 1", EQUAL, "a", "a"),
        ("line 2", DIFFERENT, "b", "c"),
    ]


def test_the_terminal_gets_aligned_columns():
    """Marks say what colours say, so nothing is lost without them."""
    text = click.unstyle(to_terminal(FOUND, width=120))

    assert text.splitlines()[0] == "GET /a"
    assert "!  $.price       1             2" in text
    assert "! prod has 2 differences from test" in text
    assert "~ expected, its name: $.name" in text
    assert "* masked: $.id, which differs when the same environment is asked twice" in text
    assert "expected differences that explain nothing here: 1; --all lists them" in text
    text = click.unstyle(to_terminal(FOUND, width=120, shows_all=True))
    assert "expected differences that explain nothing here: json_path $.gone" in text


def test_colour_is_only_where_environments_differ():
    """The baseline's own cell and equal rows stay plain."""
    lines = to_terminal(FOUND, width=120).splitlines()
    price = next(line for line in lines if "$.price" in line)
    same = next(line for line in lines if "$.same" in line)

    assert click.style("2", fg="red") in price
    assert click.style("1", fg="red") not in price
    assert click.unstyle(same) == same


def test_control_characters_of_an_answer_steer_no_terminal():
    """What an environment answers is shown, not obeyed."""
    hostile = "\x1b[2J\r\n\ud800"
    found = document(
        test=entry({"a": hostile, hostile: 1}), prod=entry({"a": "x"}, ("$.a", "changed", hostile, "x"))
    ) | {"masked": [{"where": f"$['{hostile}']", "why": hostile}], "warnings": [hostile]}

    for text in (click.unstyle(to_terminal(found, width=100)), to_markdown_report(found)):
        assert "\x1b" not in text
        text.encode()


def test_long_answers_show_what_differs():
    """Equal places are counted, and shown when asked for."""
    body = {f"k{number:03}": number for number in range(100)}
    found = document(test=entry(body), prod=entry({**body, "k050": -1}, ("$.k050", "changed", 50, -1)))

    text = to_terminal(found, width=100)
    assert "$.k050" in text
    assert "$.k051" not in text
    assert "99 more places are equal; --all shows them" in text
    assert "$.k051" in to_terminal(found, width=100, shows_all=True)


def test_an_environment_without_an_answer_says_what_to_do():
    """With its next command."""
    problem = {
        "type": "urn:multistack:problem:stopped",
        "detail": "environment prod is stopped",
        "next": "multistack up",
    }
    found = document(
        test=entry({"a": 1}), prod=entry({"x": 1}, ("status", "changed", 200, 503), status=503, problem=problem)
    )

    text = click.unstyle(to_terminal(found, width=100))

    assert "prod gave no whole answer: environment prod is stopped; run `multistack up`" in text
    assert "!  status        200           503" in text


def test_markdown_escapes_what_answers_hold():
    """Nothing in a value ends its cell, or becomes a tag."""
    found = document(test=entry({"a": "x"}), prod=entry({"a": "|<b>"}, ("$.a", "changed", "x", "|<b>")))

    text = to_markdown_report(found)

    assert "### GET /a" in text
    assert "| ! | $.a | x | \\|\\<b> |" in text


def test_junit_has_a_case_for_each_environment(tmp_path: Path):
    """A failure for differences, an error where there was no answer; what XML can't hold is replaced."""
    problem = {"type": "urn:multistack:problem:down", "detail": "it is down", "next": None}
    found = document(
        test=entry({"a": "x"}),
        staging=entry({"a": "x"}),
        prod=entry({"a": "\x00\x1b"}, ("$.a", "changed", "x", "\x00\x1b")),
        branch=entry({}, ("status", "changed", 200, 503), problem=problem),
    )

    write_junit(found, tmp_path / "report.xml")

    suite = ElementTree.parse(tmp_path / "report.xml").getroot()[0]
    assert suite.get("name") == "multistack compare GET /a"
    cases = {case.get("name"): [result.tag for result in case] for case in suite.iter("testcase")}
    assert cases == {"staging": [], "prod": ["failure"], "branch": ["error"]}


@pytest.mark.parametrize("name", ["test", "prod"])
def test_an_unstable_status_is_told(name):
    """Also of the baseline itself."""
    entries = {"test": entry({"a": 1}), "prod": entry({"a": 1})}
    entries[name] = entry({"a": 1}, ("status", "unstable", 200, 500))

    rows = rows_of(document(**entries))

    assert (rows[0].mark, rows[0].cells[name]) == (DIFFERENT, "200, then 500")


def test_whoever_gave_no_answer_has_nothing_in_the_rows_of_the_others() -> None:
    """What the baseline says is not shown as if the silent one had said it."""
    problem = {"type": "urn:multistack:problem:down", "detail": "it is down", "next": None}
    found = document(
        test=entry({"total": 1}),
        staging=entry({"total": 2}, ("$.total", "changed", 1, 2)),
        prod=entry({}, ("problem", "unanswered", None, "down"), problem=problem),
    )
    cells = {row.where: row.cells for row in rows_of(found)}
    assert cells["$.total"] == {"test": "1", "staging": "2", "prod": ""}
    assert cells["problem"] == {"test": "null", "staging": "null", "prod": "down"}
