"""
How long it takes to start many spaces, so many at a time: a simulation by events.

What it assumes: a space's environments start together. Each waits for its machine's image and for whatever places it,
then the command works for it, then its emulator does. The command is one process that has one core for all, its share
of it for each; an emulator has a core at most; on a machine that has more to do than cores, all get the same. A space
that is up makes way for the next one.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from emulator.capacity.figures import Figures, Span

# What is left of a phase when rounding made it less than nothing; seconds.
_NOTHING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """
    What an environment takes, as measured.

    Attributes:
        start: Seconds of processor time of its emulator, drawn between least and most for each.
        command: Seconds of processor time of the command for each environment.
        command_once: The same, before the first one.
        peak: Bytes while it starts.
        deployed: Bytes from then on.
        once: Bytes of what is there once.
        image: Bytes that each machine pulls before its first environment.
    """

    start: Span
    deploy: Span
    command: float = 0.0
    command_once: float = 0.0
    wait: Span = Span(0.0, 0.0)  # noqa: RUF009 (frozen)
    peak: float = 0.0
    deployed: float = 0.0
    once: float = 0.0
    image: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Machines that are alike; the command runs on the first one. *bandwidth*, bytes per second, is each one's own."""

    hosts: int
    cores: float
    bandwidth: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """
    What came of it.

    Attributes:
        peak_memory: Bytes, of the machine that had most, at its worst moment.
        peak_concurrency: Environments that were starting at once.
        worked: Seconds of processor time that were spent; as many as all environments needed.
        pulled: Bytes of images.
    """

    width: int
    seconds: float
    peak_memory: float
    peak_concurrency: int
    worked: float
    pulled: float


def assumptions_of(figures: Figures) -> Assumptions | None:
    """What is needed of *figures*; None when the seconds of a start were not measured."""
    if figures.start is None or figures.deploy is None:
        return None
    deployed = figures.memory_deployed or 0.0
    return Assumptions(
        start=figures.start,
        deploy=figures.deploy,
        command=figures.command or 0.0,
        command_once=figures.command_once or 0.0,
        wait=figures.wait or Span(0.0, 0.0),
        peak=max(figures.memory_peak or 0.0, deployed),
        deployed=deployed,
        once=(figures.memory_command or 0.0) + (figures.memory_proxy or 0.0),
        image=figures.image or 0.0,
    )


@dataclass(slots=True)
class _Job:
    """One environment on its way: seconds to wait, then of the command, then of its emulator."""

    space: int
    host: int
    wait: float
    command: float
    emulator: float

    @property
    def is_over(self) -> bool:
        return self.wait <= _NOTHING and self.command <= _NOTHING and self.emulator <= _NOTHING


