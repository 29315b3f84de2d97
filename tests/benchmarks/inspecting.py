"""What it costs to keep every request, and what it takes of disk and memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from emulator.inspector.finding import Filter, Requests
from emulator.inspector.rows import REQUESTS_FILE
from emulator.model import InspectorSettings
from emulator.process import read_record
from tests.benchmarks import upstream
from tests.benchmarks.figures import MB, Figure, Result, Table, say
from tests.benchmarks.load import Load, generator, load

_ROUNDS = 7
_SECONDS = 2
_REQUIRED_ADDED = 0.3e-3
_MANY = 100_000
# Small enough to be reached by the requests of the benchmark.
_BOUNDS = InspectorSettings(max_requests=5_000, max_bytes=MB)
# What waits to be written, SQLite's cache, and what the allocator keeps of both.
_REQUIRED_MEMORY = 48 * MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Runs with the inspector off and on, a pair per round."""

    connections: int
    off: Sequence[Load]
    on: Sequence[Load]

    @property
    def added(self) -> float:
        """Seconds more at the median: the median of the pairs' differences."""
        return statistics.median(on.median - off.median for off, on in zip(self.off, self.on, strict=True))

    @property
    def kept(self) -> float:
        """The part of the throughput that is left."""
        return statistics.median(on.rate / off.rate for off, on in zip(self.off, self.on, strict=True))

    @property
    def errors(self) -> int:
        """Requests of all runs that were not answered 200."""
        return sum(run.errors for run in (*self.off, *self.on))


@dataclass(frozen=True, slots=True, kw_only=True)
class Endurance:
    """
    What a proxy took while it kept many requests.

    Attributes:
        file: Bytes of the file and what lies beside it, at most.
        grown: Bytes of memory more than at the beginning, at most.
        kept: Requests in the file at the end.
    """

    requests: int
    file: int
    grown: int
    kept: int


def run() -> Result:
    """Measure at 1 and at 8 connections, then keep 100,000 requests."""
    with upstream.upstream() as (folder, _, origin):
        off_settings = InspectorSettings(enabled=False)
        with (
            upstream.proxy(folder / "off", origin, inspector=off_settings) as off,
            upstream.proxy(folder / "on", origin) as on,
        ):
            pairs = [_measure(f"{off}/fast/health", f"{on}/fast/health", connections=each) for each in (1, 8)]
        with upstream.proxy(folder / "many", origin, inspector=_BOUNDS) as url:
            endurance = _endure(folder / "many", f"{url}/fast/health")
    return Result(title="The inspector", figures=_figures(pairs, endurance), tables=[_table(pairs)])


def _measure(off: str, on: str, *, connections: int) -> Pairs:
    for url in (off, on):
        load(url, connections=connections, seconds=1)
    runs: dict[str, list[Load]] = {off: [], on: []}
    for number in range(_ROUNDS):
        for url in (off, on) if number % 2 else (on, off):
            runs[url].append(load(url, connections=connections, seconds=_SECONDS))
    pairs = Pairs(connections=connections, off=runs[off], on=runs[on])
    say(f"inspector, {connections} connections: {_ms(pairs.added)} added, {pairs.kept:.0%} of the throughput kept")
    return pairs


def _endure(folder: Path, url: str) -> Endurance:
    load(url, connections=8, seconds=2)
    record = read_record(folder)
    if record is None:
        raise RuntimeError("the proxy has no record")
    process = psutil.Process(record.process.pid)
    before = process.memory_info().rss
    requests, largest, most = 0, 0, before
    while requests < _MANY:
        one = load(url, connections=8, seconds=1)
        requests += round(one.rate)
        largest = max(largest, sum(path.stat().st_size for path in folder.glob(f"{REQUESTS_FILE}*")))
        most = max(most, process.memory_info().rss)
    time.sleep(1)
    kept = len(Requests(folder / REQUESTS_FILE).find(Filter()))
    sizes = f"file {largest / MB:.1f} MB, memory +{(most - before) / MB:.1f} MB"
    say(f"inspector: {requests} requests, {sizes}, {kept} kept")
    return Endurance(requests=requests, file=largest, grown=most - before, kept=kept)


def _figures(pairs: Sequence[Pairs], endurance: Endurance) -> list[Figure]:
    single = pairs[0]
    method = (
        f"{generator()}, {_SECONDS} s per run, {_ROUNDS} pairs of runs, off and on in turn, {upstream.name()} behind"
    )
    is_bounded = endurance.file <= _BOUNDS.max_bytes and 0 < endurance.kept <= _BOUNDS.max_requests
    return [
        Figure(
            name="inspector: added at the median, 1 connection",
            required=f"<= {_ms(_REQUIRED_ADDED)}",
            measured=f"{_ms(single.added)}{f', {single.errors} errors' if single.errors else ''}",
            passed=single.added <= _REQUIRED_ADDED and not single.errors,
            how=f"{method}; the median of the pairs' differences.",
        ),
        Figure(
            name=f"inspector: its file after {_MANY:,} requests",
            required=f"<= {_BOUNDS.max_bytes / MB:.0f} MB, {_BOUNDS.max_requests} requests",
            measured=f"{endurance.file / MB:.1f} MB, {endurance.kept} requests",
            passed=is_bounded,
            how=f"{endurance.requests:,} requests over 8 connections; the largest size seen, journal included.",
        ),
        Figure(
            name=f"inspector: memory after {_MANY:,} requests",
            required=f"<= {_REQUIRED_MEMORY / MB:.0f} MB more",
            measured=f"{endurance.grown / MB:.1f} MB more",
            passed=endurance.grown <= _REQUIRED_MEMORY,
            how="The proxy's resident memory at most, against that after its first requests.",
        ),
    ]


def _table(measured: Sequence[Pairs]) -> Table:
    return Table(
        title="The proxy with the inspector off and on",
        columns=["connections", "off", "on", "added", "off", "on", "kept", "errors"],
        rows=[
            [
                str(pairs.connections),
                _ms(statistics.median(run.median for run in pairs.off)),
                _ms(statistics.median(run.median for run in pairs.on)),
                _ms(pairs.added),
                f"{statistics.median(run.rate for run in pairs.off):.0f}/s",
                f"{statistics.median(run.rate for run in pairs.on):.0f}/s",
                f"{pairs.kept:.0%}",
                str(pairs.errors),
            ]
            for pairs in measured
        ],
        note="Writing shares the interpreter with answering: requests as fast as one proxy can take them are the worst "
        "case, and those that can't be written in time are answered and not kept.",
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"
