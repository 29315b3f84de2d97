"""Environments as services of a swarm of two hosts."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from emulator.images.recipe import embedded_image
from emulator.model import DriverName
from tests.conftest import ProjectFolder, http
from tests.contract import DriverContract
from tests.docker.engines import build_embedded
from tests.docker.swarms import SwarmHost, host_on, left_in, swarm
from tests.functional.tiny import PROJECT, TEMPLATE, refused, write, write_service

# One swarm for all of them.
# Seconds: the first test builds the image where there is none, and starts the engines.
pytestmark = [pytest.mark.xdist_group("swarm"), pytest.mark.timeout(900)]

TABLE = """
  Seats:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: seats
      BillingMode: PAY_PER_REQUEST
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
"""


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
        (problem,) = swarm_rows(folder, "problem", DOCKER_HOST=engine)
    assert message in problem
    assert hint in problem
    assert done.returncode == 3
    assert message in done.stderr
    assert hint in done.stderr
    assert left_in(manager) == []


def swarm_rows(folder: ProjectFolder, verdict: str, **environ: str) -> list[str]:
    """What doctor found of the swarm with that verdict, and advises."""
    checks = json.loads(folder.run("doctor", "--json", env=environ, check=False).stdout)
    rows = [one for one in checks if one["name"].startswith("swarm") and one["verdict"] == verdict]
    return [f"{one['found']} {one['advice']}" for one in rows]


def test_doctor_tells_managers_and_nodes(folder: ProjectFolder, hosts: list[SwarmHost]) -> None:
    """Whoever may be asked, and whoever is named and may not."""
    manager, worker = hosts
    told, nodes = swarm_rows(folder, "ok")
    assert told.strip() == manager.host
    assert nodes.startswith("2 ready: ")
    assert all(host.address in nodes for host in hosts)
    name_managers(folder, worker, manager)
    (told,) = swarm_rows(folder, "warning")
    assert told.startswith(f"1 of 2 answer ({manager.remote}); {worker.remote}: the Docker engine is a worker")
    name_managers(folder)


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


@pytest.fixture
def on_the_worker(folder: ProjectFolder, hosts: list[SwarmHost]) -> Iterator[ProjectFolder]:
    """The environment runs on the worker, and is stopped in the end."""
    manager, worker = hosts
    try:
        with drained(manager, manager):
            folder.run("up", "test")
        assert worker.address in folder.status()["test"]["endpoint"]
        assert serves(folder, folder.status()["test"]["url"])
        yield folder
    finally:
        folder.run("down", "test")


def serves(folder: ProjectFolder, url: str) -> bool:
    """Whether the service answers through the proxy; any other answer is 503, 502 or 504."""
    answer = http("GET", url)
    assert answer.status in (200, 502, 503, 504), answer
    return answer.status == 200


def wait_for(condition: Callable[[], bool], folder: ProjectFolder) -> None:
    """Until it holds, which may take a busy machine minutes."""
    deadline = time.monotonic() + 240
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail((folder.folder / ".multistack/proxy/server.log").read_text())
        time.sleep(0.5)


@pytest.mark.parametrize(("ends", "begins"), [("stop", "start"), ("lose", "find")])
def test_the_only_manager_may_be_gone_for_a_while(
    on_the_worker: ProjectFolder, hosts: list[SwarmHost], ends: str, begins: str
) -> None:
    """Requests go on meanwhile; commands say in one line who doesn't answer, and work again when it is back."""
    manager, _worker = hosts
    url = on_the_worker.status()["test"]["url"]
    elsewhere = {"DOCKER_HOST": manager.remote, "MULTISTACK_ALLOW_REMOTE": "true"}
    getattr(manager, ends)()
    try:
        wait_for(lambda: serves(on_the_worker, url), on_the_worker)
        assert "no Docker engine" in refused(on_the_worker, "up", "test", code=3)
        said = refused(on_the_worker, "up", "test", code=3, env=elsewhere)
        assert f"no Docker engine answers at {manager.remote}" in said
        assert "set DOCKER_HOST to another manager of the swarm" in said
        told = on_the_worker.run("status", env=elsewhere, check=False)
        assert f"no Docker engine answers at {manager.remote}" in told.stdout
        wait_for(lambda: serves(on_the_worker, url), on_the_worker)
    finally:
        getattr(manager, begins)()
    wait_for(lambda: "ready" in on_the_worker.run("status", check=False).stdout, on_the_worker)
    wait_for(lambda: serves(on_the_worker, url), on_the_worker)


