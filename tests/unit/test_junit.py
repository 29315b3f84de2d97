"""JUnit files in, Markdown and annotations out; and what a verification writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.cli import cli
from emulator.errors import ConfigError
from emulator.junit import read_suites, to_annotations, to_summary, write_verified
from emulator.model import Gate, GateResult, Phase

PYTEST = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="4" time="0.1">
<testcase classname="tests.test_orders" name="test_good" time="0.001" />
<testcase classname="tests.test_orders" name="test_skipped"><skipped message="no">x</skipped></testcase>
<testcase classname="tests.test_orders" name="test_bad"><failure message="assert 1 == 2&#10; + more">def test_bad():
&gt;       assert 1 == 2
conftest.py:3: in helper
tests/test_orders.py:12: AssertionError</failure></testcase>
<testcase classname="" name="tests.test_broken"><error message="100%, a: b">```</error></testcase>
</testsuite></testsuites>
"""


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A file as pytest writes it."""
    file = tmp_path / "tests.xml"
    file.write_text(PYTEST)
    return file


def test_a_summary_counts_and_shows_what_failed(report: Path) -> None:
    """One row for each suite; what a test said can't end its fence."""
    told = to_summary(read_suites([report]))
    assert "| ❌ pytest | 1 | 2 | 1 |" in told
    assert "**tests.test\\_orders: test\\_bad**" in told
    assert "````\n```\n````" in told


def test_annotations_are_where_the_test_failed(report: Path) -> None:
    """The file is that of the last line of the traceback, below the project's folder; what GitHub parses is encoded."""
    assert to_annotations(read_suites([report]), "service") == [
        "::error file=service/tests/test_orders.py,line=12,title=tests.test_orders%3A test_bad::assert 1 == 2",
        "::error title=tests.test_broken::100%25, a: b",
    ]


def test_what_a_verification_found_is_a_test_case_each(tmp_path: Path) -> None:
    """A suite for each environment; of a gate that failed the reason and what was said; no byte breaks the file."""
    gates = [
        Gate(name="GET /health", phase=Phase.AFTER, result=GateResult.PASSED, detail="200"),
        Gate(name="smoke tests", phase=Phase.AFTER, result=GateResult.FAILED, detail="ended with 1"),
    ]
    write_verified({"test": gates, "prod": gates[:1]}, {"test": "one\x00two"}, tmp_path / "verify.xml")
    first, second = read_suites([tmp_path / "verify.xml"])
    assert (first.name, first.passed, second.passed) == ("multistack verify test", 1, 1)
    assert [(one.name, one.message, one.text) for one in first.failed] == [
        ("test: smoke tests", "ended with 1", "one\N{REPLACEMENT CHARACTER}two")
    ]


@pytest.mark.parametrize("content", [None, "", "not XML", "<html/>"], ids=["missing", "empty", "text", "other XML"])
def test_what_is_no_report_is_refused(tmp_path: Path, content: str | None) -> None:
    """A summary of nothing would look like success."""
    file = tmp_path / "report.xml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=r"report\.xml"):
        read_suites([file])


def test_summary_prints_markdown_and_keeps_annotations_apart(report: Path) -> None:
    """stdout goes into a file, and GitHub reads annotations from the log."""
    done = CliRunner().invoke(cli, ["summary", "--annotations", str(report)])
    assert done.exit_code == 0
    assert done.stdout.startswith("| Suite |")
    assert "::error" not in done.stdout
    assert done.stderr.count("::error ") == 2
