"""What experiments of the lab showed, as a page of the proxy's own: the matrix, and the whole report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.lab.project import lab_folder
from emulator.lab.results import RESULTS_FILE, Result, read_results

if TYPE_CHECKING:
    from emulator.lab.report.matrix import Row, Score

# The report brings its style along, and loads nothing at all.
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabFacts:
    """
    What was run, on the driver of the latest run.

    Attributes:
        subtitle: When and on what; rows without it are of nothing that was run.
    """

    subtitle: str
    headings: Sequence[str]
    scores: Sequence[Score]
    rows: Sequence[Row]


def lab_results(state: Path) -> list[Result]:
    """
    Of the lab beside the project with the folder *state*, or of the lab that this project is.

    Raises:
        MultistackError: They can't be read.
    """
    return read_results(lab_folder(state.parent) / RESULTS_FILE)


def lab_facts(results: Sequence[Result]) -> LabFacts:
    """The matrix of *results*, of which there must be some."""
    from emulator.lab.experiments import EXPERIMENTS
    from emulator.lab.report.matrix import HEADINGS, rows_of, scores_of, subtitle

    driver = _latest_driver(results)
    rows = rows_of(EXPERIMENTS, results, driver=driver)
    return LabFacts(
        subtitle=subtitle(results, driver=driver), headings=list(HEADINGS.values()), scores=scores_of(rows), rows=rows
    )


def lab_report(results: Sequence[Result]) -> str:
    """The page that ``multistack lab report`` writes."""
    from emulator.lab.experiments import EXPERIMENTS
    from emulator.lab.report.html import to_html

    return to_html(EXPERIMENTS, results, driver=_latest_driver(results))


def _latest_driver(results: Sequence[Result]) -> str:
    return max(results, key=lambda one: one.at).driver
