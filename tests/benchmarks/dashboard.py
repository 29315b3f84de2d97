"""The dashboard: how soon it is seen with many requests kept, and what open pages take from everybody else."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator.inspector.finding import Requests
from emulator.inspector.rows import REQUESTS_FILE
from tests.benchmarks import upstream
from tests.benchmarks.figures import Figure, Result, Table, say
from tests.benchmarks.load import Load, generator, load
from tests.benchmarks.sample import stop_group

_KEPT = 10_000
_PAINTS = 5
_REQUIRED_PAINT = 0.3
_PAGES = 10
_ROUNDS = 7
_SECONDS = 3
_REQUIRED_COST = 0.05
_CHROMIUM = Path("/usr/bin/chromium")
_SEEN = {
    "Environments": "/",
    "Requests": "/_multistack/requests",
    "History": "/_multistack/history",
    "Compare": "/_multistack/compare",
}
# What `live.js` does, without a browser beside it that would need the cores itself.
_VIEWER = """\
import http.client, sys, threading

host, pages = sys.argv[1], int(sys.argv[2])


def watch(page, topics):
    events = http.client.HTTPConnection(host)
    events.request("GET", "/_multistack/api/events?" + "&".join("topic=" + topic for topic in topics))
    stream = events.getresponse()
    again = http.client.HTTPConnection(host)
    while line := stream.readline():
        if line.startswith(b"data: "):
            again.request("GET", page, headers={"Accept": "text/html"})
            again.getresponse().read()


kinds = [("/", ["environments", "jobs"]), ("/_multistack/requests", ["requests"])]
threads = [threading.Thread(target=watch, args=kinds[number % 2]) for number in range(pages)]
for thread in threads:
    thread.start()
print("watching", flush=True)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Runs without and with open pages, a pair per round."""

    alone: Sequence[Load]
    watched: Sequence[Load]

    @property
    def cost(self) -> float:
        """The part of the throughput that is gone: the median of the pairs' ratios."""
        pairs = zip(self.alone, self.watched, strict=True)
        return 1 - statistics.median(watched.rate / alone.rate for alone, watched in pairs)

    @property
    def errors(self) -> int:
        """Requests of all runs that were not answered 200."""
        return sum(run.errors for run in (*self.alone, *self.watched))


def run() -> Result:
    """Fill the proxy's file of requests, look at its pages, then load it with and without pages open."""
    with upstream.upstream() as (folder, _, origin), upstream.proxy(folder / "proxy", origin) as base:
        url = f"{base}/fast/health"
        _fill(folder / "proxy" / REQUESTS_FILE, url)
        paints = {name: _paint(base + path) for name, path in _SEEN.items()} if _can_paint() else {}
        pairs = _watched(base, url)
    return Result(title="The dashboard", figures=_figures(paints, pairs), tables=[_table(paints)] if paints else [])


def _fill(file: Path, url: str) -> None:
    while Requests(file).newest() < _KEPT:
        load(url, connections=8, seconds=1)


def _can_paint() -> bool:
    with contextlib.suppress(ImportError):
        import playwright.sync_api  # noqa: F401

        return _CHROMIUM.exists()
    return False


def _paint(url: str) -> list[float]:
    """Seconds from asking for a page to its first contentful paint, each time in a browser that knows nothing yet."""
    from playwright.sync_api import sync_playwright

    times = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(_CHROMIUM), args=["--no-sandbox"])
        for _ in range(_PAINTS + 1):
            context = browser.new_context()
            page = context.new_page()
            page.goto(url)
            times.append(page.evaluate(_FIRST_PAINT) / 1000)
            context.close()
        browser.close()
    say(f"dashboard, {url}: {', '.join(f'{each * 1000:.0f}' for each in times)} ms")
    return times[1:]  # the first one starts the browser's processes


_FIRST_PAINT = """\
() => new Promise(resolve => new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (entry.name === "first-contentful-paint") resolve(entry.startTime);
}).observe({type: "paint", buffered: true}))
"""


def _watched(base: str, url: str) -> Pairs:
    load(url, connections=8, seconds=2)
    alone, watched = [], []
    for number in range(_ROUNDS):
        for is_watched in (False, True) if number % 2 else (True, False):
            with _viewers(base) if is_watched else contextlib.nullcontext():
                (watched if is_watched else alone).append(load(url, connections=8, seconds=_SECONDS))
    pairs = Pairs(alone=alone, watched=watched)
    say(f"dashboard: {_PAGES} open pages take {pairs.cost:.1%} of the throughput")
    return pairs


@contextlib.contextmanager
def _viewers(base: str) -> Iterator[None]:
    host = base.removeprefix("http://")
    viewers = subprocess.Popen(
        [sys.executable, "-c", _VIEWER, host, str(_PAGES)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        if viewers.stdout is not None:
            viewers.stdout.readline()
        time.sleep(1)
        yield
    finally:
        stop_group(viewers)
        time.sleep(0.5)


def _figures(paints: dict[str, list[float]], pairs: Pairs) -> list[Figure]:
    slowest = max((statistics.median(times), name) for name, times in paints.items()) if paints else None
    return [
        Figure(
            name=f"dashboard: first paint with {_KEPT:,} requests kept",
            required=f"<= {_REQUIRED_PAINT * 1000:.0f} ms",
            measured=f"{slowest[0] * 1000:.0f} ms ({slowest[1]})" if slowest else "no Chromium",
            passed=slowest[0] <= _REQUIRED_PAINT if slowest else None,
            how=f"Chromium's first-contentful-paint, median of {_PAINTS} with an empty cache; the slowest page.",
        ),
        Figure(
            name=f"dashboard: throughput that {_PAGES} open pages take",
            required=f"<= {_REQUIRED_COST:.0%}",
            measured=f"{pairs.cost:.1%}{f', {pairs.errors} errors' if pairs.errors else ''}",
            passed=pairs.cost <= _REQUIRED_COST and not pairs.errors,
            how=f"{generator()}, 8 connections, {_SECONDS} s per run, {_ROUNDS} pairs, with and without in turn, "
            f"{upstream.name()} behind; the pages' own work runs on the same cores.",
        ),
    ]


def _table(paints: dict[str, list[float]]) -> Table:
    return Table(
        title="First paint",
        columns=["page", "median", "slowest"],
        rows=[
            [name, f"{statistics.median(times) * 1000:.0f} ms", f"{max(times) * 1000:.0f} ms"]
            for name, times in paints.items()
        ],
        note=f"{_KEPT:,} requests are kept; a page lists the last 100 of them.",
    )
