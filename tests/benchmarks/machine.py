"""The machine and the versions that a measurement belongs to."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import psutil

from tests.benchmarks.figures import MB
from tests.benchmarks.serverless import MODULES
from tests.conftest import REPOSITORY


def describe_machine() -> Mapping[str, str]:
    """What to know before one compares numbers; takes a second, in which it looks how busy others keep the cores."""
    others = psutil.cpu_percent(interval=1.0)
    return {
        "CPU": f"{_cpu_model()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / MB / 1024:.1f} GB",
        "kernel": f"{platform.system()} {platform.release()}",
        "busy before the start": f"{others:.0f} % of all cores, load average {os.getloadavg()[0]:.2f}",
        "Python": platform.python_version(),
        **{name: version(name) for name in ("multistack-emulator", "ministack", "botocore", "aws-sam-translator")},
        "commit": _commit(),
        "Node": _first_line("node", "--version"),
        **{name: _npm_version(name) for name in ("serverless", "serverless-offline")},
        "wrk": _first_line("wrk", "--version").partition(" [")[0],
        "nginx": _first_line("nginx", "-v"),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _commit() -> str:
    if not shutil.which("git"):
        return "unknown"
    changed = "" if _output("git", "-C", str(REPOSITORY), "status", "--porcelain") == "" else " and uncommitted changes"
    return f"{_first_line('git', '-C', str(REPOSITORY), 'rev-parse', '--short', 'HEAD')}{changed}"


def _npm_version(package: str) -> str:
    try:
        return str(json.loads((MODULES / package / "package.json").read_text())["version"])
    except OSError:
        return "not installed"


def _first_line(*command: str) -> str:
    lines = _output(*command).splitlines() if shutil.which(command[0]) else []
    return lines[0] if lines else "not installed"


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return (done.stdout + done.stderr).strip()
