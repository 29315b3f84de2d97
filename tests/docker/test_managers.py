"""A swarm of three managers: one may be lost with its host, and not two."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from emulator.images.recipe import embedded_image
from tests.conftest import ProjectFolder, http
from tests.docker.engines import build_embedded
from tests.docker.swarms import SwarmHost, left_in, swarm
from tests.docker.test_swarm import drained, serves, wait_for
from tests.functional.tiny import PROJECT, refused, source, write, write_service

# Not beside the other swarms.
pytestmark = [pytest.mark.xdist_group("swarm"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def hosts(engine: Any) -> Iterator[list[SwarmHost]]:
    """Three managers, the first of which leads."""
    build_embedded()
    with swarm(hosts=3, managers=3, images=[embedded_image()]) as made:
        yield made


@pytest.fixture(scope="module")
def folder(hosts: list[SwarmHost], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """A service of one function in one environment, in a project that names all managers."""
    root = tmp_path_factory.mktemp("managers")
    (root / "home").mkdir()
    made = ProjectFolder(root / "service", root / "home", {"MULTISTACK_DRIVER": "swarm"})
    made.folder.mkdir()
    write_service(made)
    name_managers(made, [host.remote for host in hosts])
    yield made
    made.run("down")
    assert made.processes() == []


def name_managers(folder: ProjectFolder, addresses: list[str]) -> None:
    """In the project file."""
    write(folder, "multistack.toml", f"allow_remote = true\n{PROJECT}\n[swarm]\nmanagers = {json.dumps(addresses)}\n")


def test_a_lost_leader_is_followed_by_another_and_two_lost_managers_are_told(
    folder: ProjectFolder, hosts: list[SwarmHost]
) -> None:
    """What the leader's host ran comes back by itself; commands ask another manager, until there are too few."""
    leader, *others = hosts
    with drained(leader, *others):
        folder.run("up", "test")
    url = folder.status()["test"]["url"]
    assert leader.address in folder.status()["test"]["endpoint"]
    wait_for(lambda: serves(folder, url), folder)

    leader.lose()
    name_managers(folder, [])
    said = refused(folder, "up", "test", code=3, env={"DOCKER_HOST": leader.remote})
    assert f"no Docker engine answers at {leader.remote}" in said
    assert "swarm.managers" in said
    name_managers(folder, [host.remote for host in hosts])
    wait_for(lambda: serves(folder, url), folder)
    after = folder.status()["test"]
    assert (after["status"], after["reason"]) == ("ready", "")
    write(folder, "src/app.py", source("'two'"))
    folder.run("deploy", "test")
    assert http("GET", url).body == b"two"

    (there,) = [host for host in others if host.address in after["endpoint"]]
    (other,) = [host for host in others if host is not there]
    other.lose()
    try:
        # For some seconds the one that is left believes that it still leads.
        wait_for(lambda: folder.run("up", "test", check=False).returncode == 3, folder)
        said = refused(folder, "up", "test", code=3)
        assert f"no Docker engine answers at {leader.remote}" in said
        assert f"{there.remote}: the swarm has no leader" in said
        assert f"no Docker engine answers at {other.remote}" in said
        assert "more than half must be up" in said
        assert "the swarm has no leader" in folder.run("status", check=False).stdout
        assert http("GET", url).body == b"two"
    finally:
        other.find()
    wait_for(lambda: folder.run("up", "test", check=False).returncode == 0, folder)
    assert http("GET", url).body == b"two"
    folder.run("down")
    assert left_in(there) == []
