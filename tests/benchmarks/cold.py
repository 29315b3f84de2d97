"""The first call of a function that imports boto3, beside the bare interpreter doing that."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from tests.benchmarks.calls import account_of
from tests.benchmarks.figures import Figure, Result, Table, say, spread
from tests.conformance.account import Account

_ROUNDS = 10
_AIMED_RATIO = 1.0
_HANDLER = """\
import boto3


def handler(event, context):
    return boto3.__version__
"""
_RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"


def run() -> Result:
    """Measure in turn; each round calls a function that never ran."""
    bare, warm = [], []
    with account_of("embedded") as account:
        first = _first_call(account)
        cold = []
        for _ in range(_ROUNDS):
            bare.append(_bare())
            cold.append(_first_call(account))
            warm.append(_call(account))
    say(f"cold: {statistics.median(cold) * 1e3:.0f} ms, bare {statistics.median(bare) * 1e3:.0f} ms")
    return Result(title="Cold starts", figures=[_figure(cold, bare)], tables=[_table(first, cold, warm, bare)])


def _bare() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import boto3"], check=True)
    return time.perf_counter() - started


def _first_call(account: Account) -> float:
    function = account.function(_HANDLER, Runtime=_RUNTIME, MemorySize=256)
    started = time.perf_counter()
    account.invoke(function)
    return time.perf_counter() - started


def _call(account: Account) -> float:
    """A warm call by the same client, to tell what the client itself takes."""
    function = account.function(_HANDLER, Runtime=_RUNTIME, MemorySize=256)
    account.invoke(function)
    started = time.perf_counter()
    account.invoke(function)
    return time.perf_counter() - started


def _figure(cold: Sequence[float], bare: Sequence[float]) -> Figure:
    ratio = statistics.median(cold) / statistics.median(bare)
    return Figure(
        name='cold start of a function that imports boto3, to `python -c "import boto3"`',
        required=f"<= {_AIMED_RATIO:g} x (aim)",
        measured=f"{ratio:.2f} x ({statistics.median(cold) * 1e3:.0f} ms to {statistics.median(bare) * 1e3:.0f} ms)",
        passed=ratio <= _AIMED_RATIO,
        how=f"medians of {_ROUNDS} rounds in turn; Invoke of a function that never ran, from request to answer. The "
        "first function of an emulator also pays for the process that the others are forked from; see the table.",
        is_aim=True,
    )


def _table(first: float, cold: Sequence[float], warm: Sequence[float], bare: Sequence[float]) -> Table:
    return Table(
        title="First calls",
        columns=["what", "median", "least", "greatest"],
        rows=[
            ["first function of an emulator", *spread([first * 1e3], unit="ms", digits=0)],
            ["each further function, never called before", *spread([s * 1e3 for s in cold], unit="ms", digits=0)],
            ["a second call", *spread([s * 1e3 for s in warm], unit="ms", digits=0)],
            ['`python -c "import boto3"`', *spread([s * 1e3 for s in bare], unit="ms", digits=0)],
        ],
    )
