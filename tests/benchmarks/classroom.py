"""
A class of thirty on this machine: how long its seats take, and what they are answered when all do lab 1 at once.

``python -m tests.benchmarks.classroom 3`` tries it with three seats.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import boto3
import psutil
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.benchmarks.figures import MB, Figure, Result, Table, say
from tests.benchmarks.report import as_text
from tests.benchmarks.sample import NAMES, fresh_project
from tests.conftest import ProjectFolder, http

_SEATS = 30
# So much of docs/guides/seat.md is asked at once by everybody, without a pause to read or to type.
_ORDER = {"id": "lab-1", "item": "tea", "qty": 1, "price": 2.5}
_PATIENCE = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request of a learner: what it was, its status beside the one that the lab's text tells, and its seconds."""

    what: str
    status: int
    told: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """
    One class.

    Attributes:
        commands: What the facilitator types to its seconds.
        memory: Bytes of everything that runs, each page once, by what had been done before.
        asked: By all learners.
        lesson: Seconds until the last of them was done.
        left: Processes after the class.
    """

    seats: int
    commands: Mapping[str, float]
    memory: Mapping[str, int]
    asked: Sequence[Asked]
    lesson: float
    left: int

    @property
    def wrong(self) -> list[Asked]:
        """What was answered otherwise than the text says."""
        return [one for one in self.asked if one.status != one.told]


def run(seats: int = _SEATS) -> Result:
    """Make the seats, play the lab in all of them at once, stop them for the night, wake them, clean up."""
    with fresh_project() as folder:
        measured = _hold(folder, seats)
    say(f"class: {seats} seats in {measured.commands[_create(seats)]:.0f} s, {len(measured.wrong)} wrong answers")
    return Result(title="A class", figures=_figures(measured), tables=[_commands(measured), _requests(measured)])


def _create(seats: int) -> str:
    return f"space create --count {seats} --prefix seat"


def _hold(folder: ProjectFolder, seats: int) -> Measured:
    commands: dict[str, float] = {}
    memory: dict[str, int] = {}

    def do(line: str) -> None:
        started = time.monotonic()
        folder.run(*line.split(), timeout=_PATIENCE)
        commands[line] = time.monotonic() - started

    folder.run("build")
    do(_create(seats))
    links = {row["space"]: row["url"] for row in json.loads(folder.run("space", "url", "--all", "--json").stdout)}
    memory["made"] = _used(folder)
    tokens = {
        seat: str(http("POST", link, headers={"Accept": "application/json"}).json()["token"])
        for seat, link in links.items()
    }
    learners = [
        _Learner(folder.environ["MULTISTACK_PROXY_PORT"], seat, token, following)
        for (seat, token), following in zip(tokens.items(), [*list(tokens)[1:], next(iter(tokens))], strict=True)
    ]
    started = time.monotonic()
    with ThreadPoolExecutor(len(learners)) as pool:
        asked = list(itertools.chain.from_iterable(pool.map(lambda one: list(one.play()), learners)))
    lesson = time.monotonic() - started
    memory["in use"] = _used(folder)
    for line in ("down", "space wake --all", "space destroy --all"):
        do(line)
    folder.run("down")
    return Measured(
        seats=seats, commands=commands, memory=memory, asked=asked, lesson=lesson, left=len(folder.processes())
    )


