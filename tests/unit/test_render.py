"""What people and machines get to read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from emulator.errors import NotReady
from emulator.events import Event
from emulator.model import ProcessId
from emulator.render import Progress, colours_of, print_error, print_json, prose, status_cell, table


def test_columns_are_aligned_and_nothing_trails() -> None:
    """An empty cell is a dash, headings are upper case."""
    assert table(["a", "long name"], [["value", ""], ["v", "x"]]) == "A      LONG NAME\nvalue  -\nv      x"


def test_colour_does_not_count_as_width() -> None:
    """Escape codes take no room on a terminal."""
    lines = table(["status", "next"], [[status_cell("ready"), "x"]]).splitlines()
    assert lines[1].replace("\x1b[32m", "").replace("\x1b[0m", "") == "ready   x"


@pytest.mark.parametrize(
    ("event", "line"),
    [
        pytest.param(Event("test", "starting"), "test     starting", id="plain"),
        pytest.param(Event("staging", "ready", "http://x", 0.42), "staging  ready http://x (0.4 s)", id="seconds"),
        pytest.param(Event(None, "building", "src"), "  building src", id="project"),
    ],
)
def test_progress_is_one_aligned_line_on_stderr(capsys: pytest.CaptureFixture[str], event: Event, line: str) -> None:
    """Off a terminal there is no colour."""
    Progress(["test", "staging"])(event)
    out, err = capsys.readouterr()
    assert (out, err.rstrip("\n").lstrip() if event.environment is None else err.rstrip("\n")) == ("", line.lstrip())


def test_progress_that_nobody_reads_stops_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """``multistack up 2>&1 | head -1`` brings everything up."""

    class Gone:
        """A pipe without a reader."""

        def write(self, _text: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Gone())
    Progress(["test"])(Event("test", "starting"))
    print_error(NotReady("no"))


@pytest.mark.parametrize(
    ("is_terminal", "told"),
    [
        pytest.param(True, "type \x1b[1mlab up\x1b[0m, then", id="terminal"),
        pytest.param(False, "type `lab up`, then", id="file"),
    ],
)
def test_what_is_typed_stands_out_in_prose(monkeypatch: pytest.MonkeyPatch, is_terminal: bool, told: str) -> None:
    """A terminal has a bold face; without one the marks are what tells a command from the words around it."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    assert prose("type `lab up`, then") == told
    assert prose("a single ` is no mark") == "a single ` is no mark"


def test_an_environment_keeps_its_colour() -> None:
    """By its place in the project, not by what else is shown; more environments than colours are no error."""
    names = [f"e{number}" for number in range(9)]
    assert colours_of(names)["e0"] == colours_of(names)["e6"] != colours_of(names)["e1"]


def test_an_error_is_one_line_then_details_then_the_hint(capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts find the line by its beginning."""
    print_error(NotReady("test is down", hint="multistack up test", details=["last words"]))
    assert capsys.readouterr().err == "error: test is down\n  last words\nhint: multistack up test\n"


def test_json_takes_dataclasses_sets_and_paths(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a command returns can be printed, the same each time."""

    @dataclass
    class Row:
        """Nested values."""

        process: ProcessId
        names: frozenset[str]
        path: Path

    print_json([Row(ProcessId(pid=1, started=2.0), frozenset("ba"), Path("/x"))])
    assert json.loads(capsys.readouterr().out) == [
        {"process": {"pid": 1, "started": 2.0}, "names": ["a", "b"], "path": "/x"}
    ]
