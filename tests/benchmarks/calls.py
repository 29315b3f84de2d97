"""A warm call of a trivial function through API Gateway, beside plain MiniStack and serverless-offline."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from emulator.ports import HOST
from tests.benchmarks import serverless
from tests.benchmarks.figures import Figure, Result, Table, say
from tests.benchmarks.load import Load, generator, load
from tests.benchmarks.sample import await_answers, free_port
from tests.conformance.account import Account, Api
from tests.conformance.accounts import STARTED, Wanted

_ROUNDS = 5
_SECONDS = 2
_CONNECTIONS = (1, 8)
_HANDLER = """\
import json


def health(event, context):
    return {"statusCode": 200, "body": json.dumps({"status": "ok"})}
"""
_LEAST_SPEEDUP = 30
_LEAST_RATE = 600
_AIMED_RATIO = 1.5
_OURS, _PLAIN, _THEIRS = "multistack", "plain MiniStack", "serverless-offline"
_ALONE = """\
async def application(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})
"""

Loads = Mapping[int, Sequence[Load]]


def run() -> Result:
    """Measure all of them in turn, several rounds; all stay up meanwhile."""
    missing = serverless.find_comparison()
    with contextlib.ExitStack() as stack:
        urls = {_OURS: stack.enter_context(_emulator("embedded")), _PLAIN: stack.enter_context(_emulator("ministack"))}
        if not missing:
            urls[_THEIRS] = stack.enter_context(serverless.running(_HANDLER))
        loads = _measure(urls)
    return Result(title="Calls", figures=_figures(loads, missing), tables=[_table(loads), _layers(loads[_OURS])])


def _measure(urls: Mapping[str, str]) -> Mapping[str, Loads]:
    found: dict[str, dict[int, list[Load]]] = {name: {number: [] for number in _CONNECTIONS} for name in urls}
    for number in range(_ROUNDS):
        for connections in _CONNECTIONS:
            for name, url in urls.items():
                found[name][connections].append(load(url, connections=connections, seconds=_SECONDS))
        told = ", ".join(f"{name} {loads[1][-1].median * 1e3:.2f} ms" for name, loads in found.items())
        say(f"calls {number + 1}/{_ROUNDS}: {told}")
    return found


@contextlib.contextmanager
def _emulator(driver: str) -> Iterator[str]:
    """An emulator that serves the handler, warm at eight connections; the URL of its API."""
    with account_of(driver) as account:
        function = account.function(_HANDLER.replace("health", "handler"))
        account.allow_apis(function)
        api = account.rest_api(function.uri())
        account.deploy(api, "live")
        url = account.url(api, "live")
        load(url, connections=_CONNECTIONS[-1], seconds=1)
        yield url


@contextlib.contextmanager
def account_of(driver: str) -> Iterator[Account]:
    """An account of *driver* in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="multistack-bench-") as name, STARTED[driver](Path(name), Wanted()) as at:
        yield Account(at)


def _median(loads: Sequence[Load]) -> float:
    return statistics.median(each.median for each in loads)


def _rate(loads: Sequence[Load]) -> float:
    return statistics.median(each.rate for each in loads)


def _figures(loads: Mapping[str, Loads], missing: str) -> list[Figure]:
    ours, plain = loads[_OURS], loads[_PLAIN]
    speedup, rate = _median(plain[1]) / _median(ours[1]), _rate(ours[8])
    errors = sum(each.errors for runs in ours.values() for each in runs)
    how = f"{generator()}, {_SECONDS} s per run, {_ROUNDS} rounds in turn; medians."
    return [
        Figure(
            name="warm call through API Gateway, to plain MiniStack",
            required=f">= {_LEAST_SPEEDUP} times faster",
            measured=f"{speedup:.0f} times ({_median(ours[1]) * 1e3:.2f} ms to {_median(plain[1]) * 1e3:.1f} ms)",
            passed=speedup >= _LEAST_SPEEDUP,
            how=f"{how} One connection; a function that answers at once, behind a REST API.",
        ),
        Figure(
            name="warm calls at 8 connections",
            required=f">= {_LEAST_RATE}/s, no error",
            measured=f"{rate:.0f}/s, {errors} errors",
            passed=rate >= _LEAST_RATE and errors == 0,
            how=f"{how} The same function; errors over all runs.",
        ),
        *_aims(loads, missing, how),
    ]


