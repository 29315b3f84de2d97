"""Figure 3: how much memory an emulator holds, apart from the functions it runs."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from emulator.ports import HOST
from emulator.process import read_record
from tests.benchmarks.figures import MB, Figure, Result, Table, say
from tests.benchmarks.sample import NAMES, fresh_project, up
from tests.conftest import ProjectFolder

_REQUESTS = 200
_REQUIRED = 60
_ORDER = {"item": "lamp", "qty": 2, "price": 10}


def run() -> Result:
    """Measure after a deployment, and after requests to every route of every environment."""
    with fresh_project() as folder:
        up(folder)
        before = _resident(folder)
        for name in NAMES:
            _request_all_routes(folder, name)
        time.sleep(2.0)  # the workers of the queue finish
        after = _resident(folder)
    say(f"memory: {', '.join(f'{name} {after[name]:.0f} MB' for name in NAMES)}")
    return Result(title="Memory", figures=[_figure(before, after)], tables=[_table(before, after)])


def measure_proxy() -> float:
    """Bytes of a proxy that passed requests to three environments."""
    with fresh_project() as folder:
        up(folder)
        for name in NAMES:
            _request_all_routes(folder, name)
        return float(_process(folder.folder / ".multistack" / "proxy").memory_full_info().pss)


def _request_all_routes(folder: ProjectFolder, name: str) -> None:
    connection = http.client.HTTPConnection(HOST, int(folder.environ["MULTISTACK_PROXY_PORT"]), timeout=30.0)
    order = "none"
    try:
        for number in range(_REQUESTS):
            method, path = (
                ("GET", "/health"),
                ("GET", "/config"),
                ("POST", "/orders"),
                ("GET", "/orders"),
                ("GET", f"/orders/{order}"),
                ("DELETE", f"/orders/{order}"),
            )[number % 6]
            body = json.dumps(_ORDER) if method == "POST" else None
            connection.request(method, f"/{name}{path}", body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            content = response.read()
            if response.status not in (200, 201, 204):
                raise RuntimeError(f"{method} {path} of {name} answered {response.status}: {content.decode()}")
            if method == "POST":
                order = json.loads(content)["id"]
    finally:
        connection.close()


def _resident(folder: ProjectFolder) -> Mapping[str, float]:
    """MB by process: each environment's emulator, its functions together, the proxy."""
    state = folder.folder / ".multistack"
    found = {}
    for name in NAMES:
        emulator = _process(state / "environments" / name)
        found[name] = emulator.memory_info().rss / MB
        workers = [worker.memory_info().rss / MB for worker in emulator.children(recursive=True)]
        found[f"{name}, functions"] = sum(workers)
        found[f"{name}, functions, number"] = len(workers)
    found["proxy"] = _process(state / "proxy").memory_info().rss / MB
    return found


def _process(folder: Path) -> psutil.Process:
    record = read_record(folder)
    if record is None:
        raise RuntimeError(f"nothing runs in {folder}")
    return psutil.Process(record.process.pid)


def _figure(before: Mapping[str, float], after: Mapping[str, float]) -> Figure:
    greatest = max(measured[name] for measured in (before, after) for name in NAMES)
    return Figure(
        name="memory of one emulator, deployed and warm",
        required=f"<= {_REQUIRED} MB",
        measured=f"{greatest:.0f} MB",
        passed=greatest <= _REQUIRED,
        how=f"resident set of the greatest of three, after `up` from nothing and after {_REQUESTS} requests over all "
        "routes of each environment; the processes in which functions run are counted apart.",
    )


def _table(before: Mapping[str, float], after: Mapping[str, float]) -> Table:
    rows: list[Sequence[str]] = []
    for name in NAMES:
        rows.append([f"{name}: emulator", f"{before[name]:.0f} MB", f"{after[name]:.0f} MB"])
        functions = [
            f"{measured[f'{name}, functions']:.0f} MB in {measured[f'{name}, functions, number']:.0f}"
            for measured in (before, after)
        ]
        rows.append([f"{name}: function processes", *functions])
    rows.append(["proxy", f"{before['proxy']:.0f} MB", f"{after['proxy']:.0f} MB"])
    totals = [
        sum(value for name, value in measured.items() if not name.endswith("number")) for measured in (before, after)
    ]
    rows.append(["all together", *(f"{total:.0f} MB" for total in totals)])
    return Table(
        title="Resident memory",
        columns=["process", "after `up` and one request", f"after {_REQUESTS} requests"],
        rows=rows,
    )
