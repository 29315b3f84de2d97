"""Several commands, projects and programs at once: each waits its turn, or moves on, or says who is in its way."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from tests.conftest import ProjectFolder, http


def test_a_second_up_waits_and_finds_nothing_to_do(project: ProjectFolder) -> None:
    """Two commands never change one project at once, and the second says for whom it waits."""
    first = project.start("up", "test")
    assert "starting" in first.stderr.readline()
    second = project.start("up", "test")
    _, waited = second.communicate(timeout=60)
    _, first_said = first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0), first_said + waited
    assert f"waiting for another command: multistack up (pid {first.pid})" in waited
    assert "nothing to do: everything is up" in waited.splitlines()[-1]


def test_ctrl_c_ends_the_wait_for_another_command(project: ProjectFolder) -> None:
    """Who waits can give up, and disturbs nobody by it."""
    import signal

    first = project.start("up", "test")
    assert "starting" in first.stderr.readline()
    second = project.start("down")
    assert "waiting" in second.stderr.readline()
    os.killpg(second.pid, signal.SIGINT)
    _, said = second.communicate(timeout=30)
    assert (second.returncode, said.strip()) == (130, "stopped; run the same command again to go on")
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert project.status()["test"]["status"] == "ready"


def test_two_clones_run_side_by_side(project: ProjectFolder, clone: ProjectFolder) -> None:
    """Ports move on; stopping one leaves the other as it is."""
    commands = [project.start("up", "test"), clone.start("up", "test")]
    for command in commands:
        _, said = command.communicate(timeout=60)
        assert command.returncode == 0, said
    mine, other = project.status()["test"], clone.status()["test"]
    assert mine["endpoint"] != other["endpoint"]
    assert mine["url"] != other["url"]
    http("POST", mine["url"] + "orders", {"id": "mine", "item": "lamp", "qty": 1, "price": 5})
    assert http("GET", mine["url"] + "orders/mine").status == 200
    assert http("GET", other["url"] + "orders/mine").status == 404
    project.run("down")
    assert project.processes() == []
    assert clone.status()["test"] == other
    assert http("GET", other["url"] + "health").status == 200


def test_a_copied_state_folder_owns_nothing(project: ProjectFolder, clone: ProjectFolder) -> None:
    """A project copied with its state, while it runs, does not take the original's servers for its own."""
    project.run("up", "test")
    before = project.status()["test"]
    shutil.copytree(project.folder / ".multistack", clone.folder / ".multistack")
    assert clone.status()["test"]["status"] == "stopped"
    assert clone.run("down").stdout == "nothing was running\n"
    assert project.status()["test"] == before
    assert http("GET", before["url"] + "health").status == 200


def test_a_moved_project_still_stops(project: ProjectFolder) -> None:
    """Servers started before the move are found after it."""
    project.run("up", "test")
    moved = replace(project, folder=project.folder.rename(project.folder.with_name("moved")))
    assert moved.run("down").stdout == "stopped test, the proxy\n"
    assert moved.processes() == []
    assert not project.folder.exists() or project.processes() == []
    shutil.copytree(moved.folder, project.folder, dirs_exist_ok=True)


def test_automatic_ports_move_on_and_come_back(project: ProjectFolder) -> None:
    """A port that another program took meanwhile is passed over; without it the address survives a restart."""
    project.run("up", "test")
    before = addresses(project)
    project.run("down")
    with taken(before[0]), taken(before[1]):
        project.run("up", "test")
        assert not set(addresses(project)) & set(before)
        assert http("GET", project.url("test", "health")).status == 200


@pytest.mark.parametrize(
    ("variable", "purpose"),
    [
        pytest.param("MULTISTACK_ENVIRONMENT_TEST_PORT", "environment test", id="environment"),
        pytest.param("MULTISTACK_PROXY_PORT", "the proxy", id="proxy"),
    ],
)
def test_a_fixed_port_that_is_taken_names_its_holder(project: ProjectFolder, variable: str, purpose: str) -> None:
    """Nobody has to search who sits on a port; the other environments come up nevertheless."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        done = project.run("up", "test", "staging", env={variable: str(port)}, check=False)
    assert done.returncode == 3
    assert re.search(rf"error: port {port} for {purpose} is taken by \S+ \(pid {os.getpid()}\)", done.stderr)
    assert "Traceback" not in done.stderr
    assert project.status()["staging"]["status"] == "ready"


def test_status_may_be_asked_all_the_time(project: ProjectFolder) -> None:
    """Looking takes no lock that a start or a stop could miss."""
    up = project.start("up", "test")
    asking = [project.start("status", "--json") for _ in range(2)]
    for command in (*asking, up):
        _, said = command.communicate(timeout=60)
        assert command.returncode == 0, said


@pytest.fixture
def clone(project: ProjectFolder) -> Iterator[ProjectFolder]:
    """The same project once more, in another folder."""
    folder = shutil.copytree(project.folder, project.folder.with_name("clone"))
    other = replace(project, folder=folder)
    yield other
    other.run("down")
    assert other.processes() == []


def addresses(project: ProjectFolder) -> list[str]:
    """Host and port of the environment's emulator and of the proxy."""
    row = project.status()["test"]
    return [urlsplit(row[key]).netloc for key in ("endpoint", "url")]


@contextmanager
def taken(address: str) -> Iterator[None]:
    """Listen there; a test that runs at the same time may have taken it already, which serves as well."""
    host, _, port = address.rpartition(":")
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind((host, int(port)))
            holder.listen()
        except OSError:
            pass
        yield
