"""Prod's availability around a mistake, in every topology, as SVG that needs no script and no other host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emulator.lab.report.matrix import HEADINGS, Row
from emulator.lab.results import Moment, Result
from emulator.lab.topologies import Topology
from emulator.svg_charts import draw, import_pygal, plain_style

# Seconds of traffic that one point sums up.
_STEP = 0.1
# Seconds shown before the mistake; the traffic may have flowed for longer.
_BEFORE = 0.3
# What hurts is drawn last, over the line that stays at 100 %.
LINES = (Topology.MULTI, Topology.SAME_ACCOUNT, Topology.SINGLE)
# Told apart by those who see no red and green, and by their dashes.
_COLOURS = ("#2a9d8f", "#b7791f", "#d6455d", "#888888", "#888888")


def timeline(row: Row) -> str:
    """Percent of prod's calls that got what they should, by seconds since the mistake; nothing if nothing was run."""
    results = {cell.topology: cell.result for cell in row.cells if cell.result is not None and cell.result.timeline}
    if not results:
        return ""
    pygal, _ = import_pygal()
    chart = pygal.XY(
        js=(),
        style=plain_style(
            *_COLOURS,
            opacity=1,
            guide_stroke_color="currentColor",
            major_guide_stroke_color="currentColor",
            label_font_size=12,
            major_label_font_size=12,
        ),
        width=860,
        height=230,
        margin=4,
        disable_xml_declaration=True,
        show_dots=False,
        show_x_guides=False,
        show_legend=False,  # the page has one that wraps
        range=(0, 100),
        y_labels=(0, 50, 100),
        value_formatter=lambda value: f"{value:g} %",
        x_value_formatter=lambda value: f"{value:g} s",
        no_data_text="",
    )
    for topology, dashes in zip(LINES, ("6,3", "2,3", ""), strict=True):
        points = availability(results[topology].timeline) if topology in results else []
        stroke = {"width": 2.5, **({"dasharray": dashes} if dashes else {})}
        chart.add(HEADINGS[topology], points, stroke_style=stroke)
    for name, at in _marks(results):
        chart.add(name, [(at, 0), (at, 100)], stroke_style={"width": 1, "dasharray": "1,2"})
    return draw(chart)


def _marks(results: Mapping[Topology, Result]) -> list[tuple[str, float]]:
    """What happened when: the mistake is where time begins, and is undone in single-stack when it is."""
    single = results.get(Topology.SINGLE)
    return [("mistake", 0.0), *([("undone", round(single.undone_at, 2))] if single else [])]


def availability(timeline: Sequence[Moment]) -> list[tuple[float, float]]:
    """Seconds since the mistake, and percent of the requests that ended about then and were good, as steps."""
    steps: dict[int, list[bool]] = {}
    for moment in timeline:
        if moment.at >= -_BEFORE:
            steps.setdefault(int(moment.at // _STEP), []).append(moment.verdict == "good")
    points: list[tuple[float, float]] = []
    for step, good in sorted(steps.items()):
        percent = round(100 * sum(good) / len(good), 1)
        # From the end of the step before it, so that what took long is no slope.
        begin = points[-1][0] if points else round(step * _STEP, 2)
        points += [(begin, percent), (round((step + 1) * _STEP, 2), percent)]
    return points
