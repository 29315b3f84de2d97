"""Containers whose network leads nowhere: everything works, and nothing inside reaches out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import ProjectFolder, copy_sample, http
from tests.docker.conftest import MakeProject
from tests.docker.engines import Images
from tests.docker.projects import name_of
from tests.drivers import assert_nothing_left
from tests.functional.test_main_job import await_processed

pytestmark = pytest.mark.xdist_group("internal network")
_REACH = """
import socket, sys
try:
    socket.create_connection(("{host}", {port}), timeout=3)
except OSError as error:
    print(error.strerror or error)
else:
    print("reached")
"""


@pytest.fixture(scope="module")
def _internal(tmp_path_factory: pytest.TempPathFactory, own_image: str) -> Iterator[ProjectFolder]:
    root = tmp_path_factory.mktemp("internal")
    (root / "home").mkdir()
    folder = ProjectFolder(copy_sample(root / "service"), root / "home", {"MULTISTACK_LOCALSTACK_INTERNAL": "true"})
    folder.run("up", "test", "--wait", "180")
    yield folder
    folder.run("down")
    assert_nothing_left(folder.folder)


@pytest.fixture
def internal(_internal: ProjectFolder) -> ProjectFolder:
    """The sample in LocalStack on an internal network."""
    return _internal


def test_sample_works_on_an_internal_network(internal: ProjectFolder, engine: Any) -> None:
    """At the container's own address, for nothing is published."""
    container = engine.containers.get(name_of(internal))
    (network,) = container.attrs["NetworkSettings"]["Networks"].values()
    row = internal.status()["test"]
    assert row["endpoint"] == f"http://{network['IPAddress']}:4566"
    assert container.ports == {}
    config = http("GET", f"{row['url']}config").json()
    assert (config["environment"], config["release"]) == ("test", row["release"])
    await_processed(internal, "test")
    queues = internal.run("exec", "test", "--", "aws", "sqs", "list-queues", "--output", "text").stdout
    assert row["endpoint"] in queues
    assert "nothing to do" in internal.run("up", "test").stderr


def test_nothing_inside_reaches_out(internal: ProjectFolder, engine: Any) -> None:
    """Neither another network nor the internet."""
    container = engine.containers.get(name_of(internal))
    for host in ("192.0.2.1", "198.51.100.1"):
        _, said = container.exec_run(["python", "-c", _REACH.format(host=host, port=80)])
        assert said.decode().strip() in ("Network is unreachable", "timed out")


def test_environments_do_not_reach_each_other(make_project: MakeProject, images: Images, engine: Any) -> None:
    """Each has a network of its own."""
    project = make_project(images.standin)
    with (project.folder / "multistack.toml").open("a") as file:
        file.write('[environments.prod]\naccount_id = "222222222222"\n')
    project.run("up")
    other = engine.containers.get(name_of(project, "prod"))
    (network,) = other.attrs["NetworkSettings"]["Networks"].values()
    script = _REACH.format(host=network["IPAddress"], port=4566)
    _, said = engine.containers.get(name_of(project)).exec_run(["python3", "-c", script])
    assert said.decode().strip() != "reached"
    _, said = other.exec_run(["python3", "-c", script])
    assert said.decode().strip() == "reached"


def test_container_has_no_privileges(internal: ProjectFolder, engine: Any) -> None:
    """Another user than root, no capability, and nothing to write but its volume and /tmp."""
    container = engine.containers.get(name_of(internal))
    _, said = container.exec_run(["sh", "-c", "id -u; grep CapEff /proc/self/status; ls /var/run"])
    user, capabilities, *run = said.decode().splitlines()
    assert (user, capabilities.split()[1]) == ("1000", "0" * 16)
    assert "docker.sock" not in run
    for path in ("/x", "/usr/x", "/opt/x", "/home/x"):
        assert container.exec_run(["touch", path]).exit_code != 0
    for path in ("/tmp/x", "/var/lib/localstack/x"):
        assert container.exec_run(["touch", path]).exit_code == 0
    assert container.attrs["HostConfig"]["Privileged"] is False
