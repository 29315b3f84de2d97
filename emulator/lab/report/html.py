"""What experiments showed, as one page: no script, nothing from another host, so that it can be mailed and kept."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from emulator.lab.experiment import Experiment
from emulator.lab.report import texts
from emulator.lab.report.charts import LINES, timeline
from emulator.lab.report.matrix import HEADINGS, Sign, rows_of, scores_of, subtitle
from emulator.lab.results import Result


def to_html(experiments: Sequence[Experiment], results: Sequence[Result], *, driver: str) -> str:
    """The whole page, of what was run on *driver*."""
    rows = rows_of(experiments, results, driver=driver)
    page = _template().render(
        subtitle=subtitle(results, driver=driver),
        scores=scores_of(rows),
        headings=list(HEADINGS.values()),
        legend=[HEADINGS[one] for one in reversed(LINES)],
        rows=[row for row in rows if not row.experiment.is_control],
        controls=[row for row in rows if row.experiment.is_control],
        # Made by pygal, which escapes; what it is given are figures and words of ours.
        charts={row.experiment.id: Markup(timeline(row)) for row in rows},  # noqa: S704
        resources=texts.count_resources(),
        texts=texts,
        Sign=Sign,
    )
    return str(page)


@functools.cache
def _template() -> Any:
    loader = PackageLoader("emulator.lab.report", "")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["code"] = _code
    return made.get_template("report.html")


def _code(text: str) -> Markup:
    """What stands between backticks, as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else part for index, part in enumerate(parts)
    )
