"""Times over the last minutes as the paths of a small drawing, made of numbers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emulator.inspector.rates import Rate

WIDTH, HEIGHT = 240, 44
# Seconds that the whole height stands for, at least: noise of microseconds must not look like mountains.
_LEAST = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """
    Attributes:
        p50: Data of an SVG path; empty without requests.
        top: Seconds at its upper edge.
    """

    p50: str
    p95: str
    top: float


def draw(series: Sequence[Rate]) -> Chart:
    """The chart of *series*, oldest left."""
    top = max([_LEAST, *(rate.p95 for rate in series if rate.p95 is not None)])
    return Chart(p50=_path([one.p50 for one in series], top), p95=_path([one.p95 for one in series], top), top=top)


def _path(values: Sequence[float | None], top: float) -> str:
    """A line that pauses where nothing was measured."""
    step = WIDTH / max(1, len(values) - 1)
    parts, is_drawing = [], False
    for index, value in enumerate(values):
        if value is None:
            is_drawing = False
            continue
        x, y = index * step, HEIGHT - 2 - (HEIGHT - 4) * value / top
        # A point alone is a line of no length, which round ends make visible.
        parts.append(f"{'L' if is_drawing else 'M'}{x:.1f} {y:.1f}{'' if is_drawing else 'h0'}")
        is_drawing = True
    return "".join(parts)


def milliseconds(seconds: float | None) -> str:
    """A time as a person reads it; a dash for none."""
    if seconds is None:
        return "\N{EN DASH}"
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"
