"""Requests as fast as they are answered, over a fixed number of kept-open connections."""

from __future__ import annotations

import http.client
import shutil
import statistics
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """
    What a run of requests showed.

    Attributes:
        median: Seconds for one request.
        rate: Requests per second.
        errors: Requests that broke, or were answered with another status than 200.
    """

    median: float
    rate: float
    errors: int


def generator() -> str:
    """What sends the requests."""
    return "wrk" if shutil.which("wrk") else "Python's http.client, a thread per connection"


def load(url: str, *, connections: int, seconds: int) -> Load:
    """GET *url* for *seconds*."""
    if shutil.which("wrk"):
        return _wrk(url, connections=connections, seconds=seconds)
    deadline = time.monotonic() + seconds
    with ThreadPoolExecutor(connections) as pool:
        runs = list(pool.map(lambda _: _one_connection(url, deadline), range(connections)))
    times = [took for run in runs for took, _ in run]
    errors = sum(not is_good for run in runs for _, is_good in run)
    return Load(median=statistics.median(times), rate=len(times) / seconds, errors=errors)


def _wrk(url: str, *, connections: int, seconds: int) -> Load:
    options = ["--threads=1", f"--connections={connections}", f"--duration={seconds}s", "--timeout=10s"]
    done = subprocess.run(
        ["wrk", *options, f"--script={_SCRIPT}", url], capture_output=True, text=True, timeout=seconds + 30, check=True
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    requests, duration, broken, statuses, median = line.split()[1:]
    return Load(
        median=float(median) / 1e6,
        rate=int(requests) / (int(duration) / 1e6),
        errors=int(broken) + int(statuses),
    )


def _one_connection(url: str, deadline: float) -> Sequence[tuple[float, bool]]:
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=30.0)
    taken = []
    try:
        while (begun := time.perf_counter()) and time.monotonic() < deadline:
            try:
                connection.request("GET", f"/{path}")
                response = connection.getresponse()
                response.read()
                is_good = response.status == 200
            except (OSError, http.client.HTTPException):
                connection.close()
                is_good = False
            taken.append((time.perf_counter() - begun, is_good))
    finally:
        connection.close()
    return taken
