"""The recorded capabilities are those of the conformance suite as it is now."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.capabilities import Outcome, read_capabilities, write_capabilities
from emulator.drivers.launcher.gaps import GAPS
from emulator.errors import MultistackError
from tests.conformance.cases import MOST_UNSUPPORTED
from tests.conformance.page import PAGE, page_of
from tests.conftest import REPOSITORY

_AGAIN = "run `make conformance`"


def declared_cases() -> Iterator[str]:
    """The ids of all tests that declare themselves a case."""
    for path in sorted((REPOSITORY / "tests" / "conformance").glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                topic = path.stem.removeprefix("test_").replace("_", "-")
                yield f"{topic}/{node.name.removeprefix('test_').replace('_', '-')}"


def test_every_case_is_recorded() -> None:
    """A case that was added or renamed shows in the matrix."""
    assert [case.id for case in read_capabilities().cases] == sorted(declared_cases()), _AGAIN


def test_the_page_shows_the_recorded_runs() -> None:
    """docs/capabilities.md is what the record says."""
    assert PAGE.read_text(encoding="utf-8") == page_of(read_capabilities()), _AGAIN


def test_the_embedded_driver_obeys_every_rule() -> None:
    """Of all cases at most four are declared unsupported, and none just fails."""
    found = read_capabilities()
    run = next(run for run in found.runs if run.driver == "embedded")
    outcomes = [run.outcome(case) for case in found.cases]
    assert set(outcomes) <= {Outcome.PASSED, Outcome.UNSUPPORTED}
    assert outcomes.count(Outcome.UNSUPPORTED) <= MOST_UNSUPPORTED
    assert outcomes.count(Outcome.PASSED) >= 40


def test_a_case_names_only_gaps_that_are_filled() -> None:
    """The column of additions leads to a module."""
    # ``functions`` is no module of gaps: it replaces MiniStack's workers as a whole.
    filled = {"functions", *GAPS}
    assert {case.gap for case in read_capabilities().cases if case.gap} <= filled


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """The record keeps everything."""
    found = read_capabilities()
    write_capabilities(found, tmp_path / "capabilities.json")
    assert read_capabilities(tmp_path / "capabilities.json") == found


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("{", id="no JSON"),
        pytest.param(json.dumps({"format": 99}), id="newer format"),
        pytest.param(json.dumps({"format": 1, "cases": [{"id": "x"}], "runs": {}}), id="a case without its fields"),
        pytest.param(
            json.dumps({"format": 1, "cases": [], "runs": {"x": {"emulator": "", "at": "", "results": 3}}}),
            id="results that are no table",
        ),
        pytest.param(json.dumps({"format": 1, "cases": [], "runs": []}), id="runs that are no table"),
    ],
)
def test_a_damaged_record_is_one_clear_line(tmp_path: Path, content: str) -> None:
    """A broken installation says so."""
    (tmp_path / "capabilities.json").write_text(content)
    with pytest.raises(MultistackError, match=r"recorded capabilities .* can't be read") as caught:
        read_capabilities(tmp_path / "capabilities.json")
    assert caught.value.hint == "install multistack again"
