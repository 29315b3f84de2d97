"""A replay of 1,000 requests against the rate at which the emulator takes them when it is called directly."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from emulator.replay.corpus import FOLDER
from emulator.routes import ROUTES_FILE, load_routes
from tests.benchmarks.figures import Figure, Result, Table, say
from tests.benchmarks.load import Load, generator, load
from tests.benchmarks.sample import fresh_project, up
from tests.conftest import ProjectFolder, http

_ROUNDS = 7
_SECONDS = 2
_REQUESTS = 1_000
_CONCURRENCY = 4
_REQUIRED = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What one replay said of itself."""

    rate: float
    median: float
    bad: int


def run() -> Result:
    """Replays and direct calls in turn, a pair per round."""
    with fresh_project() as folder:
        up(folder, "test")
        route = load_routes(folder.folder / ".multistack" / ROUTES_FILE)["test"]
        direct_url = f"{route.url}{route.apis[0].path}/health"
        record(folder)
        load(direct_url, connections=_CONCURRENCY, seconds=_SECONDS)
        _replay(folder)
        pairs = []
        for number in range(_ROUNDS):
            if number % 2:
                found = _replay(folder)
                pairs.append((load(direct_url, connections=_CONCURRENCY, seconds=_SECONDS), found))
            else:
                pairs.append((load(direct_url, connections=_CONCURRENCY, seconds=_SECONDS), _replay(folder)))
    return _result(pairs)


def record(folder: ProjectFolder) -> None:
    """A corpus of 1,000 times the request that costs the service least, with what it is answered now."""
    folder.run("record", "start", "seed")
    http("GET", folder.url("test", "health"))
    folder.run("record", "stop")
    path = folder.folder / FOLDER / "seed.jsonl"
    head, entry, *_ = path.read_bytes().splitlines(keepends=True)
    (path.parent / "many.jsonl").write_bytes(head + entry * _REQUESTS)


def _replay(folder: ProjectFolder) -> Replayed:
    arguments = ["--against", "test", "--concurrency", str(_CONCURRENCY), "--json"]
    found = json.loads(folder.run("replay", "many", *arguments).stdout)
    bad = found["counts"]["different"] + found["counts"]["no answer"]
    return Replayed(rate=found["rate"], median=found["latency"]["median"], bad=bad)


def _result(pairs: Sequence[tuple[Load, Replayed]]) -> Result:
    kept = statistics.median(found.rate / direct.rate for direct, found in pairs)
    bad = sum(found.bad + direct.errors for direct, found in pairs)
    say(f"replay: {kept:.0%} of the rate of direct calls, {bad} errors")
    figure = Figure(
        name=f"replay: {_REQUESTS} requests, {_CONCURRENCY} at once, of the rate of direct calls",
        required=f">= {_REQUIRED:.0%}",
        measured=f"{kept:.0%}" + (f", {bad} errors" if bad else ""),
        passed=kept >= _REQUIRED and not bad,
        how=f"{generator()} on the emulator for {_SECONDS} s, and a replay that compares each answer, "
        f"{_ROUNDS} pairs in turn; the median of the pairs' ratios.",
    )
    table = Table(
        title="Direct calls and a replay",
        columns=["direct", "replay", "direct", "replay"],
        rows=[
            [
                f"{direct.rate:.0f}/s",
                f"{found.rate:.0f}/s",
                f"{direct.median * 1000:.2f} ms",
                f"{found.median * 1000:.2f} ms",
            ]
            for direct, found in pairs
        ],
        note="The sample's GET /health. Client, proxy, emulator and functions share the cores.",
    )
    return Result(title="Replay", figures=[figure], tables=[table])
