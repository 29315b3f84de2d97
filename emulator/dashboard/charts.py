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
        p50: Data of an SVG path; empty without two values side by side.
        p50_dots: Data of one with the values that stand alone, lines of no length which round ends make dots.
        top: Seconds at its upper edge; None without requests.
    """

    p50: str
    p50_dots: str
    p95: str
    p95_dots: str
    top: float | None


def draw(series: Sequence[Rate]) -> Chart:
    """The chart of *series*, oldest left."""
    measured = [rate.p95 for rate in series if rate.p95 is not None]
    top = max([_LEAST, *measured])
    p50, p50_dots = _paths([one.p50 for one in series], top)
    p95, p95_dots = _paths([one.p95 for one in series], top)
    return Chart(p50=p50, p50_dots=p50_dots, p95=p95, p95_dots=p95_dots, top=top if measured else None)


def _paths(values: Sequence[float | None], top: float) -> tuple[str, str]:
    """Lines that pause where nothing was measured, and dots where a value has no neighbour."""
    step = WIDTH / max(1, len(values) - 1)
    runs: list[list[str]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{index * step:.1f} {HEIGHT - 2 - (HEIGHT - 4) * value / top:.1f}")
    lines = "".join(f"M{'L'.join(run)}" for run in runs if len(run) > 1)
    return lines, "".join(f"M{run[0]}h0" for run in runs if len(run) == 1)


def milliseconds(seconds: float | None) -> str:
    """A time as a person reads it; a dash for none."""
    if seconds is None:
        return "\N{EN DASH}"
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"
