"""Drivers that change, that are mixed, and the one that ``auto`` takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import ProjectFolder, http
from tests.docker.conftest import MakeProject
from tests.docker.engines import Images
from tests.docker.projects import kept, name_of, put
from tests.drivers import left_of
from tests.functional.tiny import get, write

EMBEDDED = {"MULTISTACK_DRIVER": "embedded"}
AUTO = {"MULTISTACK_DRIVER": "auto"}


def test_there_and_back_again(tiny: ProjectFolder, engine: Any) -> None:
    """One driver's emulator ends before the other's starts; each has its own data, and the release is everywhere."""
    tiny.run("up", env=EMBEDDED)
    release = tiny.status()["test"]["release"]
    assert tiny.status()["test"]["status"] == "unhealthy"
    there = tiny.run("up").stderr
    assert "restarting because driver changed from embedded to localstack" in there
    assert f"redeploying {release}" in there
    assert get(tiny).status == 200
    put(tiny, "1")
    back = tiny.run("up", env=EMBEDDED).stderr
    assert "restarting because driver changed from localstack to embedded" in back
    # Each emulator gave the APIs ids of its own, which the ledger has of the last deployment only.
    assert f"redeploying {release}" in back
    assert left_of(engine, tiny.folder) == []
    assert get(tiny).status == 200
    tiny.run("up")
    assert kept(tiny) == "1"


def test_down_stops_what_another_driver_started(tiny: ProjectFolder, engine: Any) -> None:
    """Whatever the file says now."""
    tiny.run("up")
    assert "stopped test" in tiny.run("down", env=EMBEDDED).stdout
    assert left_of(engine, tiny.folder) == []
    tiny.run("up", env=EMBEDDED)
    assert "stopped test" in tiny.run("down").stdout
    assert tiny.processes() == []


@pytest.fixture
def mixed(make_project: MakeProject, images: Images) -> ProjectFolder:
    """A project whose ``test`` is embedded and whose ``prod`` is a container."""
    project = make_project(images.standin)
    write(
        project,
        "multistack.toml",
        """
        service = "tiny"
        [environments.test]
        account_id = "111111111111"
        driver = "embedded"
        [environments.prod]
        account_id = "222222222222"
        driver = "localstack"
        """,
    )
    return project


def test_mixed_project(mixed: ProjectFolder, engine: Any) -> None:
    """Each environment by its own driver, one proxy in front; without an engine the other one works on."""
    # The variable would be every environment's driver.
    env = {"MULTISTACK_DRIVER": ""}
    mixed.run("up", env=env)
    rows = statuses(mixed, env)
    assert {name: row["driver"] for name, row in rows.items()} == {"test": "embedded", "prod": "localstack"}
    assert {name: http("GET", row["url"]).status for name, row in rows.items()} == {"test": 200, "prod": 200}
    without = {**env, "DOCKER_HOST": "unix:///nowhere.sock"}
    done = mixed.run("up", check=False, env=without)
    assert (done.returncode, done.stderr.count("error: ")) == (3, 1)
    assert "error: environment prod: its last state is in a Docker engine that can't be asked: " in done.stderr
    assert "no Docker engine: there is no socket /nowhere.sock" in done.stderr
    assert "nothing to do" not in done.stderr
    assert mixed.run("down", "test", env=without).stdout == "stopped test\n"
    assert mixed.run("up", "test", env=without).returncode == 0
    assert http("GET", rows["test"]["url"]).status == 200
    mixed.run("down", env=env)
    assert left_of(engine, mixed.folder) == []


def statuses(project: ProjectFolder, env: dict[str, str]) -> dict[str, dict[str, Any]]:
    """``status --json`` by environment."""
    return {row["environment"]: row for row in json.loads(project.run("status", "--json", env=env).stdout)}


def test_auto_takes_containers_and_says_why(tiny: ProjectFolder, images: Images) -> None:
    """One line; then what runs decides, also where no engine is to be seen."""
    said = tiny.run("up", env=AUTO).stderr
    assert f"  driver localstack: the Docker engine answers and has image {images.standin}\n" in said
    assert statuses(tiny, AUTO)["test"]["driver"] == "localstack"
    assert "  driver localstack: test runs with it\n" in tiny.run("up", env=AUTO).stderr
    assert "stopped test" in tiny.run("down", env=AUTO).stdout


@pytest.mark.parametrize(
    ("env", "reason"),
    [
        ({"DOCKER_HOST": "unix:///nowhere.sock"}, "no Docker engine: there is no socket /nowhere.sock"),
        (
            {"MULTISTACK_LOCALSTACK_IMAGE": "multistack-test/none:1"},
            "the Docker engine answers, but has no image multistack-test/none:1",
        ),
        ({"MULTISTACK_ENVIRONMENT_TEST_ENFORCE_IAM": "true"}, "test enforces IAM, which only this driver does"),
    ],
    ids=["no engine", "no image", "IAM"],
)
def test_auto_falls_back_and_says_why(tiny: ProjectFolder, env: dict[str, str], reason: str) -> None:
    """To the driver that needs nothing."""
    said = tiny.run("up", env={**AUTO, **env}).stderr
    assert f"  driver embedded: {reason}\n" in said
    assert get(tiny).status == 200
    assert tiny.run("down", env={**AUTO, **env}).stdout == "stopped test, the proxy\n"


def test_auto_goes_on_with_what_runs(tiny: ProjectFolder) -> None:
    """An engine that comes while embedded emulators run changes nothing."""
    tiny.run("up", env={**AUTO, "DOCKER_HOST": "unix:///nowhere.sock"})
    said = tiny.run("up", env=AUTO).stderr
    assert "  driver embedded: test runs with it\n" in said
    assert "nothing to do" in said
    tiny.run("down", env=AUTO)


def test_any_image_by_its_name(make_project: MakeProject, images: Images, engine: Any) -> None:
    """MiniStack as it comes: it serves, and says that it keeps nothing over a stop."""
    project = make_project(images.plain, sample=True)
    project.run("up", "test")
    assert http("GET", project.url("test", "health")).status == 200
    row = project.status()["test"]
    assert (row["status"], row["reason"]) == ("ready", f"image {images.plain} keeps no data over a stop")
    assert "keeps no data over a stop" in project.run("down").stderr
    assert left_of(engine, project.folder) == []
    assert "redeploying" in project.run("up", "test").stderr


def test_data_waits_while_another_image_is_tried(make_project: MakeProject, images: Images) -> None:
    """What ours kept is neither given to another's container nor replaced by it."""
    project = make_project(images.standin)
    project.run("up")
    put(project, "1")
    other = {"MULTISTACK_LOCALSTACK_IMAGE": images.plain}
    assert "restarting because image changed" in project.run("up", env=other).stderr
    assert kept(project) is None
    put(project, "2")
    project.run("up")
    assert kept(project) == "1"


def test_functions_in_docker_get_the_socket_only_then(make_project: MakeProject, images: Images, engine: Any) -> None:
    """Who has it has the machine."""
    project = make_project(images.plain)
    socket = "/var/run/docker.sock:/var/run/docker.sock:rw"
    project.run("up")
    assert socket not in engine.containers.get(name_of(project)).attrs["HostConfig"]["Binds"]
    said = project.run("up", env={"MULTISTACK_LOCALSTACK_LAMBDA": "docker"}).stderr
    assert "restarting because functions changed from run by process to run by docker" in said
    assert socket in engine.containers.get(name_of(project)).attrs["HostConfig"]["Binds"]
