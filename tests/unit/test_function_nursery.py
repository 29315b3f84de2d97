"""Zygotes: forks that end as processes of their own would, and an end of the zygote itself."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from emulator.drivers.launcher.functions import sdk_folder
from emulator.drivers.launcher.functions.multistack_runtime import frames
from emulator.drivers.launcher.functions.nursery import Nursery, Zygote
from emulator.drivers.launcher.functions.processes import Forked

_PROGRAM = Path(sys.executable)


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    """One that ends with the test."""
    nursery = Nursery(sdk=sdk_folder.make(tmp_path / "sdk"), environ={}, folder=tmp_path)
    yield nursery
    nursery.end_idle(0)


def ready(nursery: Nursery) -> Zygote:
    """A zygote that has imported boto3."""
    zygote = nursery.warm(_PROGRAM)
    assert zygote is not None
    assert "boto3" in (zygote.modules(timeout=30) or ())
    return zygote


def fork(zygote: Zygote, folder: Path) -> tuple[Forked, socket.socket]:
    """A fork that waits to be told what it is, and our end of its socket."""
    ours, theirs = socket.socketpair()
    log = os.open(os.devnull, os.O_WRONLY)
    with theirs:
        process = zygote.fork({}, folder, control=theirs.fileno(), log=log)
    os.close(log)
    return process, ours


def test_the_end_of_a_fork_is_told(nursery: Nursery, tmp_path: Path) -> None:
    """With its signal, as the system tells it of a child."""
    process, ours = fork(ready(nursery), tmp_path)
    with ours:
        assert process.poll() is None
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=10) == -signal.SIGTERM
    process.close()


def test_what_a_fork_started_ends_with_it(nursery: Nursery, tmp_path: Path) -> None:
    """Before anybody asks how it ended: by then its number may be that of something else on this machine."""
    process, ours = fork(ready(nursery), tmp_path)
    with ours, subprocess.Popen(["sleep", "600"], process_group=process.pid) as started:
        os.kill(process.pid, signal.SIGTERM)
        assert started.wait(timeout=10) == -signal.SIGKILL
    assert process.wait(timeout=10) == -signal.SIGTERM
    process.close()


def test_all_who_ask_how_a_fork_ended_are_told() -> None:
    """Each new fork looks which others still run, while their calls do so themselves; it can be read only once."""
    for _ in range(100):
        fate, told = os.pipe()
        os.write(told, b"3\n")
        os.close(told)
        process, together = Forked(2**30, fate), threading.Barrier(4)
        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(_ask, process, together) for _ in range(4)]
        process.close()
        assert {one.result() for one in asked} == {3}


def _ask(process: Forked, together: threading.Barrier) -> int | None:
    together.wait(timeout=10)
    return process.poll()


def test_those_who_wait_for_a_zygote_wait_at_once(nursery: Nursery, tmp_path: Path) -> None:
    """Eight cold starts during its start wait no longer than one."""
    program = tmp_path / "never-ready"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    zygote = nursery.warm(program)
    assert zygote is not None
    begin = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: zygote.modules(timeout=4), range(8))) == [None] * 8
    assert time.monotonic() - begin < 30  # one after the other they would have waited for 32


def test_a_zygote_stays_while_a_fork_runs(nursery: Nursery, tmp_path: Path) -> None:
    """Nobody else could tell how that ends; without one it is idle after its time."""
    zygote = ready(nursery)
    process, ours = fork(zygote, tmp_path)
    assert not zygote.is_idle(0)
    ours.close()
    assert process.wait(timeout=10) == 1  # nobody is left to serve
    process.close()
    assert zygote.is_idle(0)
    assert not zygote.is_idle(60)


def test_an_idle_zygote_ends_and_another_is_started(nursery: Nursery) -> None:
    """When one is wanted again."""
    first = ready(nursery)
    nursery.end_idle(0)
    assert ready(nursery) is not first


def test_a_zygote_that_fails_is_not_tried_again(tmp_path: Path) -> None:
    """boto3 does not run on every version; functions are then started."""
    nursery = Nursery(sdk=tmp_path, environ={}, folder=tmp_path)
    zygote = nursery.warm(Path("/bin/false"))
    assert zygote is not None
    assert zygote.modules(timeout=10) is None
    zygote._process.wait(timeout=10)
    assert zygote.has_failed
    nursery.drop(zygote)
    assert nursery.warm(Path("/bin/false")) is None


def test_a_frame_begins_with_its_length() -> None:
    """Four bytes, the most significant first."""
    assert frames.encode(b"{}") == b"\x00\x00\x00\x02{}"
