"""Ctrl-C and kill while containers are made, stopped, saved and restored: the next command makes it whole."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import pytest

from tests.conftest import ProjectFolder
from tests.docker.projects import kept, put
from tests.drivers import left_of
from tests.functional.tiny import get

ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143}


def cut(project: ProjectFolder, number: signal.Signals, seconds: float, *args: str) -> tuple[int, str]:
    """Start a command and cut it after *seconds*; its exit code, and what it said."""
    command = project.start(*args)
    time.sleep(seconds)  # the moment is what is tested
    if command.poll() is None:
        os.killpg(command.pid, number)
    _, said = command.communicate(timeout=60)
    return command.returncode, said


@pytest.mark.parametrize("line", ["starting", "building", "ready", "deployed", "starting proxy"])
def test_up_that_is_cut_leaves_nothing_half_done(tiny: ProjectFolder, engine: Any, line: str) -> None:
    """Ctrl-C at any line: what did not get ready is gone, what did is left; the next `up` finishes."""
    command = tiny.start("up")
    said = ""
    while line not in said and (read := command.stderr.readline()):
        said = read
    os.killpg(command.pid, signal.SIGINT)
    _, rest = command.communicate(timeout=60)
    assert command.returncode == 130, said + rest
    assert "Traceback" not in rest
    assert len(left_of(engine, tiny.folder)) in (0, 3)
    tiny.run("up")
    assert get(tiny).status == 200


def test_killed_commands_lose_nothing(tiny: ProjectFolder, engine: Any) -> None:
    """Whenever `up` and `down` are killed, data and release are there after the next `up`."""
    tiny.run("up")
    put(tiny, "1")
    moments = random.Random(1)  # seeded, so that a failure can be repeated
    for number in range(6):
        cut(tiny, signal.SIGKILL, moments.uniform(0.5, 3.0), "down" if number % 2 == 0 else "up")
    tiny.run("up")
    assert (kept(tiny), get(tiny).status) == ("1", 200)
    tiny.run("down")
    assert left_of(engine, tiny.folder) == []


def test_a_stop_that_was_cut_is_finished_before_it_starts_again(tiny: ProjectFolder) -> None:
    """A container that is still stopping answers, but takes no requests: `up` must not take it for ready."""
    tiny.run("up")
    put(tiny, "1")
    mark = tiny.folder / ".multistack/environments/test/container.stopping"
    command = tiny.start("down", "test")
    deadline = time.monotonic() + 60
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    os.killpg(command.pid, signal.SIGKILL)
    command.communicate(timeout=60)
    assert "its stop was not finished" in tiny.run("status", "test", check=False).stdout
    assert "its stop was not finished" in tiny.run("up", "test").stderr
    assert not mark.exists()
    assert (kept(tiny), get(tiny).status) == ("1", 200)


def test_killed_restores_are_the_old_or_the_new(tiny: ProjectFolder) -> None:
    """Never something between them."""
    tiny.run("up")
    put(tiny, "1")
    tiny.run("snapshot", "save", "one")
    put(tiny, "2")
    tiny.run("snapshot", "save", "two")
    moments = random.Random(2)
    for number in range(4):
        name = "one" if number % 2 == 0 else "two"
        cut(tiny, signal.SIGKILL, moments.uniform(0.5, 3.0), "snapshot", "restore", name)
        tiny.run("up")
        assert (kept(tiny) in ("1", "2"), get(tiny).status) == (True, 200)
    tiny.run("snapshot", "restore", "one")
    assert kept(tiny) == "1"


def test_killed_save_leaves_a_container_that_goes_on(tiny: ProjectFolder, engine: Any) -> None:
    """Also one that stood still for the copy: `up` lets it go on."""
    tiny.run("up")
    put(tiny, "1")
    moments = random.Random(3)
    for _ in range(3):
        cut(tiny, signal.SIGKILL, moments.uniform(0.6, 1.4), "snapshot", "save", "x", "--replace")
    tiny.run("up")
    assert (kept(tiny), get(tiny).status) == ("1", 200)
