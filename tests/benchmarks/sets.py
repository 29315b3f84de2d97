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
from typing import TypeVar
from urllib.parse import urlsplit

import psutil

from emulator.config import load_project, scrubbed_environ
from emulator.model import STATE_FOLDER, Artifact
from emulator.opening import open_workspace
from emulator.parallel import raise_first
from emulator.routes import ROUTES_FILE, load_routes
from emulator.workspace import Workspace

T = TypeVar("T")
# The first request of an environment starts its functions; those after it are what one costs.
REQUESTS = 60
_IDLE_SECONDS = 10.0
_TIMEOUT = 120.0
_ORDER = json.dumps({"item": "lamp", "qty": 2, "price": 10})


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """
    Seconds of processor time, and of the clock.

    Attributes:
        command: Of the process that starts everything, with the programs that it ran to their end.
        emulators: Of all emulators and their functions.
    """

    command: float
    emulators: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """
    What all emulators together have, with the processes of their functions.

    Attributes:
        resident: Bytes as `ps` says; pages that several share count in each.
        proportional: Bytes with each page once, in parts for whoever shares it: what the machine really gives.
        functions: The part of it that function processes have.
    """

    resident: int
    proportional: int
    functions: int
    processes: int
    descriptors: int
    threads: int


def main(count: int) -> None:
    """Bring them up, measure, stop them; the figures are printed."""
    sets = [_open(number) for number in range(1, count + 1)]
    try:
        measured = _measure(sets)
    finally:
        for workspace in sets:
            workspace.lifecycle.down(workspace.environments([]))
    disks = [_disk_of(one) for one in sets]
    print(json.dumps({**measured, "disk": {name: sum(one[name] for one in disks) for name in disks[0]}}))


def _open(number: int) -> Workspace:
    cwd, environ = Path.cwd(), dict(os.environ)
    home = cwd / STATE_FOLDER / "sets" / f"set{number}"
    home.mkdir(parents=True)
    project = load_project(file=cwd / "multistack.toml", environ=environ, cwd=cwd, home=home)
    return open_workspace(project, environ=scrubbed_environ(environ), emit=lambda _event: None)


def _measure(sets: Sequence[Workspace]) -> dict[str, object]:
    start = _spent(lambda: [_up(one, None) for one in sets], sets)
    started = _use(sets)
    build = _spent(sets[0].build, sets)
    artifact = sets[0].build()
    deploy = _spent(lambda: [_up(one, _adopted(one, artifact, sets[0])) for one in sets], sets)
    time.sleep(1.0)
    deployed, peak, command = _use(sets), max(map(_peak_of, _emulators(sets))), psutil.Process().memory_full_info().pss
    descriptors = psutil.Process().num_fds()
    idle = _spent(lambda: time.sleep(_IDLE_SECONDS), sets)
    urls = list(_urls(sets))
    first = _spent(lambda: [_request_all_routes(url, rounds=1) for url in urls], sets)
    requests = _spent(lambda: [_request_all_routes(url, rounds=REQUESTS // 6) for url in urls], sets)
    time.sleep(2.0)  # the workers of the queue finish
    loaded = _use(sets)
    spent = {"start": start, "build": build, "deploy": deploy, "idle": idle, "first": first, "requests": requests}
    used = {"started": started, "deployed": deployed, "loaded": loaded}
    return {
        "sets": len(sets),
        "environments": len(urls),
        "command": command,
        "command_descriptors": descriptors,
        "peak": peak,
        **{name: asdict(one) for name, one in {**spent, **used}.items()},
    }


def _adopted(workspace: Workspace, artifact: Artifact, maker: Workspace) -> Artifact:
    """As spaces get it: built once, and taken over by the store of each."""
    return artifact if workspace is maker else workspace.store.adopt(artifact.digest, maker.store)


def _up(workspace: Workspace, artifact: Artifact | None) -> None:
    """Started, and with *artifact* deployed as well."""
    chosen = workspace.environments([])
    with workspace.changing("up"):
        build = (lambda: artifact) if artifact else None
        raise_first(workspace.lifecycle.up(chosen, timeout=_TIMEOUT, build=build, deploys=artifact is not None))


def _urls(sets: Sequence[Workspace]) -> Iterator[str]:
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


def _spent(work: Callable[[], object], sets: Sequence[Workspace]) -> Spent:
    before, began = _cpu(sets), time.monotonic()
    work()
    seconds, after = time.monotonic() - began, _cpu(sets)
    return Spent(command=after[0] - before[0], emulators=after[1] - before[1], seconds=seconds)


def _cpu(sets: Sequence[Workspace]) -> tuple[float, float]:
    """Seconds of this process and of the emulators, each with those that it waited for."""
    emulators = list(_emulators(sets))
    running = [child for one in emulators for child in (one, *one.children(recursive=True))]
    return _cpu_of([psutil.Process()]), _cpu_of(running)


def _asked(processes: Sequence[psutil.Process], ask: Callable[[psutil.Process], T]) -> Iterator[T]:
    """Of those that are still there: a function's process may end meanwhile, and whoever waited for it has its time."""
    for one in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            yield ask(one)


def _cpu_of(processes: Sequence[psutil.Process]) -> float:
    times = list(_asked(processes, lambda one: one.cpu_times()))
    return sum(one.user + one.system + one.children_user + one.children_system for one in times)


def _emulators(sets: Sequence[Workspace]) -> Iterator[psutil.Process]:
    for workspace in sets:
        for instance in workspace.lifecycle.observe(workspace.environments([])).values():
            if instance.process is not None:
                yield psutil.Process(instance.process.pid)


def _use(sets: Sequence[Workspace]) -> Use:
    emulators = list(_emulators(sets))
    functions = [child for one in emulators for child in one.children(recursive=True)]
    own, theirs = (list(_asked(group, lambda one: one.memory_full_info())) for group in (emulators, functions))
    everyone = [*emulators, *functions]
    return Use(
        resident=sum(one.rss for one in (*own, *theirs)),
        proportional=sum(one.pss for one in (*own, *theirs)),
        functions=sum(one.pss for one in theirs),
        processes=len(own) + len(theirs),
        descriptors=sum(_asked(everyone, lambda one: one.num_fds())),
        threads=sum(_asked(everyone, lambda one: one.num_threads())),
    )


def _peak_of(emulator: psutil.Process) -> int:
    status = Path(f"/proc/{emulator.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _disk_of(workspace: Workspace) -> dict[str, int]:
    """Bytes of the state folders of environments once they were stopped, of artifacts, of the rest of a home."""
    state = workspace.project.state
    environments, artifacts = _size_of(state / "environments"), _size_of(state / "artifacts")
    return {"environments": environments, "artifacts": artifacts, "rest": _size_of(state) - environments - artifacts}


def _size_of(folder: Path) -> int:
    """As `du` counts: blocks, not lengths."""
    return sum(path.lstat().st_blocks * 512 for path in (folder, *folder.rglob("*")))


if __name__ == "__main__":
    main(int(sys.argv[1]))
