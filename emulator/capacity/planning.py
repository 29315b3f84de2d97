"""What so many learners need, and whether given machines have it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from emulator.capacity.figures import Figures, Source, read_figures
from emulator.capacity.limits import MOST_SPACES, Limit, Machine, limits_of, once
from emulator.capacity.waves import Assumptions, Cluster, Started, assumptions_of, best_of, by_width, simulate
from emulator.capacity.words import show_size
from emulator.errors import ConfigError

# Account ids have five digits for an environment's number; nobody has so many of one service.
MOST_ENVIRONMENTS = 99
MOST_MACHINES = 100_000
# More environments than these are not simulated one by one: their time is in proportion.
_MOST_SIMULATED = 3_000
# Drivers that place environments on several machines for one command; with the others each machine has a project.
CLUSTERS = ("swarm", "kubernetes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    What somebody wants to run.

    Attributes:
        learners: How many spaces there are.
        environments: Of each space.
        width: How many spaces start at a time on a machine, or in a whole cluster; None: one per core.
    """

    learners: int
    environments: int
    driver: str
    machines: int = 1
    machine: Machine
    width: int | None = None

    @property
    def total(self) -> int:
        """All environments."""
        return self.learners * self.environments

    @property
    def busiest(self) -> int:
        """Spaces on the machine that has most of them."""
        return math.ceil(self.learners / self.machines)


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


def check_request(request: Request) -> None:
    """
    Refuse what can't be.

    Raises:
        ConfigError: A number is too small or too large.
    """
    for name, value, most, why in (
        ("--learners", request.learners, MOST_SPACES, "the account ids of spaces have six digits for its number"),
        ("--environments", request.environments, MOST_ENVIRONMENTS, "a service has a few"),
        ("--machines", request.machines, MOST_MACHINES, "of more nothing is known"),
        ("--width", request.width if request.width is not None else 1, MOST_SPACES, "there are no more spaces"),
    ):
        if not 1 <= value <= most:
            raise ConfigError(f"{name} must be from 1 to {most:,}, not {value:,}", hint=why if value > most else None)
    if not 0 < request.machine.cores <= 4096:
        raise ConfigError(f"--cores must be above 0 and at most 4096, not {request.machine.cores:g}")


def plan(request: Request, figures: Figures) -> Plan:
    """
    Hold *request* against *figures*.

    Raises:
        ConfigError: A number in it is too small or too large.
    """
    check_request(request)
    limits = limits_of(figures, request.machine, environments=request.environments)
    assumed = assumptions_of(figures)
    start, is_scaled = (None, False) if assumed is None else _start(request, assumed)
    return Plan(
        request=request,
        needs=_needs(request, figures, start),
        limits=limits,
        learners=_spaces_that_fit(limits, request.environments, machines=request.machines),
        machines=_machines(request, limits),
        start=start,
        requests=request.machine.cores * request.machines / figures.request if figures.request else None,
        is_start_scaled=is_scaled,
        unknown=figures.unknown,
        sources=figures.sources,
    )


def _spaces_that_fit(limits: Sequence[Limit], environments: int, *, machines: int) -> int:
    """Whole spaces: none is split between machines, but what all machines share has no such rest."""
    return min(
        limit.most // environments if limit.is_shared else limit.most // environments * machines for limit in limits
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


def width_of(request: Request) -> int:
    """Spaces that start at a time: as `space create` has it, one per core."""
    return request.width or max(1, int(request.machine.cores))


def _start(request: Request, assumed: Assumptions) -> tuple[Started, bool]:
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


def best_width(runs: Sequence[Started]) -> int:
    """See :func:`emulator.capacity.waves.best_of`."""
    return best_of(runs).width


@dataclass(frozen=True, slots=True)
class Room:
    """How many *spaces* one machine carries, and the *sentence* that says why no more."""

    spaces: int
    sentence: str


def room_for_spaces(*, memory: float, cores: float, environments: int, driver: str) -> Room:
    """
    How many spaces of so many environments a machine carries, by the measured figures.

    Args:
        memory: Bytes.
        driver: One of which nothing was measured is refused nothing but more spaces than there are numbers.
    """
    figures = read_figures().get(driver, Figures(driver=driver, sources=()))
    limits = limits_of(figures, Machine(memory=memory, cores=cores), environments=environments)
    spaces, first = _spaces_that_fit(limits, environments, machines=1), limits[0]
    return Room(
        spaces,
        f"a machine of {show_size(memory)} and {cores:g} cores carries {spaces} spaces of {environments} environments: "
        f"{first.name}, {first.why}",
    )


def most_spaces(memory: float, cores: float, environments: int, driver: str) -> int:
    """The number alone; see :func:`room_for_spaces`."""
    return room_for_spaces(memory=memory, cores=cores, environments=environments, driver=driver).spaces
