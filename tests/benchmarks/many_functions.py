"""A service of many functions: from nothing into three environments, beside one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.figures import Figure, Result, Table, say, spread
from tests.benchmarks.sample import NAMES, fresh_project
from tests.conftest import http

_FUNCTIONS = 30
_ROUNDS = 3
_AIM = 15.0
_HANDLER = "def handler(event, context):\n    return {{'statusCode': 200, 'body': 'marker {number};'}}\n"


def run() -> Result:
    """Take both by turns, so that the machine's mood meets both."""
    measured: dict[int, list[float]] = {1: [], len(NAMES): []}
    for number in range(_ROUNDS):
        for count, seconds in measured.items():
            seconds.append(_up(NAMES[:count]))
            say(f"functions {number + 1}/{_ROUNDS}: up of {count} in {seconds[-1]:.1f} s")
    rows = [[str(count), *spread(seconds)] for count, seconds in measured.items()]
    columns = ["environments", "median", "least", "greatest"]
    table = Table(title=f"Up of {_FUNCTIONS} functions", columns=columns, rows=rows)
    return Result(title="Many functions", figures=[_figure(*measured.values())], tables=[table])


def write_service(folder: Path, count: int, *, environments: Sequence[str]) -> list[str]:
    """Each function has a folder, and a route of its name; returns the names."""
    names = [f"F{number:02}" for number in range(1, count + 1)]
    template = ["Transform: AWS::Serverless-2016-10-31", "Resources:"]
    for name in names:
        route = f"Events: {{Get: {{Type: Api, Properties: {{Path: /{name}, Method: GET}}}}}}"
        properties = f"{{Runtime: python3.12, Handler: app.handler, CodeUri: {name}/, {route}}}"
        template.append(f"  {name}: {{Type: AWS::Serverless::Function, Properties: {properties}}}")
        (folder / name).mkdir()
        save(folder / name, 0)
    project = ['service = "many"']
    for number, name in enumerate(environments, start=1):
        project += [f"[environments.{name}]", f'account_id = "{str(number) * 12}"']
    (folder / "template.yaml").write_text("\n".join(template))
    (folder / "multistack.toml").write_text("\n".join(project) + "\n")
    return names


def save(folder: Path, number: int) -> None:
    """Make the function in *folder* answer *number*."""
    (folder / "app.py").write_text(_HANDLER.format(number=number))


def _up(environments: Sequence[str]) -> float:
    """Seconds of ``multistack up``, the build included; then the last function must answer in each environment."""
    with fresh_project() as folder:
        *_, last = write_service(folder.folder, _FUNCTIONS, environments=environments)
        started = time.monotonic()
        folder.run("up")
        seconds = time.monotonic() - started
        for name in environments:
            answer = http("GET", folder.url(name, last))
            if answer.status != 200:
                raise RuntimeError(f"{last} answered {answer.status} in {name}")
    return seconds


def _figure(one: Sequence[float], three: Sequence[float]) -> Figure:
    seconds = statistics.median(three)
    return Figure(
        name=f"{_FUNCTIONS} functions into {len(NAMES)} environments",
        required=f"< {_AIM:g} s",
        measured=f"{seconds:.1f} s, {seconds / statistics.median(one):.2f} x one environment",
        passed=seconds < _AIM,
        how=f"`multistack up` of a service of {_FUNCTIONS} functions, each with its own code and route, from nothing, "
        f"with the build; embedded driver, median of {_ROUNDS} runs, by turns with one environment.",
    )
