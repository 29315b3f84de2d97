"""
``python -m tests.benchmarks.sets COUNT``: so many sets of a project's environments, measured, as JSON.

A process of its own, so that what one count left in memory isn't counted for the next one. The project is that of the
current folder; each set has a home of its own below it, and with it an artifact store, a ledger and emulators.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from emulator.config import load_project, scrubbed_environ
from emulator.model import STATE_FOLDER
from emulator.opening import open_workspace
from emulator.parallel import raise_first
from emulator.routes import ROUTES_FILE, load_routes
from emulator.workspace import Workspace

# The first request of an environment starts its functions; those after it are what one costs.
REQUESTS = 60
_IDLE_SECONDS = 10.0
_TIMEOUT = 120.0
_ORDER = json.dumps({"item": "lamp", "qty": 2, "price": 10})


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """
    Bytes of all emulators together, with the processes of their functions.

    Attributes:
        resident: What `ps` says; pages that several share count in each.
        proportional: Each page once, in parts for whoever shares it: what the machine really gives.
        functions: The proportional part of function processes, and their number.
    """

    resident: int
    proportional: int
    emulators: int
    functions: int
    function_processes: int
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sets:
    """
    What so many sets cost together.

    Attributes:
        environments: Of all sets.
        start_cpu: Seconds of processor time, of emulators and of the process that starts them.
        command: Proportional bytes of that process after everything, which is there once.
        peak: The most that any emulator was, in resident bytes, while it was deployed into.
        idle_cpu: Seconds of processor time per second while nobody asks.
        request_cpu: Seconds of processor time of one request, of the emulator and its functions.
        state_disk: Bytes that the state folders of environments take once they were stopped.
        artifact_disk: The same for the artifact stores.
        home_disk: The same for the rest of each home: ledger, routes, keys.
    """

    count: int
    environments: int
    start_cpu: float
    start_seconds: float
    deploy_cpu: float
    deploy_seconds: float
    first_cpu: float
    started: Memory
    deployed: Memory
    loaded: Memory
    command: int
    peak: int
    idle_cpu: float
    request_cpu: float
    state_disk: int
    artifact_disk: int
    home_disk: int


def main(count: int) -> None:
    """Bring them up, measure, stop them; the figures are printed."""
    sets = [_open(number) for number in range(1, count + 1)]
    try:
        measured = _measure(sets)
    finally:
        for workspace in sets:
            workspace.lifecycle.down(workspace.environments([]))
    state, artifacts, others = (sum(sizes) for sizes in zip(*(_disk_of(one) for one in sets), strict=True))
    print(json.dumps({**measured, "state_disk": state, "artifact_disk": artifacts, "home_disk": others}))


def _open(number: int) -> Workspace:
    cwd, environ = Path.cwd(), dict(os.environ)
    home = cwd / STATE_FOLDER / "sets" / f"set{number}"
    home.mkdir(parents=True)
    project = load_project(file=cwd / "multistack.toml", environ=environ, cwd=cwd, home=home)
    return open_workspace(project, environ=scrubbed_environ(environ), emit=lambda _event: None)


def _measure(sets: Sequence[Workspace]) -> dict[str, object]:
    start_cpu, start_seconds = _spent(lambda: [_up(one, deploys=False) for one in sets], sets)
    started = _memory(sets)
    deploy_cpu, deploy_seconds = _spent(lambda: [_up(one, deploys=True) for one in sets], sets)
    time.sleep(1.0)
    deployed, peak = _memory(sets), max(map(_peak_of, _emulators(sets)))
    idle_cpu, idle_seconds = _spent(lambda: time.sleep(_IDLE_SECONDS), sets, is_ours=False)
    endpoints = list(_endpoints(sets))
    first_cpu, _ = _spent(lambda: [_request_all_routes(url, rounds=1) for url in endpoints], sets, is_ours=False)
    request_cpu, _ = _spent(
        lambda: [_request_all_routes(url, rounds=REQUESTS // 6) for url in endpoints], sets, is_ours=False
    )
    time.sleep(2.0)  # the workers of the queue finish
    return {
        "count": len(sets),
        "environments": len(endpoints),
        "start_cpu": start_cpu,
        "start_seconds": start_seconds,
        "deploy_cpu": deploy_cpu,
        "deploy_seconds": deploy_seconds,
        "first_cpu": first_cpu,
        "started": asdict(started),
        "deployed": asdict(deployed),
        "loaded": asdict(_memory(sets)),
        "command": psutil.Process().memory_full_info().pss,
        "peak": peak,
        "idle_cpu": idle_cpu / idle_seconds,
        "request_cpu": request_cpu / (REQUESTS * len(endpoints)),
    }


def _up(workspace: Workspace, *, deploys: bool) -> None:
    with workspace.changing("up"):
        raise_first(workspace.lifecycle.up(workspace.environments([]), timeout=_TIMEOUT, deploys=deploys))


def _endpoints(sets: Sequence[Workspace]) -> Iterator[str]:
    """Where each environment's API answers, without a proxy."""
    for workspace in sets:
        for route in load_routes(workspace.project.state / ROUTES_FILE).values():
            if route.url is None or not route.apis:
                raise RuntimeError(f"{route.environment} serves nothing")
            yield f"{route.url}{route.apis[0].path}"


