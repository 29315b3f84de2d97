"""The lab's report: what is counted, drawn and told, and that it needs nothing from elsewhere."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.errors import ConfigError, NotReady
from emulator.lab.experiments import find_experiment
from emulator.lab.report.charts import availability, timeline
from emulator.lab.report.html import to_html
from emulator.lab.report.markdown import matrix_lines, to_markdown
from emulator.lab.report.matrix import Sign, rows_of, scores_of
from emulator.lab.report.texts import count_resources
from emulator.lab.report.writing import default_paths, write_reports
from emulator.lab.results import Moment, Outcome, TypedLine
from tests.unit.lab_results import make_result

SINGLE = make_result(
    requests=3,
    wrong=2,
    undone_at=0.4,
    typed=[
        TypedLine(phase="set-up", line="aws set-up"),
        TypedLine(phase="mistake", line="aws <mistake>", answer="Refused: & told"),
    ],
    timeline=[
        Moment(at=-0.1, status=200, verdict="good"),
        Moment(at=0.02, status=200, verdict="wrong"),
        Moment(at=0.31, status=200, verdict="wrong"),
        Moment(at=0.32, status=200, verdict="good"),
    ],
)
MULTI = replace(
    SINGLE, topology="multi", seen="unhurt", told="nothing", wrong=0, first_failure_after=None, recovered_after=None
)
X03, X16 = (find_experiment(name) for name in ("X03", "X16"))


def test_what_could_not_be_seen_counts_for_nobody() -> None:
    """Neither what wasn't run nor what a driver can't do is a prod that was well."""
    elsewhere = replace(SINGLE, experiment="X16", outcome=Outcome.NOT_ON_DRIVER, seen="", reason="no such rule")
    rows = rows_of([X03, X16], [SINGLE, MULTI, elsewhere], driver="embedded")
    assert [(one.hurt, one.run) for one in scores_of(rows)] == [(1, 1), (0, 0), (0, 1)]
    assert [(cell.sign, cell.told, cell.note) for cell in rows[1].cells] == [
        (Sign.UNKNOWN, "not on this driver", "no such rule"),
        (Sign.UNKNOWN, "not run", ""),
        (Sign.UNKNOWN, "not run", ""),
    ]


def test_controls_are_no_part_of_the_score() -> None:
    """They hurt prod everywhere, by their making."""
    control = find_experiment("C01")
    rows = rows_of([control], [replace(SINGLE, experiment="C01")], driver="embedded")
    assert [one.run for one in scores_of(rows)] == [0, 0, 0]


def test_findings_stand_for_harm_that_no_request_shows() -> None:
    """What was found says more than that no request shows it."""
    unseen = replace(SINGLE, experiment="X16", seen="unseen", told="no request", findings=["3 lines in prod's log"])
    (row,) = rows_of([X16], [unseen], driver="embedded")
    assert (row.cells[0].sign, row.cells[0].told) == (Sign.HURT, "3 lines in prod's log")


def test_a_difference_from_what_was_expected_is_noted() -> None:
    """A report hides nothing that the run complained of."""
    differs = replace(SINGLE, outcome=Outcome.DIFFERS, reason="expected nothing")
    (row,) = rows_of([X03], [differs], driver="embedded")
    assert row.cells[0].note == "not as expected: expected nothing"
    assert "not as expected: expected nothing" in to_html([X03], [differs], driver="embedded")


@pytest.mark.parametrize(
    ("recovered", "says"),
    [
        pytest.param(
            0.03, "2 of 3 requests since the mistake, the first after 20 ms; well 30 ms after the undo", id="well again"
        ),
        pytest.param(
            1.25,
            "2 of 3 requests since the mistake, the first after 20 ms; well 1.2 s after the undo",
            id="after a while",
        ),
        pytest.param(
            None, "2 of 3 requests since the mistake, the first after 20 ms; not well again by undoing it", id="not"
        ),
    ],
)
def test_how_soon_prod_was_hurt_and_well_again_is_told(recovered: float | None, says: str) -> None:
    """From the mistake and from its undoing, each in a unit that is read."""
    (row,) = rows_of([X03], [replace(SINGLE, recovered_after=recovered), MULTI], driver="embedded")
    assert [cell.times for cell in row.cells] == [says, "", ""]


def test_availability_is_drawn_in_steps() -> None:
    """Each tenth of a second is the share of its requests that were good; where none ended, the next one begins."""
    assert availability(SINGLE.timeline) == [
        (-0.1, 100.0),
        (0.0, 100.0),
        (0.0, 0.0),
        (0.1, 0.0),
        (0.1, 50.0),
        (0.4, 50.0),
    ]


def test_a_timeline_that_was_not_measured_is_no_chart() -> None:
    """Nothing is drawn of nothing."""
    (row,) = rows_of([X03], [], driver="embedded")
    assert timeline(row) == ""


def test_the_page_needs_no_script_and_no_other_host() -> None:
    """It can be mailed, kept, and read offline; what it was given is text."""
    page = to_html([X03, X16], [SINGLE, MULTI], driver="embedded")
    assert "<script" not in page
    loaded = re.findall(r"""(?:src|xlink:href|<link[^>]*href)=["']([^"']*)""", page)
    assert loaded == []
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page
    assert "$ aws &lt;mistake&gt;\nRefused: &amp; told\n" in page
    assert "aws set-up" not in page


def test_a_table_of_markdown_keeps_its_columns() -> None:
    """Also when an answer holds what ends a cell."""
    odd = replace(SINGLE, told="a | b")
    (line,) = [one for one in to_markdown([X03], [odd], driver="embedded").splitlines() if one.startswith("| X03")]
    assert len(re.split(r"(?<!\\)\|", line)) == 7


def test_what_is_not_on_a_driver_is_said_once() -> None:
    """Below the tables, with its reason, and not in every cell of a row."""
    there = replace(SINGLE, outcome=Outcome.NOT_ON_DRIVER, seen="", told="", reason="no such rule")
    lines = list(matrix_lines(rows_of([X03], [there, replace(there, topology="multi")], driver="embedded")))
    assert "| ? not on this driver | ? not run | ? not on this driver |" in "\n".join(lines)
    assert lines[-2:] == ["", "- X03: no such rule"]
    assert "What is not on this driver:" not in list(matrix_lines(rows_of([X03], [SINGLE], driver="embedded")))


def test_resources_are_counted_in_the_templates() -> None:
    """What multi-stack costs is no guess: a single stack is smaller than three, and larger than one."""
    found = count_resources()
    assert found.each < found.single < found.multi == 3 * found.each


def test_the_latest_drivers_results_are_reported(tmp_path: Path) -> None:
    """Results of two drivers are never mixed into one matrix."""
    later = replace(SINGLE, driver="localstack", emulator="LocalStack 4.14.0", at="2026-11-27T20:00:00+00:00")
    (page,) = write_reports([tmp_path / "a.md"], [X03], [SINGLE, later], driver=None)
    assert "run on 2026-11-27, driver localstack (LocalStack 4.14.0)" in page.read_text()
    (page,) = write_reports([tmp_path / "b.md"], [X03], [SINGLE, later], driver="embedded")
    assert "run on 2026-11-26, driver embedded (ministack 1.5.33)" in page.read_text()


def test_results_of_several_days_are_told_so(tmp_path: Path) -> None:
    """Nothing is claimed to be as new as the last run when it isn't."""
    later = replace(MULTI, at="2026-11-28T20:00:00+00:00")
    (page,) = write_reports([tmp_path / "a.md"], [X03], [SINGLE, later], driver=None)
    assert "run from 2026-11-26 to 2026-11-28, driver embedded" in page.read_text()


def test_without_results_there_is_no_report(tmp_path: Path) -> None:
    """An empty matrix would look like a prod that was never hurt."""
    with pytest.raises(NotReady) as caught:
        write_reports(default_paths(tmp_path), [X03], [], driver=None)
    assert (caught.value.hint, list(tmp_path.iterdir())) == ("multistack lab run --all", [])


def test_a_report_in_the_way_of_a_folder_is_an_error(tmp_path: Path) -> None:
    """What can't be written is said in a line."""
    (tmp_path / "report.md").mkdir()
    with pytest.raises(ConfigError, match=r"can't write .*report\.md"):
        write_reports([tmp_path / "report.md"], [X03], [SINGLE], driver=None)
