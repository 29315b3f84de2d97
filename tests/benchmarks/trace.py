"""
``multistack up`` with some of its functions timed: ``python -m tests.benchmarks.trace OUT STARTED``.

Writes to the file OUT, as JSON, per function: when its first call started and its last one ended, in seconds since
STARTED (``time.monotonic()`` of whoever started this process), its calls, their sum and the longest.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

# Module, function as that module knows it. One that is gone is left out of the table, not an error.
_FUNCTIONS = (
    ("emulator.cli.context", "Context.workspace"),
    ("emulator.lifecycle", "Lifecycle.observe"),
    ("emulator.drivers.embedded", "EmbeddedDriver.start"),
    ("emulator.lifecycle", "wait_until_healthy"),
    ("emulator.workspace", "build"),
    ("emulator.deploy", "check_config"),
    ("emulator.deploy", "client"),
    ("emulator.stack", "client"),
    ("emulator.expansion", "expand_sam"),
    ("emulator.deploy", "Deployer._put_code"),
    ("emulator.deploy", "Deployer._plan"),
    ("emulator.stack", "execute"),
    ("emulator.stack", "resources"),
    ("emulator.deploy", "verify_code"),
    ("emulator.artifact_bucket", "read_mark"),
    ("emulator.artifact_bucket", "write_mark"),
    ("emulator.history", "History.begin"),
    ("emulator.history", "History.end"),
    ("emulator.deploy", "Deployer.deploy"),
    ("emulator.workspace", "Workspace.publish"),
    ("emulator.front", "Front.ensure_running"),
    ("emulator.workspace", "Workspace.status"),
    ("emulator.cli.environments", "_example_path"),
)

Spans = dict[str, list[tuple[float, float]]]


def main() -> None:
    """Import, wrap, run, write."""
    out, started = Path(sys.argv[1]), float(sys.argv[2])
    spans: Spans = defaultdict(list)
    spans["start of the interpreter"].append((started, time.monotonic()))
    importing = time.monotonic()
    for module, function in _FUNCTIONS:
        _time_calls(module, function, spans)
    spans["imports of emulator's modules"].append((importing, time.monotonic()))
    from emulator.cli import cli

    running = time.monotonic()
    cli.main(["up"], standalone_mode=False)
    spans["the whole command after its imports"].append((running, time.monotonic()))
    out.write_text(json.dumps({name: _summary(calls, started) for name, calls in spans.items()}))


def _time_calls(module: str, function: str, spans: Spans) -> None:
    try:
        owner: Any = importlib.import_module(module)
        *path, name = function.split(".")
        for part in path:
            owner = getattr(owner, part)
        inner = getattr(owner, name)
    except (ImportError, AttributeError):
        return
    label = f"{module.removeprefix('emulator.')}.{function}"

    @functools.wraps(inner)
    def timed(*arguments: Any, **options: Any) -> Any:
        begun = time.monotonic()
        try:
            return inner(*arguments, **options)
        finally:
            spans[label].append((begun, time.monotonic()))

    setattr(owner, name, timed)


def _summary(calls: list[tuple[float, float]], started: float) -> dict[str, float]:
    lengths = [end - begin for begin, end in calls]
    return {
        "first": min(begin for begin, _ in calls) - started,
        "last": max(end for _, end in calls) - started,
        "calls": len(calls),
        "longest": max(lengths),
        "total": sum(lengths),
    }


if __name__ == "__main__":
    main()
