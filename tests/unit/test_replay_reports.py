"""Reports of a replay: the same facts for each reader, and nothing of a request that acts in them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree

import click
import pytest

from emulator.differences import Difference, Finding, Kind, Mask, Part, Place
from emulator.render import print_json
from emulator.replay.results import RECORDED, Replay, Replayed, Verdict
from emulator.replay_reports.html import to_html
from emulator.replay_reports.junit import to_junit
from emulator.replay_reports.plain import as_plain
from emulator.replay_reports.sections import replay_sections
from emulator.reports import to_markdown, to_terminal

HOSTILE = "/<script>alert(1)</script>|\x00\x1b[31m\ud800&\"'"
EQUAL = Replayed(
    line=2, method="GET", target="/", verdict=Verdict.EQUAL, status=200, seconds=0.01, baseline_seconds=0.02
)


def different(*findings: Finding, line: int = 3, target: str = HOSTILE) -> Replayed:
    """A request that was answered otherwise."""
    difference = Difference(findings=findings)
    return replace(EQUAL, line=line, target=target, verdict=Verdict.DIFFERENT, difference=difference)


def changed(*at: str, value: str = "new") -> Finding:
    """A value that is another one."""
    return Finding(place=Place(Part.JSON, at), kind=Kind.CHANGED, baseline="old", value=value)


def replay(*requests: Replayed, unused: tuple[str, ...] = ()) -> Replay:
    """One with these."""
    return Replay(
        corpus="orders",
        environment="staging",
        release="r1",
        baseline=RECORDED,
        at=datetime(2026, 1, 2, tzinfo=UTC),
        seconds=2.0,
        requests=requests,
        unused=unused,
    )


BAD = replay(EQUAL, different(changed("a", value="<img src=x onerror=alert(2)>")))


def test_a_page_shows_a_hostile_request_and_runs_nothing_of_it() -> None:
    """Targets and values come from whoever could send a request."""
    page = to_html(replay(EQUAL, replace(BAD.requests[1], target=HOSTILE.replace("\ud800", ""))))
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_junit_is_xml_whatever_was_asked() -> None:
    """A test case for each request, with its difference."""
    suites = ElementTree.fromstring(to_junit(BAD))
    cases = list(suites.iter("testcase"))
    assert [len(list(case)) for case in cases] == [0, 1]
    assert suites.get("failures") == "1"
    (failure,) = cases[1]
    assert failure.text == "$.a: old -> <img src=x onerror=alert(2)>"


def test_skipped_requests_are_skipped_cases() -> None:
    """They are no failures, and no success either."""
    skipped = replace(EQUAL, verdict=Verdict.SKIPPED, reason="it may change something")
    suites = ElementTree.fromstring(to_junit(replay(skipped)))
    assert (suites.get("skipped"), suites.get("failures")) == ("1", "0")


def test_markdown_stays_one_table() -> None:
    """A bar in a target is no column."""
    text = to_markdown(replay_sections(replay(different(changed("a"), target="/a|b"))))
    (row,) = [line for line in text.splitlines() if "$.a" in line]
    assert row.replace("\\|", "").count("|") == 7


def test_equal_differences_are_told_once() -> None:
    """With how many requests have them."""
    same = [different(changed("a"), line=line, target="/x") for line in range(2, 1002)]
    text = click.unstyle(to_terminal(replay_sections(replay(*same, different(changed("b"), target="/x")))))
    rows = [line.split() for line in text.splitlines() if "GET" in line]
    assert [row[:5] for row in rows] == [["2", "GET", "/x", "1000", "$.a"], ["3", "GET", "/x", "1", "$.b"]]


def test_a_terminal_obeys_no_value() -> None:
    """An answer can hold anything."""
    text = to_terminal(replay_sections(replay(different(changed("a", value="\x1b[2J\x07new"), target="/x"))))
    assert "\x1b[2J" not in text
    assert "\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}new" in text


def test_another_status_says_it_all() -> None:
    """What the body of an error lacks is not listed."""
    status = Finding(place=Place(Part.STATUS), kind=Kind.CHANGED, baseline=200, value=500)
    text = to_terminal(replay_sections(replay(different(changed("a"), status, changed("b"), target="/x"))))
    assert "status" in text
    assert "and 2 more" in text
    assert "$.a" not in text


def test_what_was_masked_and_declared_in_vain_is_told() -> None:
    """Else nobody knows what the comparison is worth."""
    masked = Difference(masked=(Mask(place=Place(Part.JSON, ("at",)), why="differs each time"),))
    text = to_terminal(replay_sections(replay(replace(EQUAL, difference=masked), unused=("json_path $.old",))))
    assert "$.at" in text
    assert "masked: differs each time" in text
    assert "json_path $.old" in text


@pytest.mark.parametrize(
    ("requests", "is_equal"),
    [
        pytest.param([EQUAL], True, id="equal"),
        pytest.param(BAD.requests, False, id="different"),
        pytest.param([replace(EQUAL, verdict=Verdict.NO_ANSWER)], False, id="no answer"),
        pytest.param([replace(EQUAL, verdict=Verdict.SKIPPED)], False, id="nothing compared"),
        pytest.param([EQUAL, replace(EQUAL, verdict=Verdict.SKIPPED)], True, id="some skipped"),
    ],
)
def test_only_what_was_compared_is_equal(requests: list[Replayed], is_equal: bool) -> None:
    """A replay that compared nothing proves nothing."""
    assert replay(*requests).is_equal is is_equal


def test_json_has_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """And is JSON."""
    print_json(as_plain(BAD))
    found = json.loads(capsys.readouterr().out)
    assert found["counts"] == {"equal": 1, "different": 1, "no answer": 0, "not compared": 0, "skipped": 0}
    assert found["requests"][1]["differences"][0]["where"] == "$.a"
    assert found["latency"] == {"median": 0.01, "p95": 0.01, "p99": 0.01, "longest": 0.01}


def test_a_replay_without_answers_has_a_page_too() -> None:
    """Without a chart."""
    page = to_html(
        replay(replace(EQUAL, verdict=Verdict.NO_ANSWER, seconds=None, baseline_seconds=None, reason="gone"))
    )
    assert "<svg" not in page
    assert "gone" in page
