"""What a request to a space costs when the proxy has many of them, beside few."""

from __future__ import annotations

import contextlib
import http.client
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from emulator.model import STATE_FOLDER, Space
from emulator.routes import ROUTES_FILE, load_routes, publish_routes
from emulator.space_list import home_of, write_spaces
from emulator.space_tokens import Purpose, keep_key, make_token
from tests.benchmarks import upstream
from tests.benchmarks.figures import Figure, Result, Table, say

_SIZES = (3, 30)
_NAMES = ("test", "staging", "prod")
_ROUNDS, _REQUESTS = 8, 900
_REQUIRED = 1.1

# Path and token of a request.
Place = tuple[str, str]


def run() -> Result:
    """Ask all environments of all spaces in turn: of a few spaces, then of many, and again."""
    with contextlib.ExitStack() as stack:
        folder, _, origin = stack.enter_context(upstream.upstream())
        proxies = [stack.enter_context(_proxy(folder / f"proxy{size}", origin, size)) for size in _SIZES]
        connections = [http.client.HTTPConnection(address) for address, _ in proxies]
        measured: list[list[float]] = [[] for _ in _SIZES]
        for number in range(-1, _ROUNDS):
            order = range(len(_SIZES)) if number % 2 else reversed(range(len(_SIZES)))
            for at in order:
                taken = _ask(connections[at], proxies[at][1])
                measured[at] += taken if number >= 0 else []
        for connection in connections:
            connection.close()
    medians = [statistics.median(each) for each in measured]
    for size, median in zip(_SIZES, medians, strict=True):
        say(f"spaces: {median * 1000:.3f} ms at the median with {size} of them")
    return Result(title="Spaces", figures=[_figure(medians)], tables=[_table(medians)])


@contextlib.contextmanager
def _proxy(folder: Path, origin: str, size: int) -> Iterator[tuple[str, Sequence[Place]]]:
    """Host and port of a proxy with so many spaces, and all that can be asked of it."""
    with upstream.proxy(folder, origin, names=("own",)) as url:
        (route,) = load_routes(folder / ROUTES_FILE).values()
        now = datetime.now(UTC)
        spaces = {f"seat-{at:02d}": Space(name=f"seat-{at:02d}", number=at, at=now) for at in range(1, size + 1)}
        key = keep_key(folder)
        for name in spaces:
            home = home_of(folder, name) / STATE_FOLDER
            home.mkdir(parents=True)
            publish_routes(home / ROUTES_FILE, [replace(route, environment=one) for one in _NAMES])
        write_spaces(folder, spaces)
        tokens = {name: make_token(key, Purpose.ACCESS, space, expires=None) for name, space in spaces.items()}
        yield (
            url.removeprefix("http://"),
            [(f"/{name}/{one}/health", tokens[name]) for one in _NAMES for name in spaces],
        )


def _ask(connection: http.client.HTTPConnection, places: Sequence[Place]) -> list[float]:
    """Seconds of each request."""
    taken = []
    for number in range(_REQUESTS):
        path, token = places[number % len(places)]
        started = time.perf_counter()
        connection.request("GET", path, headers={"X-Multistack-Token": token})
        response = connection.getresponse()
        response.read()
        taken.append(time.perf_counter() - started)
        if response.status != 200:
            raise RuntimeError(f"{path} was answered with {response.status}")
    return taken


def _figure(medians: Sequence[float]) -> Figure:
    few, many = medians
    return Figure(
        name=f"proxy: a request with {_SIZES[1]} spaces, beside {_SIZES[0]}",
        required=f"<= {_REQUIRED:.2f} times",
        measured=f"{many / few:.2f} times",
        passed=many / few <= _REQUIRED,
        how=f"Medians of {_ROUNDS} times {_REQUESTS} requests, one after the other, to the {len(_NAMES)} environments "
        f"of all spaces in turn; the two proxies by turns, {upstream.name()} behind them.",
    )


def _table(medians: Sequence[float]) -> Table:
    return Table(
        title="Requests to spaces",
        columns=["spaces", "routes", "median"],
        rows=[
            [str(size), str(size * len(_NAMES)), f"{median * 1000:.2f} ms"]
            for size, median in zip(_SIZES, medians, strict=True)
        ],
        note="Each request carries its space's token, which is checked.",
    )
