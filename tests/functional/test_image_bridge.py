"""The process beside a function's container, where there is no engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from emulator.drivers.launcher.functions import image_bridge


@pytest.fixture
def without_engine() -> Iterator[subprocess.Popen[bytes]]:
    """A bridge that finds no engine, and has said so."""
    child = subprocess.Popen(
        [sys.executable, "-I", "-m", image_bridge.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdin
    assert child.stdout
    hello = {
        "mark": "mark",
        "engine": {"DOCKER_HOST": "unix:///nonexistent"},
        "image": "a:b",
        "function": "f",
    }
    with child:
        try:
            child.stdin.write(json.dumps(hello).encode() + b"\n")
            child.stdin.flush()
            said = json.loads(child.stdout.readline())
            assert said["error"]["errorType"] == "Runtime.InvalidEntrypoint"
            yield child
        finally:
            child.kill()


@pytest.mark.parametrize("how", ["hangs up", "asks"])
def test_without_a_container_it_ends_with_the_emulator(without_engine: subprocess.Popen[bytes], how: str) -> None:
    """None is left behind by calls that can't be made."""
    assert without_engine.stdin
    if how == "asks":
        os.kill(without_engine.pid, signal.SIGTERM)
    else:
        without_engine.stdin.close()
    assert without_engine.wait(timeout=30) == 0
