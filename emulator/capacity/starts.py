"""How long the spaces of a request take to start, one by one or in proportion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from emulator.capacity.figures import Figures
from emulator.capacity.request import CLUSTERS, Request, check_request, width_of
from emulator.capacity.waves import Assumptions, Cluster, Started, assumptions_of, by_width, simulate
from emulator.errors import ConfigError

# More environments than these are not simulated one by one: their time is in proportion.
_MOST_SIMULATED = 3_000


def start_of(request: Request, assumed: Assumptions) -> tuple[Started, bool]:
    """How the start goes, and whether it was simulated for fewer spaces and is in proportion."""
    simulated, share = _simulated(request)
    started = simulate(
        simulated, request.environments, width=width_of(request), assumed=assumed, cluster=cluster_of(request)
    )
    return _in_proportion(started, share), share > 1


def _simulated(request: Request) -> tuple[int, float]:
    """
    How many spaces are simulated, and what part of all that makes them.

    All are those of a cluster, or of the machine that has most of them: each has a command of its own.
    """
    spaces = request.learners if request.driver in CLUSTERS else request.busiest
    simulated = min(spaces, max(1, _MOST_SIMULATED // request.environments))
    return simulated, spaces / simulated


def _in_proportion(started: Started, share: float) -> Started:
    return replace(
        started,
        seconds=started.seconds * share,
        worked=started.worked * share,
        peak_memory=started.peak_memory * share,
    )


def cluster_of(request: Request) -> Cluster:
    """What one command starts things on."""
    return Cluster(
        hosts=request.machines if request.driver in CLUSTERS else 1,
        cores=request.machine.cores,
        bandwidth=request.machine.bandwidth,
    )


def starts_by_width(request: Request, figures: Figures, *, widest: int) -> Sequence[Started]:
    """
    The same start with 1 to *widest* spaces at a time.

    Raises:
        ConfigError: The seconds of a start were not measured, or a number is too small or too large.
    """
    check_request(request)
    if not 1 <= widest <= 64:
        raise ConfigError(f"--waves must be from 1 to 64, not {widest:,}")
    assumed = assumptions_of(figures)
    if assumed is None:
        raise ConfigError(
            f"how long an environment of driver {figures.driver} takes to start was not measured",
            hint="leave --waves out",
        )
    spaces, share = _simulated(request)
    widths = range(1, min(widest, spaces) + 1)
    runs = by_width(spaces, request.environments, widths=widths, assumed=assumed, cluster=cluster_of(request))
    return [_in_proportion(run, share) for run in runs]
