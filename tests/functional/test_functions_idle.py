"""Processes of functions: shared code, and an end when nobody needs them."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import BotoCoreError

from emulator import process
from tests.functional.emulators import Emulator, archive, running

pytestmark = pytest.mark.embedded("its functions' processes")

_SOURCE = """
import os, time
def handler(event, context):
    time.sleep(event)
    return os.getpid()
"""


def wait_until(condition: Callable[[], bool], *, timeout: float = 60) -> None:
    """Poll; fails when it takes too long."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes(emulator: Emulator) -> list[int]:
    """Functions and zygotes: what the emulator has started."""
    (server,) = [
        found
        for found in psutil.process_iter(["cmdline"])
        if str(emulator.folder) in (found.info["cmdline"] or []) and "--listen-fd" in found.info["cmdline"]
    ]
    return [child.pid for child in server.children(recursive=True)]


def test_idle_processes_end(tmp_path: Path) -> None:
    """The last of each function and the zygote too, and their unpacked code; a busy one stays, and calls go on."""
    with running(tmp_path / "environment", environ={"LAMBDA_WARM_TTL_SECONDS": "1"}) as emulator:
        emulator.create("brief", _SOURCE, Timeout=20)
        emulator.create("other", _SOURCE.replace("event", "0"), Timeout=20)
        first = emulator.invoke("brief", 0).payload
        emulator.invoke("other", 0)
        assert len(processes(emulator)) >= 2
        busy = emulator.invoke("brief", 3)
        assert busy.error == ""
        wait_until(lambda: processes(emulator) == [])
        wait_until(lambda: [folder.name for folder in (emulator.folder / "tmp/functions").glob("*/")] == ["runtime"])
        assert emulator.invoke("brief", 0).payload != first


def test_an_updated_function_finishes_its_calls(tmp_path: Path) -> None:
    """A call that runs while the code changes ends as it began; the next one runs the new code."""
    with running(tmp_path / "environment") as emulator, ThreadPoolExecutor(1) as pool:
        begin = f"    open({str(tmp_path / 'begun')!r}, 'w').close()\n"
        emulator.create("changing", _SOURCE.replace("    time", f"{begin}    time", 1), Timeout=20)
        old = emulator.invoke("changing", 0).payload
        (tmp_path / "begun").unlink()
        call = pool.submit(emulator.invoke, "changing", 2)
        wait_until((tmp_path / "begun").exists)
        emulator.client("lambda").update_function_code(
            FunctionName="changing", ZipFile=archive({"app.py": "def handler(event, context): return 'new'"})
        )
        assert call.result().payload == old
        assert emulator.invoke("changing", 0).payload == "new"
        wait_until(lambda: not psutil.pid_exists(old))


def test_stopping_leaves_no_process(tmp_path: Path) -> None:
    """Neither functions nor what they started nor zygotes, although nobody waits for them."""
    with running(tmp_path / "environment") as emulator:
        emulator.create(
            "parent",
            "import subprocess\ndef handler(event, context): return subprocess.Popen(['sleep', '7777']).pid",
        )
        child = emulator.invoke("parent").payload
        started = [*processes(emulator), child]
        assert psutil.pid_exists(child)
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in started))


def test_an_emulator_ends_while_a_function_runs(tmp_path: Path) -> None:
    """Nobody waits for the function, which a warm one would make the event loop do."""
    with running(tmp_path / "environment") as emulator, ThreadPoolExecutor(1) as pool:
        begun = tmp_path / "begun"
        emulator.create(
            "long",
            _SOURCE.replace("    time", f"    if event: open({str(begun)!r}, 'w').close()\n    time"),
            Timeout=120,
        )
        assert emulator.invoke("long", 0).error == ""
        call = pool.submit(emulator.invoke, "long", 100)
        wait_until(begun.exists)
        begin = time.monotonic()
        process.stop(emulator.folder, grace=60)
        assert time.monotonic() - begin < 30
        assert isinstance(call.exception(), BotoCoreError)
