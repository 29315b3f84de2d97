"""Faults from the command line to a client's socket: set, seen, cleared, and never there after `down` or a kill."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from emulator.process import is_running
from tests.conftest import Answer, ProjectFolder
from tests.functional.tiny import PROJECT, refused, source, tiny_project, write

TWO = f'{PROJECT}[environments.prod]\naccount_id = "333333333333"\n'


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """A service that answers 40 bytes, up in test and prod."""
    with tiny_project(tmp_path_factory.mktemp("faults")) as project:
        write(project, "multistack.toml", TWO)
        write(project, "src/app.py", source("'0123456789' * 4"))
        project.run("up")
        yield project
        write(project, "multistack.toml", TWO)


@pytest.fixture
def project(running: ProjectFolder) -> ProjectFolder:
    """The same without faults, and up again should a test have failed in between."""
    if not is_running(running.folder / ".multistack/proxy"):
        running.run("up")
    (running.folder / ".multistack/proxy/faults.json").unlink(missing_ok=True)
    return running


def ask(project: ProjectFolder, environment: str = "prod", method: str = "GET") -> Answer:
    """One request over a connection of its own; fails as a client's would."""
    record = json.loads((project.folder / ".multistack/proxy/server.json").read_text())
    connection = http.client.HTTPConnection("127.0.0.1", record["port"], timeout=30)
    try:
        connection.request(method, f"/{environment}/")
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def listed(project: ProjectFolder, *names: str) -> list[dict[str, Any]]:
    """``fault list --json``."""
    rows: list[dict[str, Any]] = json.loads(project.run("fault", "list", "--json", *names).stdout)
    return rows


def test_an_error_is_answered_until_it_is_cleared(project: ProjectFolder) -> None:
    """In the environment it was set for and in no other; a header and the problem say that it was on purpose."""
    (row,) = json.loads(project.run("fault", "set", "prod", "--error", "503", "--json").stdout)
    answer = ask(project)
    assert (answer.status, answer.json()["fault"]) == (503, row["id"])
    assert answer.headers["X-Multistack-Fault"] == f"error 503; fault={row['id']}"
    assert "X-Multistack-Fault" not in ask(project, "test").headers
    assert listed(project) == [row]

    assert project.run("fault", "clear", str(row["id"])).stdout == f"cleared {row['id']} (prod: error 503)\n"
    assert ask(project).status == 200
    assert listed(project) == []


def test_a_cut_answer_breaks_the_connection(project: ProjectFolder) -> None:
    """The client has the head and some bytes, and can tell that it isn't all."""
    project.run("fault", "set", "prod", "--cut", "7")
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(project)
    assert caught.value.partial == b"0123456"


def test_a_dropped_request_gets_no_answer(project: ProjectFolder) -> None:
    """Not even an orderly end of the connection."""
    project.run("fault", "set", "prod", "--drop", "--route", "GET /")
    with pytest.raises(ConnectionResetError):
        ask(project)
    assert "X-Multistack-Fault" not in ask(project, method="POST").headers


def test_latency_and_bandwidth_take_their_time(project: ProjectFolder) -> None:
    """At least as long as asked for; the answer is whole all the same."""
    project.run("fault", "set", "prod", "--latency", "300ms", "--bandwidth", "100B/s")
    started = time.monotonic()
    answer = ask(project)
    assert time.monotonic() - started >= 0.7
    assert (answer.status, answer.body) == (200, b"0123456789" * 4)


def test_a_throttle_answers_429(project: ProjectFolder) -> None:
    """With the seconds after which it makes sense to come again."""
    project.run("fault", "set", "prod", "--throttle", "1/m")
    first, second = ask(project), ask(project)
    assert (first.status, second.status, second.headers["Retry-After"]) == (200, 429, "60")


def test_clearing_ends_what_a_fault_holds_back(project: ProjectFolder) -> None:
    """Nobody waits for a latency that is no more."""
    project.run("fault", "set", "prod", "--latency", "60s")
    clearing = project.start("fault", "clear", "prod")
    started = time.monotonic()
    assert ask(project).status == 200
    clearing.communicate(timeout=30)
    assert time.monotonic() - started < 30


def test_a_fault_ends_after_its_time(project: ProjectFolder) -> None:
    """Without anybody's doing."""
    project.run("fault", "set", "prod", "--error", "500", "--for", "1s")
    deadline = time.monotonic() + 60
    while ask(project).status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert listed(project) == []


def test_down_of_an_environment_clears_its_faults(project: ProjectFolder) -> None:
    """Those of the others stay; after the next `up` it is as it should be."""
    for name in ("test", "prod"):
        project.run("fault", "set", name, "--error", "500")
    project.run("down", "prod")
    assert [row["environment"] for row in listed(project)] == ["test"]
    project.run("up")
    assert (ask(project, "prod").status, ask(project, "test").status) == (200, 500)
    assert listed(project, "prod") == []


def test_no_fault_outlives_down(project: ProjectFolder) -> None:
    """Also while a request is held back, which `down` does not wait for."""
    project.run("fault", "set", "prod", "--error", "500")
    project.run("down")
    assert listed(project) == []
    refused(project, "fault", "set", "prod", "--drop", code=3)
    project.run("up")
    assert ask(project).status == 200


def test_no_fault_outlives_a_kill_of_everything(project: ProjectFolder) -> None:
    """The file is still there, but names a proxy that is no more."""
    project.run("fault", "set", "prod", "--error", "500")
    for pid in project.processes():
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while project.processes():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert (project.folder / ".multistack/proxy/faults.json").exists()
    project.run("up")
    assert ask(project).status == 200
    assert listed(project) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["set", "prod"], "a fault without an effect"),
        (["set", "prod", "--latency", "soon"], "--latency must be"),
        (["set", "prod", "--drop", "--share", "0%"], "--share must be"),
        (["set", "prod", "--drop", "--route", "orders"], "--route must be"),
        (["set", "prod", "--drop", "--for", "0s"], "--for must be longer than nothing"),
        (["set", "prd", "--drop"], "no environment prd"),
        (["clear", "77777"], "no fault has the number 77777"),
        (["list", "prd"], "no environment prd"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_makes_no_sense_is_refused(project: ProjectFolder, arguments: list[str], words: str) -> None:
    """In one line, and nothing is set."""
    assert words in refused(project, "fault", *arguments, code=2)
    assert not (project.folder / ".multistack/proxy/faults.json").exists()
