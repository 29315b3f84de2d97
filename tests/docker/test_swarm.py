"""Environments as services of a swarm of two hosts."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from emulator.images.recipe import embedded_image
from emulator.model import DriverName
from tests.conftest import ProjectFolder, http
from tests.contract import DriverContract
from tests.docker.engines import build_embedded
from tests.docker.swarms import SwarmHost, left_in, swarm
from tests.functional.tiny import write_service

# One swarm for all of them.
pytestmark = pytest.mark.xdist_group("swarm")


@pytest.fixture(scope="module")
def hosts(engine: Any) -> Iterator[list[SwarmHost]]:
    """Two, the first of which is the manager; both have the image of the embedded emulator."""
    build_embedded()
    with swarm(hosts=2, images=[embedded_image()]) as made:
        yield made


@pytest.fixture(scope="module")
def folder(hosts: list[SwarmHost], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """A service of one function in one environment; taken down in the end, when nothing of it is in the swarm."""
    root = tmp_path_factory.mktemp("swarm")
    (root / "home").mkdir()
    environ = {"MULTISTACK_DRIVER": "swarm", "DOCKER_HOST": hosts[0].host}
    made = ProjectFolder(root / "service", root / "home", environ)
    made.folder.mkdir()
    write_service(made)
    yield made
    made.run("down")
    assert left_in(hosts[0]) == []
    assert made.processes() == []


@contextlib.contextmanager
def drained(manager: SwarmHost, *hosts: SwarmHost) -> Iterator[None]:
    """For as long as *hosts* of the swarm take nothing."""
    ids = [host.docker("info", "--format", "{{.Swarm.NodeID}}") for host in hosts]
    for one in ids:
        manager.docker("node", "update", "--availability", "drain", one)
    try:
        yield
    finally:
        for one in ids:
            manager.docker("node", "update", "--availability", "active", one)


@pytest.mark.parametrize(
    ("which", "message", "hint"),
    [
        pytest.param("alone", "the Docker engine is in no swarm", "docker swarm init", id="no swarm"),
        pytest.param("worker", "is a worker of its swarm", "DOCKER_HOST", id="worker"),
        pytest.param(
            "drained", "every node of the swarm that is ready is drained", "--availability active", id="drained"
        ),
    ],
)
def test_a_cluster_that_cant_be_asked_is_told_in_one_line(
    folder: ProjectFolder, hosts: list[SwarmHost], which: str, message: str, hint: str
) -> None:
    """Before anything is made."""
    manager, worker = hosts
    engine = {"alone": "", "worker": worker.host, "drained": manager.host}[which]
    with drained(manager, *hosts) if which == "drained" else contextlib.nullcontext():
        done = folder.run("up", "test", env={"DOCKER_HOST": engine}, check=False)
    assert done.returncode == 3
    assert message in done.stderr
    assert hint in done.stderr
    assert left_in(manager) == []


def test_a_node_without_the_image_is_named(folder: ProjectFolder, hosts: list[SwarmHost]) -> None:
    """No node can get it from any registry."""
    manager, worker = hosts
    subprocess.run(manager.command("import", "-", "only-here:1"), input=bytes(1024), capture_output=True, check=True)
    with drained(manager, manager):
        done = folder.run("up", "test", env={"MULTISTACK_SWARM_IMAGE": "only-here:1"}, check=False)
    assert done.returncode == 3
    assert f"({worker.address}) does not have its image" in done.stderr
    assert "docker save only-here:1" in done.stderr
    assert left_in(manager) == []


class TestContract(DriverContract):
    """The contract of every driver."""

    driver_name = DriverName.SWARM

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def of_the_swarm(cls, hosts: list[SwarmHost]) -> Iterator[None]:
        """What commands find as their engine."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DOCKER_HOST", hosts[0].host)
            yield


def test_spaces_of_a_class_are_apart_on_the_swarm(folder: ProjectFolder, hosts: list[SwarmHost]) -> None:
    """Each is joined by its own link; its token opens neither the other space, nor an emulator past the proxy."""
    folder.run("space", "create", "--count", "2", "--prefix", "seat", timeout=170)
    links = {
        row["space"]: row["url"]
        for row in json.loads(folder.run("space", "create", "--count", "2", "--prefix", "seat", "--json").stdout)
    }
    tokens = {
        name: http("POST", link, headers={"Accept": "application/json"}).json()["token"] for name, link in links.items()
    }
    proxy = links["seat-01"].partition("/seat-01")[0]
    answers = {
        (space, owner): http("GET", f"{proxy}/{space}/test/", headers={"X-Multistack-Token": token}).status
        for space in links
        for owner, token in tokens.items()
    }
    assert answers == {(space, owner): 200 if space == owner else 403 for space in links for owner in links}
    rows = json.loads(folder.run("--space", "seat-02", "status", "--json").stdout)
    assert http("GET", f"{rows[0]['endpoint']}/2015-03-31/functions").status == 403
    folder.run("space", "destroy", "seat-01", "seat-02")
    assert left_in(hosts[0]) == []


def test_a_lost_hosts_environment_is_back_on_the_other_with_its_release(
    folder: ProjectFolder, hosts: list[SwarmHost]
) -> None:
    """The swarm moves it, `up` brings the recorded release; routes lead there. The last test: a host is lost."""
    manager, worker = hosts
    with drained(manager, manager):
        folder.run("up", "test")
    before = folder.status()["test"]
    assert worker.address in before["endpoint"]
    assert http("GET", before["url"]).body == b"one"
    worker.lose()
    done = folder.run("up", "test", timeout=170)
    after = folder.status()["test"]
    assert "redeploying" in done.stderr
    assert manager.address in after["endpoint"]
    assert (after["status"], after["release"]) == ("ready", before["release"])
    assert http("GET", after["url"]).body == b"one"
