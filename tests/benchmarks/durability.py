"""What durable state costs: checkpoints under load, a start with much state, memory after many calls."""

from __future__ import annotations

import contextlib
import http.client
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from emulator.drivers import embedded
from emulator.drivers.embedded import EmbeddedDriver
from emulator.endpoint import wait_until_healthy
from emulator.model import DriverName, Endpoint, Environment, Project
from tests.benchmarks.figures import MB, Figure, Result, Table, say, spread
from tests.benchmarks.load import load
from tests.conformance.account import Account, answering
from tests.conftest import REPOSITORY

_ENVIRONMENT = Environment(
    name="bench", driver=DriverName.EMBEDDED, account_id="111111111111", region="eu-west-1", lambda_concurrency=None
)
_ITEMS = 1000
_ROUNDS = 6
_SECONDS = 3
_MOST_COST = 0.05
_STATE = 10 * MB
_STARTS = 7
_MOST_START = 1.5
_CALLS = (1_000, 10_000)
_MOST_GROWTH = 0.10
# Puts one of a thousand items again with each call: what a checkpoint has to write changes all the time.
_WRITER = """\
import json, os, random
import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def handler(event, context):
    table.put_item(Item={"id": str(random.randrange(1000)), "at": context.aws_request_id})
    return {"statusCode": 200, "body": "{}"}
"""


def run() -> Result:
    """Measure all three."""
    cost, cost_table = _checkpoint_cost()
    start, start_table = _start_with_state()
    growth, growth_table = _memory()
    return Result(title="State", figures=[cost, start, growth], tables=[cost_table, start_table, growth_table])


class _Driver(EmbeddedDriver):
    """Finds this package, whatever folder the emulator runs in."""

    def _environ(self, environment: Environment, *, folder: Path, port: int) -> Mapping[str, str]:
        return {**super()._environ(environment, folder=folder, port=port), "PYTHONPATH": str(REPOSITORY)}


def _driver(folder: Path) -> EmbeddedDriver:
    project = Project(file=folder / "m.toml", service="s", template=folder / "t.yaml", environments=(_ENVIRONMENT,))
    return _Driver(project, path="/usr/bin:/bin")


@contextlib.contextmanager
def _running(folder: Path, *, module: str = embedded._MODULE) -> Iterator[Endpoint]:
    """An emulator of *folder*, with the state it has."""
    usual, driver = embedded._MODULE, _driver(folder)
    embedded._MODULE = module  # the seam is not worth an argument that only this file would give
    try:
        endpoint = driver.start(_ENVIRONMENT)
    finally:
        embedded._MODULE = usual
    try:
        wait_until_healthy(endpoint, timeout=60)
        yield endpoint
    finally:
        driver.stop(_ENVIRONMENT)


def _checkpoint_cost() -> tuple[Figure, Table]:
    """Two emulators with the same items and function, one without checkpoints, loaded in turn."""
    rates: dict[str, list[float]] = {"with checkpoints": [], "without": []}
    with contextlib.ExitStack() as stack:
        urls = {}
        for name, module in (
            ("with checkpoints", embedded._MODULE),
            ("without", "tests.benchmarks.without_checkpoints"),
        ):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="multistack-bench-")))
            account = Account(stack.enter_context(_running(folder, module=module)))
            urls[name] = _writing_api(account)
            load(urls[name], connections=8, seconds=1)
        for number in range(_ROUNDS):
            # Who goes first changes, so that neither always finds the machine as the other left it.
            for name in sorted(urls, reverse=bool(number % 2)):
                rates[name].append(_rate(urls[name]))
    ratios = [1 - ours / plain for ours, plain in zip(*rates.values(), strict=True)]
    cost = statistics.median(ratios)
    say(f"state: checkpoints cost {cost:.1%} of throughput")
    figure = Figure(
        name=f"checkpoints under load, {_ITEMS} items",
        required=f"<= {_MOST_COST:.0%} of throughput",
        measured=f"{cost:.1%}",
        passed=cost <= _MOST_COST,
        how=f"a function that writes one of {_ITEMS} DynamoDB items per call, 8 connections, {_SECONDS} s per run, "
        f"{_ROUNDS} pairs of runs in turn with an emulator that takes no checkpoints; the median of the pairs.",
    )
    rows = [[name, *spread(runs, unit="/s", digits=0)] for name, runs in rates.items()]
    return figure, Table(title="Calls that write", columns=["emulator", "median", "least", "greatest"], rows=rows)


