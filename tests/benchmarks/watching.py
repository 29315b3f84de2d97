"""From a saved file to the new answer, with ``multistack watch``, beside ``multistack deploy``."""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import many_functions
from tests.benchmarks.figures import Figure, Result, Table, say, spread
from tests.benchmarks.sample import fresh_project
from tests.conftest import ProjectFolder

_ROUNDS = 10
_DEPLOYS = 3
_FUNCTIONS = 20
_TIMEOUT = 60.0
_POLL = 0.02
# Between an answer and the next save: watch has verified and recorded by then, as it has when a person saves again.
_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Service:
    """One that is edited: *save* makes it answer a number at *path*."""

    name: str
    aim: float
    path: str
    save: Callable[[int], object]


def run() -> Result:
    """Measure the sample, then a service of many functions."""
    figures, rows = [], []
    for make in (_sample, _many):
        with fresh_project() as folder:
            service = make(folder.folder)
            saved, deployed = _measure(folder, service)
        say(f"watch: {service.name} {statistics.median(saved):.2f} s, deploy {statistics.median(deployed):.2f} s")
        figures.append(_figure(service, saved, deployed))
        rows += [
            [f"{service.name}: saved, with `multistack watch`", *spread(saved)],
            [f"{service.name}: saved, then `multistack deploy test`", *spread(deployed)],
        ]
    table = Table(title="Save to new answer", columns=["what", "median", "least", "greatest"], rows=rows)
    return Result(title="Edit to live", figures=figures, tables=[table])


def _sample(folder: Path) -> Service:
    file = folder / "src" / "app.py"
    text, place = file.read_text(), '"PageSize": shop.settings.page_size,'

    def save(number: int) -> None:
        file.write_text(text.replace(place, f'{place} "Marker": "marker {number};",'))

    return Service("sample", 1.0, "config", save)


def _many(folder: Path) -> Service:
    """Each function has a folder and a route of its own; one is edited."""
    first, *_ = many_functions.write_service(folder, _FUNCTIONS, environments=["test"])
    return Service(f"{_FUNCTIONS} functions", 2.0, first, lambda number: many_functions.save(folder / first, number))


def _measure(folder: ProjectFolder, service: Service) -> tuple[Sequence[float], Sequence[float]]:
    """Seconds from each save to the new answer: watched, and deployed by a command of its own."""
    folder.run("up", "test")
    url = folder.url("test", service.path)
    numbers = iter(range(1, 1000))
    with _watching(folder):
        _until_served(service, url, next(numbers))  # the first one loads what the others find there
        saved = []
        for _ in range(_ROUNDS):
            time.sleep(_PAUSE)
            saved.append(_until_served(service, url, next(numbers)))
    deploy = lambda: folder.run("deploy", "test")  # noqa: E731 - a name for what is passed on
    return saved, [_until_served(service, url, next(numbers), then=deploy) for _ in range(_DEPLOYS)]


def _until_served(service: Service, url: str, number: int, *, then: Callable[[], object] = lambda: None) -> float:
    started = time.monotonic()
    service.save(number)
    then()
    while f"marker {number};" not in _body(url):
        if time.monotonic() - started > _TIMEOUT:
            raise RuntimeError(f"{url} did not answer what was saved within {_TIMEOUT:g} s")
        time.sleep(_POLL)
    return time.monotonic() - started


def _body(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_TIMEOUT) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return ""


@contextlib.contextmanager
def _watching(folder: ProjectFolder) -> Iterator[None]:
    process = folder.start("watch", "test")
    try:
        if process.stdout is None or "watching" not in process.stdout.readline():
            raise RuntimeError("multistack watch did not begin")
        yield
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=_TIMEOUT)


def _figure(service: Service, saved: Sequence[float], deployed: Sequence[float]) -> Figure:
    seconds = statistics.median(saved)
    ratio = seconds / statistics.median(deployed)
    return Figure(
        name=f"save to new answer, {service.name}",
        required=f"< {service.aim:g} s",
        measured=f"{seconds:.2f} s, {ratio:.2f} x `multistack deploy`",
        passed=seconds < service.aim,
        how=f"median of {_ROUNDS} saves of one file while `multistack watch` runs, embedded driver, asked through the "
        f"proxy until the new code answers; `multistack deploy` and the same question after it, {_DEPLOYS} times.",
    )
