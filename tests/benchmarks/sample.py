"""The sample service in a folder of its own, brought up against the clock."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from emulator.ports import HOST
from tests.conftest import ProjectFolder, copy_sample

NAMES = ("test", "staging", "prod")
_POLL = 0.02
_TIMEOUT = 120.0
# What `up` says on stderr, in the order of a quiet run; the first line that matches, or with "last" the last one.
_MILESTONES = (
    ("first", r"\S+ +starting", "interpreter and imports are there, the project is read, emulators begin to start"),
    ("last", r"\S+ +ready ", "the last emulator is healthy"),
    ("last", r"\S+ +deployed", "the last environment is deployed: build, SAM, code upload, change set, check"),
    ("last", r" +starting proxy", "the proxy begins to start"),
    ("last", r" +proxy ready", "the proxy answers"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Up:
    """
    One ``multistack up``, in seconds since its start.

    Attributes:
        seconds: Until the command has ended *and* every environment has answered 200 through the proxy.
        milestones: What was reached when, in order.
        first_request: How long the slowest of the first requests took: a cold start of the function.
    """

    seconds: float
    milestones: Mapping[str, float]
    first_request: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """When a URL first answered 200, in seconds since the start, and how long that request took."""

    at: float
    took: float


@contextlib.contextmanager
def fresh_project(**variables: str) -> Iterator[ProjectFolder]:
    """
    A copy of the sample in which nothing was ever built; all it starts is stopped afterwards, whatever happens.

    Args:
        variables: What its commands see besides the proxy's port.
    """
    with tempfile.TemporaryDirectory(prefix="multistack-bench-") as name:
        root = Path(name).resolve()
        (root / "home").mkdir()
        environ = {"MULTISTACK_PROXY_PORT": str(free_port()), **variables}
        folder = ProjectFolder(copy_sample(root / "project"), root / "home", environ)
        try:
            yield folder
        finally:
            _stop(folder)


def up(folder: ProjectFolder, *names: str) -> Up:
    """
    Bring environments up, by default all three, and ask each until it answers.

    The proxy's port is fixed, so that the environments can be asked from the start, as the comparison's are.
    """
    names = names or NAMES
    urls = [f"http://{HOST}:{folder.environ['MULTISTACK_PROXY_PORT']}/{name}/health" for name in names]
    started = time.monotonic()
    process = folder.start("up", *names)
    lines: list[tuple[float, str]] = []
    reader = threading.Thread(target=_read_lines, args=(process.stderr, started, lines), daemon=True)
    reader.start()
    try:
        answers = await_answers(urls, started=started, is_alive=lambda: process.poll() in (None, 0))
        process.wait(timeout=_TIMEOUT)
        reader.join()
    except RuntimeError as error:
        told = "\n".join(line for _, line in lines)
        raise RuntimeError(f"{error}; multistack up (exit code {process.poll()}) said:\n{told}") from error
    finally:
        stop_group(process)
    answered = max(answer.at for answer in answers)
    milestones = dict(_find_milestones(lines))
    ended = lines[-1][0]
    milestones |= {"the command has ended": ended, "the last environment has answered 200": answered}
    return Up(
        seconds=max(ended, answered),
        milestones=milestones,
        first_request=max(answer.took for answer in answers),
    )


def await_answers(urls: Sequence[str], *, started: float, is_alive: Callable[[], bool]) -> list[Answered]:
    """
    Ask every URL, side by side, until it answers 200.

    Raises:
        RuntimeError: One did not in time, or *is_alive* says that none ever will.
    """
    with ThreadPoolExecutor(len(urls)) as pool:
        return list(pool.map(lambda url: _await_answer(url, started=started, is_alive=is_alive), urls))


def _await_answer(url: str, *, started: float, is_alive: Callable[[], bool]) -> Answered:
    host, _, path = url.removeprefix("http://").partition("/")
    while time.monotonic() - started < _TIMEOUT and is_alive():
        asked = time.monotonic()
        connection = http.client.HTTPConnection(host, timeout=30.0)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", f"/{path}")
            response = connection.getresponse()
            response.read()
            if response.status == 200:
                now = time.monotonic()
                return Answered(at=now - started, took=now - asked)
        time.sleep(_POLL)
    raise RuntimeError(f"{url} did not answer 200")


def median_milestones(ups: Sequence[Up]) -> list[tuple[str, float]]:
    """Each milestone's median time, in the order in which they were reached."""
    known = [name for name in ups[0].milestones if all(name in each.milestones for each in ups)]
    medians = [(name, statistics.median(each.milestones[name] for each in ups)) for name in known]
    return sorted(medians, key=lambda item: item[1])


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def stop_group(process: subprocess.Popen[str]) -> None:
    """Kill a process that was started in a group of its own, with its group: none of them has anything to save."""
    if process.poll() is None:  # not waited for yet, so its number can't have become a stranger's
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()


def _read_lines(stream: IO[str] | None, started: float, lines: list[tuple[float, str]]) -> None:
    """Every line with its time; an empty one for the stream's end, which is the process's."""
    lines.extend((time.monotonic() - started, line.rstrip("\n")) for line in stream or ())
    lines.append((time.monotonic() - started, ""))


def _find_milestones(lines: Sequence[tuple[float, str]]) -> Iterator[tuple[str, float]]:
    for which, pattern, name in _MILESTONES:
        times = [at for at, line in lines if re.match(pattern, line)]
        if times:
            yield name, times[0 if which == "first" else -1]


def _stop(folder: ProjectFolder) -> None:
    """``down``, and for what it could not stop a signal by process id."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        folder.run("down", check=False, timeout=60)
    deadline = time.monotonic() + 5.0
    while (left := folder.processes()) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