def _rate(url: str) -> float:
    """Calls per second; what is refused would be fast, and prove nothing."""
    found = load(url, connections=8, seconds=_SECONDS)
    if found.errors:
        raise RuntimeError(f"{url}: {found.errors} calls went wrong")
    return found.rate


def _writing_api(account: Account) -> str:
    table = _table(account)
    _fill(account, table, number=_ITEMS, size=200)
    function = account.function(_WRITER, Environment={"Variables": {"TABLE": table}})
    account.allow_apis(function)
    api = account.rest_api(function.uri())
    account.deploy(api, "live")
    return account.url(api, "live")


def _table(account: Account) -> str:
    account.client("dynamodb").create_table(
        TableName="bench",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    return "bench"


def _fill(account: Account, table: str, *, number: int, size: int) -> None:
    dynamodb = account.client("dynamodb")
    for first in range(0, number, 25):
        puts = [
            {"PutRequest": {"Item": {"id": {"S": str(item)}, "text": {"S": "x" * size}}}}
            for item in range(first, min(first + 25, number))
        ]
        dynamodb.batch_write_item(RequestItems={table: puts})


def _start_with_state() -> tuple[Figure, Table]:
    """Starts until healthy, of an empty environment and of one with 10 MB of items, in turn."""
    times: dict[str, list[float]] = {"empty": [], "with 10 MB": []}
    with contextlib.ExitStack() as stack:
        folders = {
            name: Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="multistack-bench-"))) for name in times
        }
        with _running(folders["with 10 MB"]) as endpoint:
            account = Account(endpoint)
            _fill(account, _table(account), number=_STATE // 1000, size=1000)
        for _ in range(_STARTS):
            for name, folder in folders.items():
                times[name].append(_start(folder))
    ratio = statistics.median(times["with 10 MB"]) / statistics.median(times["empty"])
    say(f"state: start with 10 MB {ratio:.2f} x")
    figure = Figure(
        name="start with 10 MB of state, to an empty one",
        required=f"< {_MOST_START} x",
        measured=f"{ratio:.2f} x",
        passed=ratio < _MOST_START,
        how=f"from the start of the process until it is healthy, medians of {_STARTS} starts in turn; the state is "
        f"{_STATE // 1000} DynamoDB items of 1,000 bytes.",
    )
    rows = [[name, *spread(runs)] for name, runs in times.items()]
    return figure, Table(title="Start to healthy", columns=["state", "median", "least", "greatest"], rows=rows)


def _start(folder: Path) -> float:
    started = time.monotonic()
    with _running(folder):
        return time.monotonic() - started


def _memory() -> tuple[Figure, Table]:
    """Resident memory of the emulator after 1,000 and after 10,000 calls of a function that logs."""
    with tempfile.TemporaryDirectory(prefix="multistack-bench-") as name, _running(Path(name)) as endpoint:
        account = Account(endpoint)
        function = account.function(answering("ok").replace("    return", "    print(event['path'])\n    return"))
        account.allow_apis(function)
        api = account.rest_api(function.uri())
        account.deploy(api, "live")
        process = psutil.Process(_pid(Path(name)))
        found: list[float] = []
        done = 0
        for calls in _CALLS:
            _call(account.url(api, "live"), calls - done)
            done = calls
            time.sleep(2.0)  # the checkpoint that the last call caused is over
            found.append(process.memory_info().rss / MB)
    growth = found[1] / found[0] - 1
    say(f"state: memory {found[0]:.0f} MB, then {found[1]:.0f} MB")
    figure = Figure(
        name=f"resident memory after {_CALLS[1]:,} calls, to after {_CALLS[0]:,}",
        required=f"within {_MOST_GROWTH:.0%}",
        measured=f"{growth:+.1%} ({found[0]:.0f} MB to {found[1]:.0f} MB)",
        passed=abs(growth) <= _MOST_GROWTH,
        how="one emulator, a function that logs a line per call, through a REST API.",
    )
    rows = [[f"{calls:,}", f"{megabytes:.1f} MB"] for calls, megabytes in zip(_CALLS, found, strict=True)]
    return figure, Table(title="Memory of an emulator", columns=["calls", "resident"], rows=rows)


def _pid(root: Path) -> int:
    record = root / ".multistack" / "environments" / _ENVIRONMENT.name / "server.json"
    return int(json.loads(record.read_text())["process"]["pid"])


def _call(url: str, number: int) -> None:
    """Exactly *number* calls, over one connection."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    for _ in range(number):
        connection.request("GET", parts.path)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"{url} answered {response.status}")
    connection.close()
