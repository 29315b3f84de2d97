"""A replay as one page: no script, nothing from another host, so it can be kept as an artifact of a CI system."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from emulator.replay.results import Replay, Verdict
from emulator.replay_reports.sections import (
    FINDING_COLUMNS,
    LATENCY_COLUMNS,
    baseline_of,
    finding_rows,
    grouped,
    latency_rows,
    note_rows,
    title_of,
    verdict_of,
)
from emulator.svg_charts import draw, import_pygal, plain_style

# Requests that the page lists in each of its tables.
_MOST = 500
_SHARES = tuple(range(5, 101, 5))


def to_html(found: Replay) -> str:
    """The whole page."""
    groups = grouped(found.bad)
    page = _template().render(
        title=title_of(found),
        verdict=verdict_of(found),
        found=found,
        is_good=not groups,
        baseline=baseline_of(found),
        counts=[(verdict.value, count) for verdict, count in found.counts.items() if count],
        chart=Markup(_chart(found)),  # noqa: S704 (made by pygal, which escapes; names of environments are a-z0-9-)
        latency_columns=LATENCY_COLUMNS,
        latencies=latency_rows(found),
        finding_columns=FINDING_COLUMNS,
        findings=[row for one, count in groups[:_MOST] for row in finding_rows(one, count)],
        left=sum(count for _, count in groups[_MOST:]),
        notes=note_rows(found),
        slowest=sorted(
            (one for one in found.requests if one.verdict is not Verdict.SKIPPED and one.seconds is not None),
            key=lambda one: -(one.seconds or 0),
        )[:10],
    )
    return str(page)


@functools.cache
def _template() -> Any:
    loader = PackageLoader("emulator.replay_reports", "")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("report.html")


def _chart(found: Replay) -> str:
    """How many percent of the requests were answered within how many milliseconds, as SVG; nothing without answers."""
    sides = [
        (found.environment, [one.seconds for one in found.requests]),
        (baseline_of(found), [one.baseline_seconds for one in found.requests]),
    ]
    lines = [(name, sorted(one for one in seconds if one is not None)) for name, seconds in sides]
    if not lines[0][1]:
        return ""
    pygal, _ = import_pygal()
    chart = pygal.Line(
        js=(),
        style=plain_style("#0d9488", "#ea580c"),
        height=320,
        width=860,
        disable_xml_declaration=True,
        show_dots=False,
        stroke_style={"width": 2},
        x_title="percent of requests",
        y_title="ms",
        x_labels=[str(share) for share in _SHARES],
        legend_at_bottom=True,
        no_data_text="",
    )
    for name, seconds in lines:
        if seconds:
            chart.add(name, [_within(seconds, share) for share in _SHARES])
    return draw(chart)


def _within(seconds: Sequence[float], share: int) -> float:
    index = max(0, math.ceil(share / 100 * len(seconds)) - 1)
    return round(seconds[index] * 1000, 2)
