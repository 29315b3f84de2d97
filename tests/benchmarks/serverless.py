"""What `up` is compared with: three serverless-offline processes, one per stage, with a trivial Python handler."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from emulator.ports import HOST
from tests.benchmarks.figures import MB, say
from tests.benchmarks.sample import NAMES, await_answers, free_port, stop_group
from tests.conftest import REPOSITORY

# Ignored by git. Serverless 4 asks for a login, so 3 it is.
_CACHE = REPOSITORY / ".benchmarks" / "serverless"
MODULES = _CACHE / "node_modules"
# Kept: Serverless caches its compiled configuration schema there, and takes twice the time without, which a user pays
# once and not at every start.
_HOME = _CACHE / "home"
_PACKAGES = {"serverless": "3.40.0", "serverless-offline": "13.9.0"}
_INSTALL_TIMEOUT = 180.0

_SERVICE = f"""\
service: orders
frameworkVersion: "3"
provider:
  name: aws
  region: eu-west-1
  stage: ${{opt:stage, 'test'}}
  runtime: python{sys.version_info.major}.{sys.version_info.minor}
plugins: [serverless-offline]
functions:
  health:
    handler: handler.health
    events:
      - http: {{path: health, method: get}}
"""
_HANDLER = """\
import json


def health(event, context):
    headers = {"Content-Type": "application/json"}
    return {"statusCode": 200, "headers": headers, "body": json.dumps({"status": "ok"})}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """
    Three processes, each answering 200.

    Attributes:
        seconds: From the start of the first to the last one's first 200.
        resident: Median MB of a process with its children.
    """

    seconds: float
    resident: float


def find_comparison() -> str:
    """
    Install the packages once.

    Returns:
        Why there is nothing to compare with; empty when there is.
    """
    if (MODULES / "serverless-offline" / "package.json").exists():
        return ""
    if not (shutil.which("node") and shutil.which("npm")):
        return "serverless-offline needs node and npm"
    say("installing serverless and serverless-offline, once")
    _CACHE.mkdir(parents=True, exist_ok=True)
    (_CACHE / "package.json").write_text(json.dumps({"private": True, "dependencies": _PACKAGES}))
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(
            command, cwd=_CACHE, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return "npm install took too long"
    last = (done.stderr.strip().splitlines() or ["npm says nothing"])[-1]
    return "" if done.returncode == 0 else f"npm install failed: {last}"


@contextlib.contextmanager
def running(handler: str = _HANDLER) -> Iterator[str]:
    """One process that serves *handler*, warm; its URL."""
    with _folder(handler) as folder:
        port = free_port()
        url = f"http://{HOST}:{port}/health"
        started = time.monotonic()
        process = _start(folder, NAMES[0], port)
        try:
            await_answers([url], started=started, is_alive=lambda: process.poll() is None)
            yield url
        finally:
            stop_group(process)


@contextlib.contextmanager
def _folder(handler: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="multistack-bench-sls-") as name:
        folder = Path(name)
        _HOME.mkdir(exist_ok=True)
        (folder / "serverless.yml").write_text(_SERVICE)
        (folder / "handler.py").write_text(handler)
        (folder / "node_modules").symlink_to(MODULES)
        yield folder


def start_three() -> Started:
    """Start one process per stage, side by side, wait until all have answered, stop them."""
    with _folder(_HANDLER) as folder:
        ports = [free_port() for _ in NAMES]
        processes: list[subprocess.Popen[str]] = []
        started = time.monotonic()
        try:
            for stage, port in zip(NAMES, ports, strict=True):
                processes.append(_start(folder, stage, port))
            answers = await_answers(
                [f"http://{HOST}:{port}/health" for port in ports],
                started=started,
                is_alive=lambda: all(process.poll() is None for process in processes),
            )
            resident = statistics.median(_resident(process.pid) for process in processes)
        finally:
            for process in processes:
                stop_group(process)
    return Started(seconds=max(answer.at for answer in answers), resident=resident)


def _start(folder: Path, stage: str, port: int) -> subprocess.Popen[str]:
    arguments: Sequence[str] = (
        f"--stage={stage}",
        f"--host={HOST}",
        f"--httpPort={port}",
        f"--lambdaPort={free_port()}",
        "--noPrependStageInUrl",
    )
    return subprocess.Popen(
        ["node", str(MODULES / "serverless" / "bin" / "serverless.js"), "offline", *arguments],
        cwd=folder,
        env={
            # The handler's `python3.x` is the one that runs ours: no slow shim of a version switcher.
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(_HOME),
            "SLS_TELEMETRY_DISABLED": "1",
            "SLS_NOTIFICATIONS_MODE": "off",
            "SLS_INTERACTIVE_SETUP_ENABLE": "0",
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
            "AWS_EC2_METADATA_DISABLED": "true",
            # Nothing may leave this machine; nothing listens there.
            "https_proxy": f"http://{HOST}:9",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def _resident(pid: int) -> float:
    process = psutil.Process(pid)
    return sum(int(each.memory_info().rss) for each in (process, *process.children(recursive=True))) / MB
