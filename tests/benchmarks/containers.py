"""The container driver: how long it takes and how much it holds, beside the embedded driver in one run."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil

from emulator.config import process_environ
from emulator.drivers.containers import PROJECT
from emulator.drivers.engine import connect
from emulator.drivers.images import find_image
from emulator.errors import NotReady
from emulator.model import OWN_IMAGE
from emulator.process import read_record
from tests.benchmarks.figures import MB, Figure, Result, Table, say, spread
from tests.benchmarks.sample import NAMES, fresh_project, up
from tests.conftest import ProjectFolder

_ROUNDS = 3
_CALLS = 300
_WARM_UP = 30
_DRIVERS = ("embedded", "localstack")
# Seconds, MiB and milliseconds, as the container driver promises them.
_UP, _AGAIN, _MEMORY, _WARM = 10.0, 1.0, 300, 8.0


@dataclass(slots=True)
class Rounds:
    """What was measured of one driver; seconds, and MB for each environment."""

    up: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    down: list[float] = field(default_factory=list)
    built: list[float] = field(default_factory=list)
    deployed: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    proxied: list[float] = field(default_factory=list)


def run() -> Result:
    """Alternate the drivers, so that a busy minute hits both."""
    try:
        client = connect(process_environ(), allow_remote=False)
        missing = "" if find_image(client, OWN_IMAGE) else f"no image {OWN_IMAGE}: `make image`"
    except NotReady as error:
        client, missing = None, error.message
    if missing:
        say(f"containers: {missing}")
        return Result(title="Containers", figures=_unmeasured(missing), tables=[])
    measured = {name: Rounds() for name in _DRIVERS}
    for number in range(1, _ROUNDS + 1):
        for name, rounds in measured.items():
            with fresh_project(MULTISTACK_DRIVER=name) as folder:
                _measure(folder, rounds, client)
            say(
                f"containers {number}/{_ROUNDS}: {name} up {rounds.up[-1]:.2f} s, again {rounds.again[-1]:.2f} s, "
                f"{rounds.deployed[-1]:.0f} MB each, warm {rounds.warm[-1] * 1e3:.2f} ms"
            )
    return Result(title="Containers", figures=_figures(measured), tables=[_table(measured)])


def _measure(folder: ProjectFolder, rounds: Rounds, client: Any) -> None:
    rounds.up.append(up(folder).seconds)
    rounds.deployed += _memory(folder, client)
    rounds.again.append(_timed(folder, "up"))
    endpoint = folder.run("endpoint", "test").stdout.strip()
    rounds.warm.append(_warm(endpoint.removeprefix("http://"), _api_path(folder)))
    rounds.proxied.append(_warm(f"127.0.0.1:{folder.environ['MULTISTACK_PROXY_PORT']}", "/test/health"))
    rounds.down.append(_timed(folder, "down"))
    rounds.built.append(up(folder).seconds)


def _timed(folder: ProjectFolder, *command: str) -> float:
    started = time.monotonic()
    folder.run(*command)
    return time.monotonic() - started


def _api_path(folder: ProjectFolder) -> str:
    """Where the emulator of test itself serves the sample's health."""
    from emulator.routes import ROUTES_FILE, load_routes

    (api,) = load_routes(folder.folder / ".multistack" / ROUTES_FILE)["test"].apis
    return f"{api.path}/health"


def _warm(host: str, path: str) -> float:
    """The median of GETs over one connection, in seconds."""
    connection = http.client.HTTPConnection(host, timeout=30.0)
    taken = []
    for number in range(_WARM_UP + _CALLS):
        begun = time.perf_counter()
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"GET http://{host}{path} answered {response.status}")
        if number >= _WARM_UP:
            taken.append(time.perf_counter() - begun)
    connection.close()
    return statistics.median(taken)


def _memory(folder: ProjectFolder, client: Any) -> Sequence[float]:
    """Of each environment's emulator with all its functions: what can't be given back, in MB."""
    found = client.containers.list(filters={"label": f"{PROJECT}={folder.folder}"})
    if found:
        return [_in_use(one.stats(stream=False)["memory_stats"]) / MB for one in found]
    return [_resident(folder, name) / MB for name in NAMES]


def _in_use(stats: Mapping[str, Any]) -> float:
    """
    As ``docker stats`` counts: without the file cache that the kernel can drop.

    Source: docs.docker.com, "docker container stats": cgroup v1 ``total_inactive_file``, v2 ``inactive_file``.
    """
    details = stats["stats"]
    return float(stats["usage"] - details.get("total_inactive_file", details.get("inactive_file", 0)))


def _resident(folder: ProjectFolder, name: str) -> float:
    record = read_record(folder.folder / ".multistack" / "environments" / name)
    if record is None:
        raise RuntimeError(f"{name} does not run")
    root = psutil.Process(record.process.pid)
    return float(sum(one.memory_info().rss for one in [root, *root.children(recursive=True)]))


def _names() -> list[tuple[str, str, str]]:
    return [
        (
            "three containers, `up` from nothing",
            f"< {_UP:g} s",
            f"median of {_ROUNDS} rounds in a fresh copy of the sample with the image present, until the command has "
            "ended and all three environments have answered 200 through the proxy.",
        ),
        (
            "three containers, `up` with nothing to do",
            f"< {_AGAIN:g} s",
            "`multistack up` once more; the command alone.",
        ),
        (
            "memory of a container, deployed",
            f"< {_MEMORY} MB",
            "median over all environments and rounds right after `up`: the whole container with its functions, as "
            "`docker stats` counts it.",
        ),
        (
            "warm GET in a container, median",
            f"< {_WARM:g} ms",
            f"{_CALLS} calls of the sample's GET /health through API Gateway and the function, over one connection, "
            "straight to the emulator; median of the rounds.",
        ),
    ]


def _figures(measured: Mapping[str, Rounds]) -> list[Figure]:
    ours, other = measured["localstack"], measured["embedded"]
    values = [
        (statistics.median(ours.up), statistics.median(other.up), _UP, "s"),
        (statistics.median(ours.again), statistics.median(other.again), _AGAIN, "s"),
        (statistics.median(ours.deployed), statistics.median(other.deployed), _MEMORY, "MB"),
        (statistics.median(ours.warm) * 1e3, statistics.median(other.warm) * 1e3, _WARM, "ms"),
    ]
    return [
        Figure(
            name=name,
            required=required,
            measured=f"{mine:.3g} {unit}, {mine / theirs:.1f} x embedded ({theirs:.3g} {unit})",
            passed=mine < limit,
            how=how,
        )
        for (name, required, how), (mine, theirs, limit, unit) in zip(_names(), values, strict=True)
    ]


def _unmeasured(reason: str) -> list[Figure]:
    return [
        Figure(name=name, required=required, measured=reason, passed=None, how=how) for name, required, how in _names()
    ]


def _table(measured: Mapping[str, Rounds]) -> Table:
    rows = []
    for name, rounds in measured.items():
        rows += [
            [name, "up from nothing", *spread(rounds.up)],
            [name, "up with nothing to do", *spread(rounds.again)],
            [name, "down", *spread(rounds.down)],
            [name, "up with everything built, data kept", *spread(rounds.built)],
            [name, "memory of an environment, deployed", *spread(rounds.deployed, unit="MB", digits=0)],
            [name, "warm GET, emulator", *spread([value * 1e3 for value in rounds.warm], unit="ms")],
            [name, "warm GET, through the proxy", *spread([value * 1e3 for value in rounds.proxied], unit="ms")],
        ]
    return Table(title="Side by side", columns=["driver", "what", "median", "least", "greatest"], rows=rows)