def test_a_split_network_is_no_harm_until_it_heals(on_the_worker: ProjectFolder, hosts: list[SwarmHost]) -> None:
    """
    The swarm starts a second one where the manager is; the proxy stays with the first, which it reaches.

    When the worker hears of that it ends its own, and the proxy finds the other one by itself.
    """
    manager, worker = hosts
    url = on_the_worker.status()["test"]["url"]
    with split(worker, manager):
        wait_for(lambda: manager.docker("ps", "-q") != "", on_the_worker)
        wait_for(lambda: serves(on_the_worker, url), on_the_worker)
        assert worker.docker("ps", "-q") != ""
    wait_for(lambda: worker.docker("ps", "-q") == "", on_the_worker)
    wait_for(lambda: serves(on_the_worker, url), on_the_worker)
    assert manager.address in on_the_worker.status()["test"]["endpoint"]


@contextlib.contextmanager
def split(one: SwarmHost, other: SwarmHost) -> Iterator[None]:
    """For as long as no packet gets from one to the other."""
    rules = [("INPUT", "-s", other.address, "-j", "DROP"), ("OUTPUT", "-d", other.address, "-j", "DROP")]
    for rule in rules:
        subprocess.run([*one.inside, "iptables", "-I", *rule], check=True)
    try:
        yield
    finally:
        for rule in rules:
            subprocess.run([*one.inside, "iptables", "-D", *rule], check=True)


def test_a_full_disk_of_a_host_is_told_and_no_harm(on_the_worker: ProjectFolder, hosts: list[SwarmHost]) -> None:
    """What runs there goes on, and says that it can't save until it can."""
    _manager, worker = hosts
    url = on_the_worker.status()["test"]["url"]
    wait_for(lambda: serves(on_the_worker, url), on_the_worker)
    with full(worker):
        wait_for(lambda: serves(on_the_worker, url), on_the_worker)
        on_the_worker.run("exec", "test", "--", "aws", "ssm", "put-parameter", "--name=a", "--value=b", "--type=String")
        wait_for(lambda: "No space left" in on_the_worker.status()["test"]["reason"], on_the_worker)
    wait_for(lambda: on_the_worker.status()["test"]["reason"] == "", on_the_worker)


@contextlib.contextmanager
def full(host: SwarmHost) -> Iterator[None]:
    """For as long as its disk has no room."""
    filler = host.data / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(2**20)):
            pass
    try:
        yield
    finally:
        filler.unlink()


def test_a_host_that_has_the_state_and_no_image_is_named(on_the_worker: ProjectFolder, hosts: list[SwarmHost]) -> None:
    """Another one would have the image, and begin without the data."""
    _manager, worker = hosts
    on_the_worker.run("down", "test")
    worker.docker("image", "rm", "--force", embedded_image())
    try:
        said = refused(on_the_worker, "up", "test", code=3)
    finally:
        worker.load(embedded_image())
    assert f"({worker.address}) does not have its image" in said


@contextlib.contextmanager
def asleep_on(worker: SwarmHost, manager: SwarmHost, root: Path, environ: Mapping[str, str]) -> Iterator[ProjectFolder]:
    """A project whose space alice, with a table that has a seed, sleeps on the worker; removed in the end."""
    (root / "home").mkdir()
    made = ProjectFolder(root / "class", root / "home", environ)
    made.folder.mkdir()
    write_service(made)
    write(made, "multistack.toml", PROJECT + '[seed]\nfolders = ["seeds/all"]\n')
    write(made, "template.yaml", TEMPLATE + TABLE)
    write(made, "seeds/all/Seats.csv", "id\nwindow\n")
    try:
        with drained(manager, manager):
            made.run("space", "create", "alice", timeout=240)
        (row,) = json.loads(made.run("--space", "alice", "status", "--json").stdout)
        assert worker.address in row["endpoint"]
        made.run("space", "sleep", "alice")
        yield made
    finally:
        made.run("space", "destroy", "alice", timeout=240)
        made.run("down")
        assert made.processes() == []


