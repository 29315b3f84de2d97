"""Where the time of one ``up`` goes: by function, and by imported package."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.figures import Table, say
from tests.benchmarks.sample import fresh_project
from tests.conftest import MULTISTACK, REPOSITORY, ProjectFolder

_ROUNDS = 3
_TIMEOUT = 120
_LEAST_IMPORT = 0.01
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")


def tables() -> list[Table]:
    """One traced ``up`` from nothing per round, and one that times its imports."""
    say("where the time goes")
    traces = [_trace() for _ in range(_ROUNDS)]
    spans = [_median_span(name, traces) for name in traces[0]]
    rows = [
        [
            span["name"],
            f"{span['first']:.2f} s",
            f"{span['last']:.2f} s",
            f"{span['calls']:.0f}",
            f"{span['longest'] * 1000:.0f} ms",
            f"{span['total'] * 1000:.0f} ms",
        ]
        for span in sorted(spans, key=lambda span: span["first"])
    ]
    return [
        Table(
            title="Where the time goes: `up` from nothing, by function",
            columns=["function", "first start", "last end", "calls", "longest", "sum"],
            rows=rows,
            note=f"Medians of {_ROUNDS} runs of the command with these functions timed. The three environments are "
            "threads of one process: sums overlap, and hold waiting for locks and for the interpreter.",
        ),
        Table(
            title="Where the time goes: `up` from nothing, by import",
            columns=["package", "time"],
            rows=[
                [name, f"{seconds * 1000:.0f} ms"] for name, seconds in _imports().items() if seconds >= _LEAST_IMPORT
            ],
            note="`python -X importtime`: the time in each package's own modules, which the tracing itself lengthens; "
            f"packages under {_LEAST_IMPORT * 1000:.0f} ms are left out.",
        ),
    ]


def _median_span(name: str, traces: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    spans = [trace[name] for trace in traces if name in trace]
    return {"name": name, **{key: statistics.median(span[key] for span in spans) for key in spans[0]}}


def _trace() -> Mapping[str, Mapping[str, float]]:
    with fresh_project() as folder:
        out = folder.home / "trace.json"
        environ = {**folder.command_environ(), "PYTHONPATH": str(REPOSITORY)}
        _run(folder, sys.executable, "-m", "tests.benchmarks.trace", str(out), str(time.monotonic()), environ=environ)
        return dict(json.loads(out.read_text()))


def _imports() -> Mapping[str, float]:
    with fresh_project() as folder:
        done = _run(folder, sys.executable, "-X", "importtime", str(MULTISTACK), "up", environ=folder.command_environ())
    spent: dict[str, float] = defaultdict(float)
    for microseconds, module in _IMPORT.findall(done.stderr):
        spent[module.partition(".")[0]] += int(microseconds) / 1e6
    return dict(sorted(spent.items(), key=lambda item: -item[1]))


def _run(folder: ProjectFolder, *command: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder.folder,
        env=dict(environ),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        stdin=subprocess.DEVNULL,
        check=True,
    )