@dataclass(slots=True)
class _Run:
    """The state of a simulation between two events."""

    environments: int
    assumed: Assumptions
    cluster: Cluster
    seed: int
    now: float = 0.0
    worked: float = 0.0
    jobs: list[_Job] = field(default_factory=list)
    pulled_at: dict[int, float] = field(default_factory=dict)
    up: dict[int, int] = field(default_factory=dict)

    def admit(self, space: int) -> None:
        """Its environments begin; what each takes depends on the seed and on the space, and on nothing else."""
        drawn = random.Random(self.seed * 1_000_003 + space)  # noqa: S311 (no secret)
        host = space % self.cluster.hosts
        ready = self.pulled_at.setdefault(host, self.now + self._pull())
        for number in range(self.environments):
            once = self.assumed.command_once if space == number == 0 else 0.0
            self.jobs.append(
                _Job(
                    space=space,
                    host=host,
                    wait=max(0.0, ready - self.now) + _draw(drawn, self.assumed.wait),
                    command=self.assumed.command + once,
                    emulator=_draw(drawn, self.assumed.start) + _draw(drawn, self.assumed.deploy),
                )
            )

    def _pull(self) -> float:
        return self.assumed.image / self.cluster.bandwidth if self.cluster.bandwidth else 0.0

    def step(self) -> list[_Job]:
        """Go on to the next event; returns those whose environment is up by then."""
        rates = self._rates()
        took = min(_next(job, rate) for job, rate in zip(self.jobs, rates, strict=True))
        self.now += took
        for job, rate in zip(self.jobs, rates, strict=True):
            self._advance(job, rate, took)
        over = [job for job in self.jobs if job.is_over]
        self.jobs = [job for job in self.jobs if not job.is_over]
        for job in over:
            self.up[job.host] = self.up.get(job.host, 0) + 1
        return over

    def _advance(self, job: _Job, rate: float, took: float) -> None:
        if job.wait > _NOTHING:
            job.wait -= took
        elif job.command > _NOTHING:
            self.worked += min(job.command, rate * took)
            job.command -= rate * took
        else:
            self.worked += min(job.emulator, rate * took)
            job.emulator -= rate * took

    def _rates(self) -> list[float]:
        """Seconds of processor time per second that each gets; 1 for those that only wait."""
        commanded, threads = 0, {0: 0}
        for job in self.jobs:
            if job.wait <= _NOTHING:
                if job.command > _NOTHING:
                    commanded += 1
                else:
                    threads[job.host] = threads.get(job.host, 0) + 1
        threads[0] += commanded > 0
        shares = {host: min(1.0, self.cluster.cores / count) if count else 1.0 for host, count in threads.items()}
        return [self._rate(job, shares, commanded) for job in self.jobs]

    @staticmethod
    def _rate(job: _Job, shares: Mapping[int, float], commanded: int) -> float:
        if job.wait > _NOTHING:
            return 1.0
        return shares[0] / commanded if job.command > _NOTHING else shares[job.host]

    def memory(self) -> float:
        """Bytes of the machine that has most, of those on which something starts, and of the first one."""
        starting: dict[int, int] = {0: 0}
        for job in self.jobs:
            starting[job.host] = starting.get(job.host, 0) + 1
        return max(
            self.up.get(host, 0) * self.assumed.deployed
            + count * self.assumed.peak
            + (self.assumed.once if host == 0 else 0.0)
            for host, count in starting.items()
        )


def _next(job: _Job, rate: float) -> float:
    if job.wait > _NOTHING:
        return job.wait
    return (job.command if job.command > _NOTHING else job.emulator) / rate


def _draw(drawn: random.Random, span: Span) -> float:
    return drawn.uniform(span.least, span.most)


def simulate(
    spaces: int, environments: int, *, width: int, assumed: Assumptions, cluster: Cluster, seed: int = 0
) -> Started:
    """
    Start *spaces* of so many *environments* each, *width* spaces at a time.

    The same arguments give the same result.
    """
    run = _Run(environments=environments, assumed=assumed, cluster=cluster, seed=seed)
    waiting, left = deque(range(spaces)), dict.fromkeys(range(spaces), environments)
    peak, most = 0.0, 0
    starting = 0
    while waiting or run.jobs:
        while waiting and starting < width:
            run.admit(waiting.popleft())
            starting += 1
        peak, most = max(peak, run.memory()), max(most, len(run.jobs))
        for job in run.step():
            left[job.space] -= 1
            starting -= left[job.space] == 0
    return Started(
        width=width,
        seconds=run.now,
        peak_memory=peak,
        peak_concurrency=most,
        worked=run.worked,
        pulled=assumed.image * len(run.pulled_at),
    )


def by_width(
    spaces: int, environments: int, *, widths: Sequence[int], assumed: Assumptions, cluster: Cluster, seed: int = 0
) -> Sequence[Started]:
    """The same start with each of *widths*."""
    return [
        simulate(spaces, environments, width=width, assumed=assumed, cluster=cluster, seed=seed) for width in widths
    ]


def best_of(runs: Sequence[Started]) -> Started:
    """The narrowest of those that take at most a hundredth longer than the fastest: what is wider only takes memory."""
    fastest = min(run.seconds for run in runs)
    return min((run for run in runs if run.seconds <= fastest * 1.01), key=lambda run: run.width)
