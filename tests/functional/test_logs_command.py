"""What functions print and emulators say is shown, and followed without losing or repeating a line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import ProjectFolder, http

LINE = re.compile(r"\d\d:\d\d:\d\d\.\d{3}  (test   |staging|prod   )  (\S+) +\S")
PATIENCE = 60.0


class Following:
    """A running ``logs -f`` whose lines are collected as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def wait_for(self, is_there: Callable[[list[str]], bool]) -> None:
        """Wait until the lines are as wanted."""
        deadline = time.monotonic() + PATIENCE
        while not is_there(self.lines):
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < deadline, "".join(self.lines[-50:])
            time.sleep(0.02)

    def interrupt(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        code = self.process.wait(timeout=PATIENCE)
        self._reader.join(timeout=PATIENCE)
        return code


@pytest.fixture
def follow() -> Iterator[Callable[..., Following]]:
    """Starts ``logs -f``; it ends with the test."""
    started: list[Following] = []

    def start(project: ProjectFolder, *args: str) -> Following:
        started.append(Following(project.start("logs", "-f", *args)))
        return started[-1]

    yield start
    for following in started:
        if following.process.poll() is None:
            following.process.kill()
        following.process.wait(timeout=PATIENCE)
        following._reader.join(timeout=PATIENCE)
        for pipe in (following.process.stdout, following.process.stderr):
            assert pipe is not None
            pipe.close()


def call(project: ProjectFolder, environment: str) -> str:
    """Ask for an order that isn't there; returns its id, which the function logs."""
    return call_url(project.url(environment))


def call_url(url: str) -> str:
    """The same, for a URL that is known."""
    name = f"log-{uuid.uuid4()}"
    assert http("GET", f"{url}orders/{name}").status == 404
    return name


def entries(project: ProjectFolder, *args: str) -> list[dict[str, Any]]:
    """``logs --json``."""
    return [json.loads(line) for line in project.run("logs", "--json", *args).stdout.splitlines()]


def printed_by_function(lines: list[str], name: str) -> int:
    """How often the function's line about *name* is there; the emulator's log may repeat it."""
    return sum(name in line and "ApiFunction" in line.split("{")[0] for line in lines)


def test_functions_and_emulators_are_shown_with_their_environment(running_project: ProjectFolder) -> None:
    """One line says when, where, who and what, aligned and without colour off a terminal."""
    name = call(running_project, "staging")
    output = running_project.run("logs", "--since", "10m").stdout
    lines = output.splitlines()
    assert printed_by_function(lines, name) == 1
    assert all(LINE.match(line) or not line[40:].strip() for line in lines)
    assert {"emulator", "ApiFunction"} <= {match[2] for line in lines if (match := LINE.match(line))}
    assert "\x1b" not in output


def test_environments_are_merged_by_time(running_project: ProjectFolder) -> None:
    """Reading down is going forward in time."""
    for name in ("prod", "test", "staging"):
        call(running_project, name)
    found = entries(running_project, "--since", "10m")
    assert {"test", "staging", "prod"} == {entry["environment"] for entry in found}
    assert [entry["at"] for entry in found] == sorted(entry["at"] for entry in found)


def test_only_the_named_environments_are_shown(running_project: ProjectFolder) -> None:
    """One asks for test and is not told of prod."""
    name, other = call(running_project, "test"), call(running_project, "prod")
    text = running_project.run("logs", "test", "--since", "10m").stdout
    assert name in text
    assert other not in text


def test_tail_and_since_bound_what_is_shown(running_project: ProjectFolder) -> None:
    """The last lines, and nothing older than wanted."""
    call(running_project, "test")
    assert len(entries(running_project, "--tail", "3")) == 3
    assert entries(running_project, "--tail", "0") == []
    assert len(entries(running_project)) <= 100
    assert running_project.run("logs", "--since", "yesterday", check=False).returncode == 2


def test_json_lines_say_all_there_is(running_project: ProjectFolder) -> None:
    """One object per line, with an instant that needs no zone to be known."""
    name = call(running_project, "prod")
    found = [entry for entry in entries(running_project, "prod", "--since", "10m") if name in entry["message"]]
    (own,) = [entry for entry in found if entry["source"] == "ApiFunction"]
    assert own.keys() == {"at", "environment", "source", "message"}
    assert own["environment"] == "prod"
    assert own["at"].endswith("+00:00")
    assert json.loads(own["message"])["path"] == f"/orders/{name}"


def test_times_are_the_callers(running_project: ProjectFolder) -> None:
    """Emulators write the machine's time, people read their own; both sources agree."""
    call(running_project, "test")
    for zone in ("UTC", "Asia/Tokyo"):
        done = running_project.run("logs", "--tail", "1", "test", env={"TZ": zone})
        hour = datetime.now(ZoneInfo(zone)).hour
        assert (hour - int(done.stdout[:2])) % 24 <= 1


def test_following_shows_each_new_line_once(running_project: ProjectFolder, follow: Callable[..., Following]) -> None:
    """Nothing is lost between two looks, nothing is said twice, and Ctrl-C is no error."""
    url = running_project.url("test")
    following = follow(running_project, "test")
    first = call_url(url)
    following.wait_for(lambda lines: printed_by_function(lines, first) > 0)
    names = [first, *(call_url(url) for _ in range(100))]
    following.wait_for(lambda lines: printed_by_function(lines, names[-1]) > 0)
    assert following.interrupt() == 0
    assert following.process.stderr is not None
    assert following.process.stderr.read() == ""
    assert [printed_by_function(following.lines, name) for name in names] == [1] * len(names)


def test_following_outlives_the_environment(project: ProjectFolder, follow: Callable[..., Following]) -> None:
    """One watches while an environment goes down and comes up again; what it had said is not repeated."""
    project.run("up", "test")
    following = follow(project)
    before = call(project, "test")
    following.wait_for(lambda lines: printed_by_function(lines, before) > 0)
    project.run("down", "test")
    project.run("up", "test")
    after = call(project, "test")
    following.wait_for(lambda lines: printed_by_function(lines, after) > 0)
    assert following.interrupt() == 0
    assert [printed_by_function(following.lines, name) for name in (before, after)] == [1, 1]


def test_a_stopped_environment_still_shows_its_emulators_log(project: ProjectFolder) -> None:
    """Why it ended is most wanted after it ended."""
    assert project.run("logs").stdout == ""
    project.run("up", "test")
    call(project, "test")
    project.run("down")
    found = entries(project, "--since", "10m")
    assert found
    assert {(entry["environment"], entry["source"]) for entry in found} == {("test", "emulator")}
