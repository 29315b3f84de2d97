"""
Spaces on a swarm of two engines: how long each environment takes and how much it holds, asleep, and on a lost host.

``python -m tests.benchmarks.swarm 1`` tries it with one space only.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from emulator.config import process_environ
from emulator.drivers.engine import connect
from emulator.drivers.images import find_image
from emulator.errors import NotReady
from emulator.images.recipe import embedded_image
from tests.benchmarks.figures import MB, Figure, Result, Table, say, spread
from tests.benchmarks.report import as_text
from tests.benchmarks.sample import NAMES, fresh_project
from tests.conftest import ProjectFolder, http
from tests.docker.swarms import SwarmHost, swarm

SIZES = (1, 3, 5)
_ROUNDS, _WAKES = 2, 5
# How much more an environment of many spaces may take than one of few; seconds.
_FLAT, _BACK, _AWAKE = 1.25, 60.0, 3.0
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@dataclass(slots=True)
class Measured:
    """
    Of all rounds.

    Attributes:
        seconds: Number of spaces to the seconds of `space create`, for each of its environments.
        memory: Number of spaces to the MB of each container.
        back: Seconds from the end of a host until each of its environments answered with its release.
        awake: Seconds of the first request to an environment of a space that sleeps.
    """

    seconds: dict[int, list[float]] = field(default_factory=dict)
    memory: dict[int, list[float]] = field(default_factory=dict)
    back: list[float] = field(default_factory=list)
    awake: list[float] = field(default_factory=list)


def run(sizes: Sequence[int] = SIZES, rounds: int = _ROUNDS) -> Result:
    """Every round has a swarm of its own, since a host of it is lost."""
    if reason := _missing():
        return _unmeasured(reason)
    measured = Measured()
    try:
        for number in range(1, rounds + 1):
            _round(measured, sizes)
            say(f"swarm {number}/{rounds}: {_said(measured)}")
    except pytest.skip.Exception as error:  # what makes engines is the tests'
        return _unmeasured(str(error))
    return Result(title="Swarm", figures=_figures(measured), tables=[_table(measured)])


def _missing() -> str:
    try:
        client = connect(process_environ(), allow_remote=False)
    except NotReady as error:
        return error.message
    return "" if find_image(client, embedded_image()) else f"no image {embedded_image()}"


def _round(measured: Measured, sizes: Sequence[int]) -> None:
    with (
        swarm(hosts=2, images=[embedded_image()]) as hosts,
        fresh_project(MULTISTACK_DRIVER="swarm", DOCKER_HOST=hosts[0].host) as folder,
    ):
        tokens: Mapping[str, str] = {}
        folder.run("build")
        for size in sizes:
            started = time.monotonic()
            tokens = _create(folder, size)
            count = size * len(NAMES)
            measured.seconds.setdefault(size, []).append((time.monotonic() - started) / count)
            measured.memory.setdefault(size, []).extend(_memory(hosts))
            if size != sizes[-1]:
                folder.run("space", "destroy", *tokens, timeout=600)
        measured.awake += [_wake(folder, *next(iter(tokens.items()))) for _time in range(_WAKES)]
        measured.back += _lose(folder, hosts[1], tokens)
        folder.run("space", "destroy", *tokens, timeout=600)


def _create(folder: ProjectFolder, size: int) -> Mapping[str, str]:
    """Seat to access token; the time of joining is that of a request each."""
    told = folder.run("space", "create", "--count", str(size), "--prefix", "seat", "--json", timeout=900).stdout
    accept = {"Accept": "application/json"}
    return {row["space"]: http("POST", row["url"], headers=accept).json()["token"] for row in json.loads(told)}


def _memory(hosts: Sequence[SwarmHost]) -> list[float]:
    """MB of each container, as ``docker stats`` counts: its functions, and no files that are only cached."""
    used = []
    for host in hosts:
        for line in host.docker("stats", "--no-stream", "--format", "{{.MemUsage}}").splitlines():
            number, unit = re.findall(r"([0-9.]+)([KMG]?i?B)", line)[0]
            used.append(float(number) * _UNITS[unit] / MB)
    return used


def _wake(folder: ProjectFolder, seat: str, token: str) -> float:
    folder.run("space", "sleep", seat, timeout=300)
    started = time.monotonic()
    while not _answers(folder, seat, NAMES[0], token):
        if time.monotonic() > started + 120:
            raise RuntimeError(f"{seat} did not wake")
    return time.monotonic() - started


def _lose(folder: ProjectFolder, host: SwarmHost, tokens: Mapping[str, str]) -> list[float]:
    left = [
        (seat, row["environment"])
        for seat in tokens
        for row in json.loads(folder.run("--space", seat, "status", "--json").stdout)
        if host.address in row["endpoint"]
    ]
    host.lose()
    started, back = time.monotonic(), []
    # Until the proxy knows: a request that is under way when a host goes hangs, and the next one waits for it here.
    time.sleep(10.0)
    while left and time.monotonic() < started + 600:
        for one in [one for one in left if _answers(folder, *one, tokens[one[0]])]:
            left.remove(one)
            back.append(time.monotonic() - started)
        time.sleep(0.2)
    if left:
        raise RuntimeError(f"not back after ten minutes: {left}")
    return back


def _answers(folder: ProjectFolder, seat: str, environment: str, token: str) -> bool:
    url = f"http://127.0.0.1:{folder.environ['MULTISTACK_PROXY_PORT']}/{seat}/{environment}/health"
    return http("GET", url, headers={"X-Multistack-Token": token}).status == 200


def _said(measured: Measured) -> str:
    each = ", ".join(
        f"{size} spaces {values[-1]:.2f} s and {statistics.median(measured.memory[size]):.0f} MB an environment"
        for size, values in measured.seconds.items()
    )
    return f"{each}; awake after {measured.awake[-1]:.1f} s; all back after {_most(measured.back)}"


def _most(seconds: Sequence[float]) -> str:
    return f"{max(seconds):.0f} s" if seconds else "nothing ran on the lost host"


def _names() -> list[tuple[str, str, str]]:
    few, many = SIZES[0], SIZES[-1]
    created = "`space create` of the sample on a swarm of two engines on this machine"
    return [
        (
            f"swarm: time for an environment, {many} spaces beside {few}",
            f"<= {_FLAT:g} times",
            f"{created}, until all are deployed, divided by its environments; medians of {_ROUNDS} rounds.",
        ),
        (
            f"swarm: memory of an environment, {many} spaces beside {few}",
            f"<= {_FLAT:g} times",
            f"{created}: the whole container with its functions, as `docker stats` counts it; medians.",
        ),
        (
            "swarm: a lost host's spaces answer again",
            f"< {_BACK:g} s",
            f"One of two engines is killed and cut off with {many} spaces deployed; the last of its environments that "
            "answers with 200 through the proxy, in the worst round. Nobody runs a command.",
        ),
        (
            "swarm: wake from sleep",
            f"< {_AWAKE:g} s",
            f"The first request to a sleeping space until it is answered with 200; median of {_WAKES} in each round.",
        ),
    ]


def _figures(measured: Measured) -> list[Figure]:
    few, many = min(measured.seconds), max(measured.seconds)
    times = [statistics.median(measured.seconds[size]) for size in (few, many)]
    memory = [statistics.median(measured.memory[size]) for size in (few, many)]
    awake = statistics.median(measured.awake)
    values = [
        (f"{times[1] / times[0]:.2f} times ({times[1]:.2f} s)", times[1] / times[0] <= _FLAT),
        (f"{memory[1] / memory[0]:.2f} times ({memory[1]:.0f} MB)", memory[1] / memory[0] <= _FLAT),
        (_most(measured.back), max(measured.back) < _BACK if measured.back else None),
        (f"{awake:.1f} s", awake < _AWAKE),
    ]
    return [
        Figure(name=name, required=required, measured=found, passed=passed, how=how)
        for (name, required, how), (found, passed) in zip(_names(), values, strict=True)
    ]


def _unmeasured(reason: str) -> Result:
    say(f"swarm: {reason}")
    figures = [
        Figure(name=name, required=required, measured=reason, passed=None, how=how) for name, required, how in _names()
    ]
    return Result(title="Swarm", figures=figures, tables=[])


def _table(measured: Measured) -> Table:
    rows = []
    for size in measured.seconds:
        rows.append([str(size), "up and deployed, for each environment", *spread(measured.seconds[size])])
        rows.append([str(size), "memory of an environment", *spread(measured.memory[size], unit="MB", digits=0)])
    most = str(max(measured.seconds))
    if measured.back:
        rows.append([most, "an environment of a killed host answers again", *spread(measured.back, digits=1)])
    rows.append([most, "first answer of a space that sleeps", *spread(measured.awake)])
    return Table(title="Spaces on two engines", columns=["spaces", "what", "median", "least", "greatest"], rows=rows)


if __name__ == "__main__":
    chosen = tuple(int(one) for one in sys.argv[1:]) or SIZES
    print(as_text([run(chosen, rounds=1)]))