def test_a_lost_hosts_environments_are_back_on_the_other_with_their_release(
    folder: ProjectFolder, hosts: list[SwarmHost], tmp_path: Path
) -> None:
    """
    What ran is moved by the swarm, `up` brings the recorded release; what slept wakes elsewhere, with its seed.

    One of the last tests: a host is lost.
    """
    manager, worker = hosts
    with asleep_on(worker, manager, tmp_path, folder.environ) as asleep:
        with drained(manager, manager):
            folder.run("up", "test")
        before = folder.status()["test"]
        assert worker.address in before["endpoint"]
        assert http("GET", before["url"]).body == b"one"
        worker.lose()
        wake(asleep, "alice")
        folder.run("up", "test", timeout=170)
        (row,) = json.loads(asleep.run("--space", "alice", "status", "--json").stdout)
        assert manager.address in row["endpoint"]
        scan = ("aws", "dynamodb", "scan", "--table-name", "seats", "--query", "Items[].id.S", "--output", "text")
        assert asleep.run("--space", "alice", "exec", "test", "--", *scan).stdout.strip() == "window"
    after = folder.status()["test"]
    assert manager.address in after["endpoint"]
    assert (after["status"], after["release"]) == ("ready", before["release"])
    assert http("GET", after["url"]).body == b"one"


def wake(folder: ProjectFolder, space: str) -> None:
    """By requests, until one is answered by its service."""
    link = folder.run("space", "url", space).stdout.strip()
    token = http("POST", link, headers={"Accept": "application/json"}).json()["token"]
    url = link.partition(f"/{space}")[0] + f"/{space}/test/"

    def answers() -> bool:
        answer = http("GET", url, headers={"X-Multistack-Token": token})
        assert answer.status in (200, 502, 503, 504), answer
        return answer.body == b"one"

    wait_for(answers, folder)


def test_of_three_managers_one_may_be_lost_and_not_two(folder: ProjectFolder, hosts: list[SwarmHost]) -> None:
    """
    With the leader's host its environment is lost: `up` asks the next manager, and brings the recorded release.

    Without a majority the swarm decides nothing, which is told in one line; requests go on. The last test, with a host
    that was lost before.
    """
    leader, second = hosts
    if second.process is None:
        second.find()
    wait_for(lambda: set(leader.docker("node", "ls", "--format", "{{.Status}}").split()) == {"Ready"}, folder)
    with host_on(leader.bridge, 9) as third:
        join_as_managers(leader, second, third)
        name_managers(folder, leader, second, third)
        with drained(leader, second):
            folder.run("up", "test")
        before = folder.status()["test"]
        assert leader.address in before["endpoint"]

        leader.lose()
        name_managers(folder)
        said = refused(folder, "up", "test", code=3, env={"DOCKER_HOST": leader.remote})
        assert f"no Docker engine answers at {leader.remote}" in said
        name_managers(folder, leader, second, third)
        folder.run("up", "test", timeout=240)
        after = folder.status()["test"]
        assert second.address in after["endpoint"]
        (told,) = (one for one in swarm_rows(folder, "warning") if " answer (" in one)
        assert told.startswith(
            f"2 of 3 answer ({second.remote}, {third.remote}); no Docker engine answers at {leader.remote}"
        )
        assert (after["status"], after["release"]) == ("ready", before["release"])
        assert http("GET", after["url"]).body == b"one"

        third.lose()
        # For some seconds the one that is left believes that it still leads.
        wait_for(lambda: folder.run("up", "test", check=False).returncode == 3, folder)
        said = refused(folder, "up", "test", code=3)
        assert f"no Docker engine answers at {leader.remote}; {second.remote}: the swarm has no leader" in said
        assert f"no Docker engine answers at {third.remote}" in said
        assert "more than half must be up" in said
        assert "the swarm has no leader" in folder.run("status", check=False).stdout
        assert http("GET", after["url"]).body == b"one"

        leader.find()
        wait_for(lambda: folder.run("up", "test", check=False).returncode == 0, folder)
        assert http("GET", after["url"]).body == b"one"
        name_managers(folder)


def join_as_managers(leader: SwarmHost, second: SwarmHost, third: SwarmHost) -> None:
    """*second*, which is in the swarm, and *third*, which takes no tasks."""
    # A lost host is told from a slow one after three of them, 15 s by default.
    leader.docker("swarm", "update", "--dispatcher-heartbeat", "2s")
    leader.docker("node", "promote", second.docker("info", "--format", "{{.Swarm.NodeID}}"))
    token = leader.docker("swarm", "join-token", "--quiet", "manager")
    third.docker("swarm", "join", "--availability", "drain", "--token", token, f"{leader.address}:2377")


def name_managers(folder: ProjectFolder, *hosts: SwarmHost) -> None:
    """In the project file; none of them leaves it as it was."""
    named = f"[swarm]\nmanagers = {json.dumps([host.remote for host in hosts])}\n" if hosts else ""
    write(folder, "multistack.toml", f"allow_remote = true\n{PROJECT}{named}")
