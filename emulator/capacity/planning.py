"""What so many learners need, and whether given machines have it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from emulator.capacity.figures import Figures, Source
from emulator.capacity.limits import Limit, limits_of, once
from emulator.capacity.request import CLUSTERS, Request, check_request
from emulator.capacity.room import spaces_that_fit
from emulator.capacity.starts import start_of
from emulator.capacity.waves import Started, assumptions_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """
    One thing that is needed, of all machines together.

    Attributes:
        needed: None when nobody measured what one environment takes of it.
        there: None when it isn't known.
        unit: bytes, cores, seconds, or empty for a number of things.
    """

    what: str
    needed: float | None
    there: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What it takes.

    Attributes:
        limits: The lowest first.
        learners: How many fit.
        machines: How many such machines all learners need; None when no number of them is enough.
        start: How the start goes; None when its seconds were not measured.
        requests: How many per second all cores answer together, at most; None when nobody measured one.
        is_start_scaled: Its time was simulated for fewer spaces, and is in proportion.
        unknown: Figures that nobody measured, and that are in no sum.
    """

    request: Request
    needs: Sequence[Need]
    limits: Sequence[Limit]
    learners: int
    machines: int | None
    start: Started | None
    requests: float | None
    is_start_scaled: bool
    unknown: Sequence[str]
    sources: Sequence[Source]

    @property
    def fits(self) -> bool:
        """Whether all learners fit."""
        return self.request.learners <= self.learners

    @property
    def first(self) -> Limit:
        """What breaks first."""
        machines = self.request.machines
        return min(self.limits, key=lambda limit: limit.over(machines))


def plan(request: Request, figures: Figures) -> Plan:
    """
    Hold *request* against *figures*.

    Raises:
        ConfigError: A number in it is too small or too large.
    """
    check_request(request)
    limits = limits_of(figures, request.machine, environments=request.environments)
    assumed = assumptions_of(figures)
    start, is_scaled = (None, False) if assumed is None else start_of(request, assumed)
    return Plan(
        request=request,
        needs=_needs(request, figures, start),
        limits=limits,
        learners=spaces_that_fit(limits, request.environments, machines=request.machines),
        machines=_machines(request, limits),
        start=start,
        requests=request.machine.cores * request.machines / figures.request if figures.request else None,
        is_start_scaled=is_scaled,
        unknown=figures.unknown,
        sources=figures.sources,
    )


def _machines(request: Request, limits: Sequence[Limit]) -> int | None:
    own = [limit.most // request.environments for limit in limits if not limit.is_shared]
    if any(limit.most < request.total for limit in limits if limit.is_shared) or not own or min(own) == 0:
        return None
    return math.ceil(request.learners / min(own))


def _needs(request: Request, figures: Figures, start: Started | None) -> list[Need]:
    machine, machines, total = request.machine, request.machines, request.total
    base = once(figures) * (1 if request.driver in CLUSTERS else machines)

    def all_of(each: float | None, *, beside: float = 0.0) -> float | None:
        return None if each is None else each * total + beside

    memory = machine.memory * machines
    started, deploys = figures.start, figures.deploy
    each_start = started.most + deploys.most + (figures.command or 0.0) if started and deploys else None
    return [
        Need(what="memory, empty", needed=all_of(figures.memory_started, beside=base), there=memory, unit="bytes"),
        Need(what="memory, deployed", needed=all_of(figures.memory_deployed, beside=base), there=memory, unit="bytes"),
        Need(
            what="memory, functions running",
            needed=all_of(figures.memory_loaded, beside=base),
            there=memory,
            unit="bytes",
        ),
        Need(what="cores at rest", needed=all_of(figures.cores_at_rest), there=machine.cores * machines, unit="cores"),
        Need(
            what="processor time to start, at most",
            needed=all_of(each_start, beside=figures.command_once or 0.0),
            unit="seconds",
        ),
        Need(what="disk", needed=_disk(request, figures), unit="bytes"),
        Need(
            what="images pulled",
            needed=None if figures.image is None else figures.image * min(machines, request.learners),
            unit="bytes",
        ),
        Need(what="processes", needed=all_of(figures.processes)),
        Need(what="time to start", needed=start.seconds if start else None, unit="seconds"),
    ]


def _disk(request: Request, figures: Figures) -> float | None:
    """Of environments, spaces and images; unknown as soon as one of them is."""
    if figures.disk is None or figures.disk_space is None or figures.image is None:
        return None
    images = figures.image * min(request.machines, request.learners)
    return figures.disk * request.total + figures.disk_space * request.learners + images
