"""An engine that ends, restarts or is full: engines of the tests' own, for the shared one must go on."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.conftest import ProjectFolder
from tests.docker.conftest import MakeProject
from tests.docker.engines import Images, OwnEngine, own_engine
from tests.docker.projects import name_of
from tests.functional.tiny import refused

pytestmark = pytest.mark.xdist_group("own engine")


@pytest.fixture
def inside(second_engine: OwnEngine, make_project: MakeProject, images: Images) -> Iterator[ProjectFolder]:
    """The small service on the second engine; its commands run where that one's ports are."""
    made = make_project(images.standin)
    project = replace(made, environ={**made.environ, "DOCKER_HOST": second_engine.host}, inside=second_engine.inside)
    yield project
    project.run("down")
    assert second_engine.docker("ps", "-aq") == ""
    assert second_engine.docker("volume", "ls", "-q") == ""
    assert second_engine.docker("network", "ls", "-q", "--filter", "type=custom") == ""


def parameter(project: ProjectFolder, value: str | None = None) -> str:
    """What was left in the environment ``test``; with *value*, leave that."""
    command = ["get-parameter"] if value is None else ["put-parameter", "--type=String", f"--value={value}"]
    done = project.run("exec", "test", "--", "aws", "ssm", *command, "--name=kept", "--query=Parameter.Value")
    return done.stdout.strip().strip('"')


def test_engine_restarted_in_good_order(inside: ProjectFolder, second_engine: OwnEngine) -> None:
    """It stops its containers, and may start them again: `up` brings back what it didn't, with all data."""
    inside.run("up")
    parameter(inside, "1")
    second_engine.stop()
    assert "no Docker engine" in inside.run("status").stdout
    said = refused(inside, "up", code=3)
    assert "error: environment test: its last state is in a Docker engine that can't be asked: no Docker engine" in said
    second_engine.start()
    inside.run("up")
    assert parameter(inside) == "1"
    assert "nothing to do" in inside.run("up").stderr


def test_engine_killed_and_started_again(inside: ProjectFolder, second_engine: OwnEngine) -> None:
    """Its containers end with it at the latest when it starts; the release is there afterwards."""
    inside.run("up")
    second_engine.kill()
    second_engine.start()
    inside.run("up")
    assert inside.run("exec", "test", "--", "aws", "lambda", "list-functions").returncode == 0
    assert inside.status()["test"]["status"] == "ready"


@pytest.mark.parametrize("delay", [0.3, 0.8, 1.5])
def test_engine_killed_in_the_middle_of_up(inside: ProjectFolder, second_engine: OwnEngine, delay: float) -> None:
    """One clear line; with the engine back, `up` finishes, whatever was half-done."""
    command = inside.start("up")
    time.sleep(delay)
    second_engine.kill()
    try:
        _, said = command.communicate(timeout=100)
    finally:
        second_engine.start()
    assert "Traceback" not in said
    if command.returncode:
        assert (command.returncode, said.count("error: ")) == (3, 1), said
        assert "Docker engine" in said or "emulator" in said
    inside.run("up")
    assert inside.status()["test"]["status"] == "ready"


def test_command_killed_in_the_middle_of_up(inside: ProjectFolder, second_engine: OwnEngine) -> None:
    """Wherever it was: the next one finishes."""
    for delay in (0.9, 1.1, 1.3, 1.6):
        command = inside.start("up")
        time.sleep(delay)
        subprocess.run(["kill", "-9", "--", f"-{command.pid}"], check=True)
        command.communicate()
    inside.run("up")
    assert inside.status()["test"]["status"] == "ready"


def test_engine_that_hangs(inside: ProjectFolder, second_engine: OwnEngine) -> None:
    """Nobody waits a minute for a status."""
    inside.run("status")
    process: Any = second_engine.process
    process.send_signal(19)
    try:
        began = time.monotonic()
        assert "no Docker engine answers at" in refused(inside, "up", code=3)
        assert time.monotonic() - began < 45
    finally:
        process.send_signal(18)


def test_disk_of_the_engine_is_full(make_project: MakeProject, images: Images) -> None:
    """In the engine's words, with what to do; then there is space, and it works."""
    made = make_project(images.standin)
    with own_engine(disk="420m") as engine:
        engine.load(images.standin)
        project = replace(made, environ={**made.environ, "DOCKER_HOST": engine.host}, inside=engine.inside)
        filling = engine.data / "filling"
        with filling.open("wb") as file:
            try:
                while True:
                    file.write(bytes(2**20))
            except OSError:
                pass
        said = refused(project, "up", code=3)
        assert "no space left on device" in said
        assert "hint: free some space" in said
        filling.unlink()
        project.run("up")
        name = name_of(project)
        assert engine.docker("ps", "--format", "{{.Names}}") == name
        project.run("down")
        assert engine.docker("ps", "-aq") == ""
