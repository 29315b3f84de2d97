"""What experiments showed, as Markdown for a wiki, a pull request or the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from emulator.lab.experiment import Experiment
from emulator.lab.report import texts
from emulator.lab.report.matrix import HEADINGS, Row, rows_of, scores_of, subtitle
from emulator.lab.results import Result


def to_markdown(experiments: Sequence[Experiment], results: Sequence[Result], *, driver: str) -> str:
    """The whole report, but for the charts."""
    rows = rows_of(experiments, results, driver=driver)
    resources = texts.count_resources()
    lines = [
        "# Blast radius: what prod saw of mistakes meant for test",
        "",
        f"_{subtitle(results, driver=driver)}_",
        "",
        texts.LEAD,
        "",
        *matrix_lines(rows),
        "",
        "## What multi-stack costs, and what pays it back",
        "",
        f"The sample service is {resources.single} resources as a single stack for three environments, and"
        f" {resources.multi} as three stacks of {resources.each}.",
        "",
        *_list("It costs:", texts.COSTS),
        *_list("It pays back:", texts.RETURNS),
        *_list("A single stack is fine for:", texts.FINE),
        texts.ALIASES,
        "",
        "## Every mistake",
        "",
        *(line for row in rows for line in _details(row)),
        "## How it was measured",
        "",
        texts.MODEL,
    ]
    return "\n".join(lines) + "\n"


def matrix_lines(rows: Sequence[Row]) -> Iterator[str]:
    """The scores, the two tables, of experiments and of controls, and what the driver can't do."""
    yield from (f"- **{one.hurt} of {one.run}** hurt prod: {one.heading}" for one in scores_of(rows))
    yield ""
    yield from _table([row for row in rows if not row.experiment.is_control])
    yield ""
    yield "Controls, where a stack for each environment is no help:"
    yield ""
    yield from _table([row for row in rows if row.experiment.is_control])
    if missing := [f"- {row.experiment.id}: {reason}" for row in rows if (reason := _missing(row))]:
        yield ""
        yield "What is not on this driver:"
        yield ""
        yield from missing


def _missing(row: Row) -> str:
    """Why an experiment could not be run in some topology; empty if it could, or wasn't tried."""
    return next((cell.note for cell in row.cells if cell.is_missing), "")


def _table(rows: Sequence[Row]) -> Iterator[str]:
    yield f"| | mistake | {' | '.join(HEADINGS.values())} |"
    yield "|---|---|---|---|---|"
    for row in rows:
        cells = [
            f"{cell.sign.value} {cell.told}{f' ({cell.note})' if cell.note and not cell.is_missing else ''}".replace(
                "|", "\\|"
            )
            for cell in row.cells
        ]
        yield f"| {row.experiment.id} | {row.experiment.title} | {' | '.join(cells)} |"


def _details(row: Row) -> Iterator[str]:
    experiment = row.experiment
    yield f"### {experiment.id}: {experiment.title}"
    yield ""
    yield f"{experiment.meant} What makes it possible: {experiment.setting}."
    yield ""
    for cell in row.cells:
        times = f" ({cell.times})" if cell.times else ""
        yield f"- {HEADINGS[cell.topology]}: {cell.told}{times}. {cell.variant.why}"
    yield ""
    yield f"{experiment.basis.value.capitalize()}. {', '.join(f'<{source}>' for source in experiment.sources)}"
    yield ""


def _list(title: str, entries: Sequence[str]) -> Iterator[str]:
    yield title
    yield ""
    yield from (f"- {entry}" for entry in entries)
    yield ""
