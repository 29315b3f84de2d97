"""What it takes to ask several environments at once, against asking the slowest of them alone."""

from __future__ import annotations

import contextlib
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator.ports import HOST
from tests.benchmarks.figures import Figure, Result, Table, say
from tests.benchmarks.sample import await_answers, free_port, fresh_project, stop_group, up
from tests.benchmarks.upstream import proxy

_ROUNDS = 40
_WARM_UPS = 5
_WAIT = 0.02
_REQUIRED = {3: 1.3, 10: 2.0}
_SERVER = f"""\
import asyncio, sys

HEAD = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: 16\\r\\n\\r\\n"
ANSWER = HEAD + b'{{"status": "ok"}}'


class Server(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        asyncio.get_running_loop().call_later({_WAIT}, self.transport.write, ANSWER)


async def main(port):
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", port)
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1])))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """
    Seconds at the median.

    Attributes:
        slowest: Of the environments, each asked alone through the proxy.
        together: All of them asked at once.
    """

    upstream: str
    count: int
    slowest: float
    together: float

    @property
    def ratio(self) -> float:
        """What asking all takes, in times of asking the slowest."""
        return self.together / self.slowest


def run() -> Result:
    """Measure environments that wait, and those of the sample, which share this machine's cores."""
    with _waiting(max(_REQUIRED)) as (port, names):
        waiting = [_measure(f"each waits {_WAIT * 1000:.0f} ms", port, names[:count]) for count in _REQUIRED]
    with fresh_project() as folder:
        up(folder)
        port = int(folder.url("test", "").split(":")[2].partition("/")[0])
        sample = _measure("the sample's GET /health", port, ["test", "staging", "prod"])
    return Result(title="Several environments at once", figures=_figures(waiting), tables=[_table([*waiting, sample])])


def _measure(upstream: str, port: int, names: Sequence[str]) -> Asked:
    """Alone and together in turn, so that a busy moment meets both."""
    alone: dict[str, list[float]] = {name: [] for name in names}
    together: list[float] = []
    with contextlib.closing(http.client.HTTPConnection(HOST, port, timeout=30)) as connection:
        for number in range(_WARM_UPS + _ROUNDS):
            found = {name: _ask(connection, name) for name in names}
            # A comma makes a list of one name.
            whole = _ask(connection, ",".join([*names, ""]))
            if number >= _WARM_UPS:
                together.append(whole)
                for name, seconds in found.items():
                    alone[name].append(seconds)
    slowest = max(statistics.median(seconds) for seconds in alone.values())
    asked = Asked(upstream=upstream, count=len(names), slowest=slowest, together=statistics.median(together))
    say(f"fan-out to {asked.count}, {upstream}: {asked.together * 1000:.1f} ms, {asked.ratio:.2f} times the slowest")
    return asked


def _ask(connection: http.client.HTTPConnection, names: str) -> float:
    started = time.perf_counter()
    connection.request("GET", "/health", headers={"X-Multistack-Environment": names})
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise RuntimeError(f"{names}: {response.status}")
    return time.perf_counter() - started


@contextlib.contextmanager
def _waiting(count: int) -> Iterator[tuple[int, list[str]]]:
    """The port of a proxy, and the names of its environments: one server that answers after a wait is all of them."""
    with tempfile.TemporaryDirectory(prefix="multistack-bench-fan-out-") as root:
        folder, port = Path(root), free_port()
        server = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(port)],
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        try:
            url = f"http://{HOST}:{port}"
            await_answers([url], started=time.monotonic(), is_alive=lambda: server.poll() is None)
            names = [f"environment-{number}" for number in range(count)]
            with proxy(folder / "proxy", url, names=names) as front:
                yield int(front.rpartition(":")[2]), names
        finally:
            stop_group(server)


def _figures(measured: Sequence[Asked]) -> list[Figure]:
    return [
        Figure(
            name=f"fan-out to {asked.count} environments",
            required=f"< {_REQUIRED[asked.count]:g} times the slowest",
            measured=f"{asked.ratio:.2f} times",
            passed=asked.ratio < _REQUIRED[asked.count],
            how=f"Environments that answer after {_WAIT * 1000:.0f} ms, {_ROUNDS} rounds of each alone and all at "
            "once, through the proxy over one connection; medians.",
        )
        for asked in measured
    ]


def _table(measured: Sequence[Asked]) -> Table:
    return Table(
        title="Asked alone and at once",
        columns=["environments", "", "slowest alone", "all at once", "ratio"],
        rows=[
            [
                asked.upstream,
                str(asked.count),
                f"{asked.slowest * 1000:.1f} ms",
                f"{asked.together * 1000:.1f} ms",
                f"{asked.ratio:.2f}",
            ]
            for asked in measured
        ],
        note="Where answers differ by more than is declared, environments are asked a second time to find noise, and "
        "it takes twice as long. Three functions of the sample share this machine's cores with the proxy.",
    )
