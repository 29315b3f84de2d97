"""Data over stops, snapshots and resets, in containers of an image that keeps it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.conftest import ProjectFolder
from tests.docker.conftest import MakeProject
from tests.docker.engines import Images
from tests.docker.projects import kept, name_of, put
from tests.drivers import left_of
from tests.functional.tiny import get, refused


@pytest.fixture
def up(tiny: ProjectFolder) -> ProjectFolder:
    """The small service, up, with some data."""
    tiny.run("up")
    put(tiny, "1")
    return tiny


def test_down_and_up_keeps_data_and_release(up: ProjectFolder, engine: Any) -> None:
    """Nothing is deployed again; between the two nothing of ours is in the engine."""
    up.run("down")
    assert left_of(engine, up.folder) == []
    said = up.run("up").stderr
    assert "deploying" not in said
    assert (kept(up), get(up).status) == ("1", 200)


def test_reset_forgets_data_and_keeps_the_release(up: ProjectFolder) -> None:
    """As freshly deployed."""
    release = up.status()["test"]["release"]
    up.run("down")
    up.run("up")
    up.run("reset")
    assert (kept(up), get(up).status) == (None, 200)
    assert up.status()["test"]["release"] == release


def test_snapshot_of_a_running_environment(up: ProjectFolder, engine: Any) -> None:
    """It is asked for a checkpoint, stands still while that is read, and goes on."""
    up.run("snapshot", "save", "before")
    assert engine.containers.get(name_of(up)).attrs["State"]["Status"] == "running"
    put(up, "2")
    up.run("snapshot", "restore", "before")
    assert (kept(up), get(up).status) == ("1", 200)


def test_snapshot_of_a_stopped_environment(up: ProjectFolder) -> None:
    """The state of its last stop; restored, it stays stopped until it is started."""
    up.run("down")
    up.run("snapshot", "save", "before")
    up.run("up")
    put(up, "2")
    up.run("down")
    up.run("snapshot", "restore", "before")
    assert up.status()["test"]["status"] == "stopped"
    up.run("up")
    assert (kept(up), get(up).status) == ("1", 200)


def test_snapshot_of_a_container_that_somebody_removed(up: ProjectFolder, engine: Any) -> None:
    """Its volume still has it."""
    container = engine.containers.get(name_of(up))
    container.stop()
    container.remove()
    up.run("snapshot", "save", "before")
    up.run("up")
    put(up, "2")
    up.run("snapshot", "restore", "before")
    assert kept(up) == "1"


def test_snapshot_of_what_keeps_no_state(make_project: MakeProject, images: Images) -> None:
    """Whether it runs or not, nothing is saved that could not come back."""
    project = make_project(images.plain)
    refused(project, "snapshot", "save", "never", code=1)
    project.run("up")
    said = refused(project, "snapshot", "save", "now", code=1)
    assert f"environment test has no state to save: image {images.plain} keeps none" in said
    assert json.loads(project.run("snapshot", "list", "--json").stdout) == []


def test_snapshot_of_another_driver_is_refused(up: ProjectFolder) -> None:
    """Neither reads the other's state."""
    up.run("snapshot", "save", "before")
    said = refused(up, "snapshot", "restore", "before", code=2, env={"MULTISTACK_DRIVER": "embedded"})
    assert "was taken with driver localstack, and the project file says embedded" in said
    assert kept(up) == "1"


def test_condition_of_the_state_is_told(up: ProjectFolder, engine: Any) -> None:
    """What the image says is wrong stands in the status, and again before a stop."""
    container = engine.containers.get(name_of(up))
    container.exec_run(["sh", "-c", "echo 'the disk is full' > /var/lib/localstack/problem"])
    row = up.status()["test"]
    assert (row["status"], row["reason"]) == ("ready", "the disk is full")
    assert "test  warning: the disk is full" in up.run("down").stderr


def test_our_image_says_when_its_state_can_not_be_saved(make_project: MakeProject, own_image: str, engine: Any) -> None:
    """A stop would lose what is new: `status` says so, and `down` once more."""
    project = make_project(own_image)
    project.run("up")
    container = engine.containers.get(name_of(project))
    assert project.status()["test"]["reason"] == ""
    # The volume's own user is refused as well by what is no folder, as by a full disk.
    code, said = container.exec_run(["sh", "-c", "cd $MULTISTACK_STATE && mv checkpoints was && touch checkpoints"])
    assert code == 0, said
    put(project, "1")
    reason = _eventually_told(project)
    assert reason.startswith("its state can't be saved: ")
    assert f"test  warning: {reason}" in project.run("down").stderr


def test_our_image_says_what_a_broken_checkpoint_lost(make_project: MakeProject, own_image: str, engine: Any) -> None:
    """It serves the state before, and nobody finds out by chance."""
    project = make_project(own_image)
    project.run("up")
    container = engine.containers.get(name_of(project))
    value, saved = _saved_alone(project, container)
    container.exec_run(["sh", "-c", f"cd $MULTISTACK_STATE/checkpoints && truncate -s -10 {saved}"])
    container.kill()
    project.run("up")
    row = project.status()["test"]
    assert row["status"] == "ready"
    assert "what was written after is lost" in row["reason"]
    assert kept(project) == str(value - 1)


def _saved_alone(project: ProjectFolder, container: Any) -> tuple[int, str]:
    """A value that only the newest checkpoint has, and that one's file; the one before has the number before it."""
    before = _checkpoints(container)
    for value in range(10):
        put(project, str(value))
        container.exec_run(["multistack-localstack", "checkpoint"])
        newest = _checkpoints(container)
        if value and newest[-1] != before[-1] and newest[-2:-1] == before[-1:]:
            return value, newest[-1]
        before = newest  # the emulator took one by itself meanwhile
    pytest.fail(f"each value is in several checkpoints: {before}")


def _checkpoints(container: Any) -> list[str]:
    """Their files, oldest first."""
    said = container.exec_run(["sh", "-c", "cd $MULTISTACK_STATE/checkpoints && ls -v *.checkpoint"]).output
    return str(said.decode()).split()


def _eventually_told(project: ProjectFolder) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if reason := str(project.status()["test"]["reason"]):
            return reason
    pytest.fail("nothing is told of its state")