class _Learner:
    """Who sits in a seat, and what they type."""

    def __init__(self, port: str, seat: str, token: str, neighbour: str) -> None:
        self._at = f"http://127.0.0.1:{port}"
        self._seat, self._neighbour = seat, neighbour
        self._headers = {"X-Multistack-Token": token}
        self._clients = {
            name: {service: self._client(name, service, token) for service in ("apigateway", "dynamodb")}
            for name in NAMES
        }

    def _client(self, name: str, service: str, token: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"{self._at}/{self._seat}/{name}/_aws",
            region_name="eu-west-1",
            aws_access_key_id=token,
            aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=120),
        )

    def play(self) -> Iterator[Asked]:
        """What docs/guides/seat.md says, in its order."""
        for name in NAMES:
            yield self._ask("first request of an environment", "GET", f"{name}/health", 200)
        for name in NAMES:
            yield self._call("AWS's API", name, "apigateway", "get_rest_apis")
        for name in NAMES:
            yield self._ask("GET", "GET", f"{name}/config", 200)
        for name in NAMES:
            yield self._ask("first order", "POST", f"{name}/orders", 201)
        yield self._ask("GET", "GET", "prod/orders/lab-1", 200)
        (table,) = self._clients["test"]["dynamodb"].list_tables()["TableNames"]
        yield self._call("AWS's API", "test", "dynamodb", "delete_table", TableName=table)
        for name in ("staging", "prod"):
            yield self._ask("GET", "GET", f"{name}/orders/lab-1", 200)
        yield self._ask("GET with the table gone", "GET", "test/orders/lab-1", 502)
        yield self._ask("of the seat beside", "GET", "prod/orders/lab-1", 403, seat=self._neighbour)

    def _ask(self, what: str, method: str, path: str, told: int, *, seat: str = "") -> Asked:
        started = time.monotonic()
        body = _ORDER if method == "POST" else None
        answer = http(method, f"{self._at}/{seat or self._seat}/{path}", body, headers=self._headers)
        return Asked(what=what, status=answer.status, told=told, seconds=time.monotonic() - started)

    def _call(self, what: str, name: str, service: str, operation: str, **arguments: str) -> Asked:
        started = time.monotonic()
        try:
            said = getattr(self._clients[name][service], operation)(**arguments)
        except ClientError as error:
            said = error.response
        status = said["ResponseMetadata"]["HTTPStatusCode"]
        return Asked(what=what, status=status, told=200, seconds=time.monotonic() - started)


def _used(folder: ProjectFolder) -> int:
    used = 0
    for pid in folder.processes():
        with contextlib.suppress(psutil.NoSuchProcess):  # a function's may end meanwhile
            used += psutil.Process(pid).memory_full_info().pss
    return used


def _figures(measured: Measured) -> list[Figure]:
    count, wrong = len(measured.asked), measured.wrong
    told = ", ".join(sorted({f"{one.what}: {one.status}" for one in wrong}))
    return [
        Figure(
            name=f"class: answers to {measured.seats} learners at once that are not those of the lab's text",
            required="0",
            measured=f"{len(wrong)} of {count}" + (f" ({told})" if told else ""),
            passed=not wrong,
            how="Everybody asks what docs/guides/seat.md says as fast as they are answered; learners, proxy and all "
            "emulators are on this machine.",
        ),
        Figure(
            name=f"class: processes left after {measured.seats} seats",
            required="0",
            measured=str(measured.left),
            passed=not measured.left,
            how="After `space destroy --all` and `down`.",
        ),
    ]


def _commands(measured: Measured) -> Table:
    rows = [[f"`{line}`", f"{seconds:.1f} s"] for line, seconds in measured.commands.items()]
    rows += [[f"memory, {when}", f"{used / MB / 1024:.1f} GB"] for when, used in measured.memory.items()]
    return Table(
        title="What the facilitator waits for",
        columns=["what", "once"],
        rows=rows,
        note=f"{measured.seats} seats of {len(NAMES)} environments of the sample on driver embedded. Memory is that of "
        "all processes, each page counted once.",
    )


def _requests(measured: Measured) -> Table:
    by_kind: dict[str, list[float]] = {}
    for one in measured.asked:
        by_kind.setdefault(one.what, []).append(one.seconds)
    rows = [
        [what, str(len(seconds)), f"{statistics.median(seconds):.2f} s", f"{max(seconds):.2f} s"]
        for what, seconds in by_kind.items()
    ]
    rows.append(["all of the lab", str(measured.seats), "", f"{measured.lesson:.1f} s"])
    return Table(
        title="What learners wait for when all ask at once",
        columns=["request", "of them", "median", "greatest"],
        rows=rows,
        note="Nobody reads or thinks here: a whole lab's requests of everybody within seconds.",
    )


if __name__ == "__main__":
    print(as_text([run(int(sys.argv[1]) if len(sys.argv) > 1 else _SEATS)]))
