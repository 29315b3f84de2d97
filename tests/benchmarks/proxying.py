"""Figure 2: what the proxy costs, in time per request and in throughput."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from emulator.routes import ROUTES_FILE, load_routes
from tests.benchmarks import upstream
from tests.benchmarks.figures import Figure, Result, Table, say
from tests.benchmarks.load import Load, generator, load
from tests.benchmarks.sample import fresh_project, up
from tests.conftest import ProjectFolder

_ROUNDS = 5
_SECONDS = 2
_WARM_UPS = 8
_REQUIRED_ADDED = 0.7e-3
_REQUIRED_KEPT = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Runs without and with the proxy, a pair per round; one in which a starved machine answered nothing counts not."""

    upstream: str
    connections: int
    direct: Sequence[Load]
    proxied: Sequence[Load]

    @property
    def added(self) -> float:
        """Seconds that the proxy adds at the median: the median of the pairs' differences."""
        return statistics.median(proxied.median - direct.median for direct, proxied in self._answered())

    @property
    def kept(self) -> float:
        """The part of the direct throughput that is left: the median of the pairs' ratios."""
        return statistics.median(proxied.rate / direct.rate for direct, proxied in self._answered())

    @property
    def errors(self) -> int:
        """Requests of all runs that were not answered 200."""
        return sum(run.errors for run in (*self.direct, *self.proxied))

    def _answered(self) -> list[tuple[Load, Load]]:
        pairs = zip(self.direct, self.proxied, strict=True)
        return [(direct, proxied) for direct, proxied in pairs if direct.rate and proxied.rate]


def run() -> Result:
    """Measure at 1 and at 8 connections, against the sample and against an upstream that costs nothing."""
    with fresh_project() as folder:
        up(folder, "test")
        sample = [_measure("the sample's GET /health", *_urls(folder), connections=each) for each in (1, 8)]
    with upstream.fast_upstream() as (direct, proxied):
        fast = [_measure(upstream.name(), direct, proxied, connections=each) for each in (1, 8)]
    return Result(title="The proxy", figures=_figures(sample, fast), tables=[_table([*sample, *fast])])


def _urls(folder: ProjectFolder) -> tuple[str, str]:
    route = load_routes(folder.folder / ".multistack" / ROUTES_FILE)["test"]
    return f"{route.url}{route.apis[0].path}/health", folder.url("test", "health")


def _measure(name: str, direct: str, proxied: str, *, connections: int) -> Pairs:
    for url in (direct, proxied):
        _warm_up(url, connections=connections)
    runs: dict[str, list[Load]] = {direct: [], proxied: []}
    for number in range(_ROUNDS):
        for url in (direct, proxied) if number % 2 else (proxied, direct):
            runs[url].append(load(url, connections=connections, seconds=_SECONDS))
    pairs = Pairs(upstream=name, connections=connections, direct=runs[direct], proxied=runs[proxied])
    say(f"proxy, {name}, {connections} connections: {_ms(pairs.added)} added, {pairs.kept:.0%} of the throughput kept")
    return pairs


def _warm_up(url: str, *, connections: int) -> None:
    """Load until the rate grows no more: every connection at a time needs a function process of its own."""
    before = 0.0
    for _ in range(_WARM_UPS):
        now = load(url, connections=connections, seconds=1).rate
        if 0 < now <= before * 1.2:
            return
        before = now


def _figures(sample: Sequence[Pairs], fast: Sequence[Pairs]) -> list[Figure]:
    method = f"{generator()}, {_SECONDS} s per run, {_ROUNDS} pairs of runs, direct and proxied in turn"
    latencies = [
        Figure(
            name=f"proxy: added at the median, {pairs.upstream}, {pairs.connections} connection",
            required=f"<= {_ms(_REQUIRED_ADDED)}",
            measured=f"{_ms(pairs.added)}{_errors(pairs)}",
            passed=pairs.added <= _REQUIRED_ADDED and not pairs.errors,
            how=f"{method}; the median of the pairs' differences.",
        )
        for pairs in (sample[0], fast[0])
    ]
    busy = sample[1]
    kept = Figure(
        name=f"proxy: throughput kept, {busy.upstream}, {busy.connections} connections",
        required=f">= {_REQUIRED_KEPT:.0%}",
        measured=f"{busy.kept:.0%}{_errors(busy)}",
        passed=busy.kept >= _REQUIRED_KEPT and not busy.errors,
        how=f"{method}; the median of the pairs' ratios. Client, proxy, emulator and functions share the cores.",
    )
    return [*latencies, kept]


def _table(measured: Sequence[Pairs]) -> Table:
    return Table(
        title="Direct and through the proxy",
        columns=["upstream", "connections", "direct", "proxied", "added", "direct", "proxied", "kept", "errors"],
        rows=[
            [
                pairs.upstream,
                str(pairs.connections),
                _ms(statistics.median(run.median for run in pairs.direct)),
                _ms(statistics.median(run.median for run in pairs.proxied)),
                _ms(pairs.added),
                f"{statistics.median(run.rate for run in pairs.direct):.0f}/s",
                f"{statistics.median(run.rate for run in pairs.proxied):.0f}/s",
                f"{pairs.kept:.0%}",
                str(pairs.errors),
            ]
            for pairs in measured
        ],
        note=f"A Lambda call hides the proxy, {upstream.name()} with a fixed answer shows nothing but it: what it adds "
        "is required there too, what it keeps is not, since no proxy in Python keeps up with it.",
    )


def _errors(pairs: Pairs) -> str:
    return f", {pairs.errors} errors" if pairs.errors else ""


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"