def _aims(loads: Mapping[str, Loads], missing: str, how: str) -> Iterator[Figure]:
    latency, throughput = f"no comparison: {missing}", f"no comparison: {missing}"
    slower = kept = None
    if not missing:
        ours, theirs = loads[_OURS], loads[_THEIRS]
        slower, kept = _median(ours[1]) / _median(theirs[1]), _rate(ours[8]) / _rate(theirs[8])
        latency = f"{slower:.2f} x ({_median(ours[1]) * 1e3:.2f} ms to {_median(theirs[1]) * 1e3:.2f} ms)"
        throughput = f"{kept:.2f} x ({_rate(ours[8]):.0f}/s to {_rate(theirs[8]):.0f}/s)"
    yield Figure(
        name="warm call, to serverless-offline",
        required=f"<= {_AIMED_RATIO} x (aim)",
        measured=latency,
        passed=None if slower is None else slower <= _AIMED_RATIO,
        how=f"{how} The same handler, one connection; theirs has no API Gateway and no AWS behind it.",
        is_aim=True,
    )
    yield Figure(
        name="warm calls at 8 connections, to serverless-offline",
        required=">= 1.0 x (aim)",
        measured=throughput,
        passed=None if kept is None else kept >= 1.0,
        how=f"{how} The same handler.",
        is_aim=True,
    )


def _table(loads: Mapping[str, Loads]) -> Table:
    rows = [
        [
            name,
            str(connections),
            f"{_median(runs) * 1e3:.2f} ms",
            f"{_rate(runs):.0f}/s",
            str(sum(each.errors for each in runs)),
        ]
        for name, by_connections in loads.items()
        for connections, runs in by_connections.items()
    ]
    return Table(
        title="A function that answers at once",
        columns=["what", "connections", "median", "requests", "errors"],
        rows=rows,
        note="Load generator, emulator and functions share the cores.",
    )


def _layers(ours: Loads) -> Table:
    """Where the time of one call goes: each row does what the row above does, and more."""
    alone, mocked = _alone(), _mocked()
    steps = [
        ("uvicorn with an application that answers at once", alone),
        ("the emulator: API Gateway with a MOCK integration", mocked),
        ("the emulator: API Gateway with a Lambda function", _median(ours[1])),
    ]
    rows, before = [], 0.0
    for name, seconds in steps:
        rows.append([name, f"{seconds * 1e3:.2f} ms", f"{(seconds - before) * 1e3:.2f} ms"])
        before = seconds
    return Table(
        title="Where the time of a call goes",
        columns=["what answers", "median", "more than the row above"],
        rows=rows,
        note="One connection. The last step holds the event, the hop to the function's process and back, its log "
        "lines in CloudWatch Logs, and the handler itself.",
    )


def _alone() -> float:
    with tempfile.TemporaryDirectory(prefix="multistack-bench-") as name:
        (Path(name) / "alone.py").write_text(_ALONE)
        port = free_port()
        options = ["--port", str(port), "--log-level", "error", "--no-access-log", "--http", "httptools"]
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "alone:application", *options, "--loop", "asyncio"], cwd=name
        )
        try:
            return _median_once(f"http://{HOST}:{port}/x", is_alive=lambda: process.poll() is None)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _mocked() -> float:
    with account_of("embedded") as account:
        gateway = account.client("apigateway")
        made = gateway.create_rest_api(name="mocked")
        where = {"restApiId": made["id"], "resourceId": made["rootResourceId"], "httpMethod": "GET"}
        gateway.put_method(**where, authorizationType="NONE")
        gateway.put_method_response(**where, statusCode="200")
        gateway.put_integration(**where, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
        gateway.put_integration_response(**where, statusCode="200", responseTemplates={"application/json": "{}"})
        api = Api(made["id"])
        account.deploy(api, "live")
        return _median_once(account.url(api, "live", "/"))


def _median_once(url: str, *, is_alive: Callable[[], bool] = lambda: True) -> float:
    await_answers([url], started=time.monotonic(), is_alive=is_alive)
    return statistics.median(load(url, connections=1, seconds=_SECONDS).median for _ in range(3))