def _request_all_routes(url: str, *, rounds: int) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60.0)
    with contextlib.closing(connection):
        for _ in range(rounds):
            order = _ask(connection, "POST", f"{parts.path}/orders", _ORDER)["id"]
            for method, path in (
                ("GET", "/health"),
                ("GET", "/config"),
                ("GET", "/orders"),
                ("GET", f"/orders/{order}"),
                ("DELETE", f"/orders/{order}"),
            ):
                _ask(connection, method, f"{parts.path}{path}")


def _ask(connection: http.client.HTTPConnection, method: str, path: str, body: str | None = None) -> dict[str, str]:
    connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
    response = connection.getresponse()
    content = response.read()
    if response.status not in (200, 201, 204):
        raise RuntimeError(f"{method} {path} answered {response.status}: {content.decode()}")
    return dict(json.loads(content)) if content else {}


def _spent(work: Callable[[], object], sets: Sequence[Workspace], *, is_ours: bool = True) -> tuple[float, float]:
    """Seconds of processor time and of the clock; with *is_ours* also what this process and its commands took."""
    before, began = _cpu(sets, is_ours=is_ours), time.monotonic()
    work()
    return _cpu(sets, is_ours=is_ours) - before, time.monotonic() - began


def _cpu(sets: Sequence[Workspace], *, is_ours: bool) -> float:
    """Of processes that run and of those that these waited for."""
    emulators = list(_emulators(sets))
    processes = [child for one in emulators for child in (one, *one.children(recursive=True))]
    times = [one.cpu_times() for one in [*processes, *([psutil.Process()] if is_ours else [])]]
    return sum(one.user + one.system + one.children_user + one.children_system for one in times)


def _emulators(sets: Sequence[Workspace]) -> Iterator[psutil.Process]:
    for workspace in sets:
        for instance in workspace.lifecycle.observe(workspace.environments([])).values():
            if instance.process is not None:
                yield psutil.Process(instance.process.pid)


def _memory(sets: Sequence[Workspace]) -> Memory:
    emulators = list(_emulators(sets))
    functions = [child for one in emulators for child in one.children(recursive=True)]
    own, theirs = ([one.memory_full_info() for one in group] for group in (emulators, functions))
    everyone = [*emulators, *functions]
    return Memory(
        resident=sum(one.rss for one in (*own, *theirs)),
        proportional=sum(one.pss for one in (*own, *theirs)),
        emulators=sum(one.pss for one in own),
        functions=sum(one.pss for one in theirs),
        function_processes=len(functions),
        descriptors=sum(one.num_fds() for one in everyone),
        threads=sum(one.num_threads() for one in everyone),
    )


def _peak_of(emulator: psutil.Process) -> int:
    status = Path(f"/proc/{emulator.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _disk_of(workspace: Workspace) -> tuple[int, int, int]:
    """Bytes of environments, of artifacts, of the rest."""
    state = workspace.project.state
    environments, artifacts = _size_of(state / "environments"), _size_of(workspace.store.folder("x").parent)
    return environments, artifacts, _size_of(state) - environments - artifacts


def _size_of(folder: Path) -> int:
    """As `du` counts: blocks, not lengths."""
    return sum(path.lstat().st_blocks * 512 for path in (folder, *folder.rglob("*")))


if __name__ == "__main__":
    main(int(sys.argv[1]))
