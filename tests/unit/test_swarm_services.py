"""Services of a swarm as data: what they are made of, and what their tasks say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

from emulator.drivers.containers import labels_of, name_of
from emulator.drivers.swarm_cluster import Node, need_nodes, problem_of, read_node
from emulator.drivers.swarm_images import hint_about
from emulator.drivers.swarm_memory import Memory, Remembered
from emulator.drivers.swarm_services import (
    Parts,
    Service,
    Task,
    endpoint_spec,
    is_part_of,
    leftover,
    named,
    read,
    read_tasks,
    template,
    variables,
)
from emulator.errors import NotReady
from emulator.model import DriverName, Environment, Project, Publish, SwarmSettings

ENVIRONMENT = Environment(
    name="test",
    driver=DriverName.SWARM,
    account_id="100000000001",
    region="eu-west-1",
    enforce_iam=True,
    swarm=SwarmSettings(memory=2**28, cpus=0.5, placement=("node.labels.room == 1",)),
)
PROJECT = Project(
    file=Path("/p/multistack.toml"), service="s", template=Path("/p/template.yaml"), environments=(ENVIRONMENT,)
)
PARTS = Parts(image="sha256:1", config=("c", "cn"), secret=("s", "sn"), network="n", volume="v")
ONE = Node(id="one", name="vm (10.0.0.1)", address="10.0.0.1", is_ready=True, is_active=True)
TWO = replace(ONE, id="two", name="vm (10.0.0.2)", address="10.0.0.2")
NODES = {"one": ONE, "two": TWO}

MANAGES: Mapping[str, Any] = {"LocalNodeState": "active", "ControlAvailable": True, "Error": ""}
# What engines say of a swarm of which too few managers are up.
NO_LEADER = "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers …"
TOO_LATE = "rpc error: code = DeadlineExceeded desc = context deadline exceeded"


def task(state: str, *, at: int = 1, node: str = "one", error: str = "", wanted: str = "running") -> dict[str, Any]:
    """The engine's ``inspect`` of a task, as far as it is read."""
    told = {"State": state, **({"Err": error} if error else {})}
    return {"CreatedAt": f"2026-11-27T08:00:0{at}Z", "DesiredState": wanted, "NodeID": node, "Status": told}


@pytest.mark.parametrize(
    ("found", "nodes", "expected"),
    [
        pytest.param([task("running")], NODES, Task(node="one", works=True), id="runs"),
        pytest.param([task("starting")], NODES, Task(node="one", works=True, is_young=True), id="first check to come"),
        pytest.param(
            [task("preparing")],
            NODES,
            Task(node="one", is_young=True, reason="its container is not there yet: preparing"),
            id="on its way",
        ),
        pytest.param(
            [], NODES, Task(is_young=True, reason="the swarm has not made its container yet"), id="nothing yet"
        ),
        pytest.param(
            [task("pending", node="", error="no suitable node (insufficient resources on 2 nodes)")],
            NODES,
            Task(reason="no suitable node (insufficient resources on 2 nodes)"),
            id="nowhere to go",
        ),
        pytest.param(
            [task("ready", at=2, node="two"), task("rejected", wanted="shutdown", error="No such image: sha256:1")],
            NODES,
            Task(node="two", reason="node vm (10.0.0.1) does not have its image", without_image=frozenset({"one"})),
            id="image missing",
        ),
        pytest.param(
            [task("pending", at=2, node=""), task("failed", wanted="shutdown", error="task: non-zero exit (2)")],
            NODES,
            Task(reason="task: non-zero exit (2) on node vm (10.0.0.1)"),
            id="ended",
        ),
        pytest.param(
            [task("running")],
            {**NODES, "one": replace(ONE, is_ready=False)},
            Task(is_young=True, reason="node vm (10.0.0.1) is down, and no other has it yet"),
            id="host lost",
        ),
        pytest.param(
            [task("running", at=2, node="two"), task("running")],
            {**NODES, "one": replace(ONE, is_ready=False)},
            Task(node="two", works=True),
            id="moved",
        ),
    ],
)
def test_tasks_say_where_it_runs_or_why_not(
    found: list[dict[str, Any]], nodes: Mapping[str, Node], expected: Task
) -> None:
    """A later try hides no earlier trouble, and a lost host no later try."""
    assert read_tasks(found, nodes) == expected


def test_a_service_is_bounded_and_trusted_little() -> None:
    """As a container of the other driver; the placement of the project file holds."""
    made = template(PROJECT, ENVIRONMENT, replace(PARTS, node="one"))
    spec = made["ContainerSpec"]
    assert (spec["ReadOnly"], spec["CapabilityDrop"], spec["Init"]) == (True, ["ALL"], True)
    assert made["Resources"]["Limits"] == {"MemoryBytes": 2**28, "NanoCPUs": 5 * 10**8}
    assert made["Placement"]["Constraints"] == ["node.labels.room == 1", "node.id == one"]
    assert template(PROJECT, ENVIRONMENT, PARTS)["Placement"]["Constraints"] == ["node.labels.room == 1"]
    assert made["Networks"] == [{"Target": "n"}]


@pytest.mark.parametrize(
    ("publish", "mode", "is_mesh"), [(Publish.HOST, "dnsrr", False), (Publish.INGRESS, "vip", True)]
)
def test_what_is_made_is_read_back(publish: Publish, mode: str, is_mesh: bool) -> None:
    """Account, region, settings and port are told by the service itself."""
    environment = replace(ENVIRONMENT, swarm=replace(ENVIRONMENT.swarm, publish=publish))
    labels = template(PROJECT, environment, PARTS)["ContainerSpec"]["Labels"]
    spec = {"Name": "x", "Labels": labels, "EndpointSpec": endpoint_spec(environment, 20_001)}
    assert spec["EndpointSpec"]["Mode"] == mode  # type: ignore[index]
    assert read({"ID": "i", "Spec": spec}) == Service(
        id="i",
        name="x",
        account_id="100000000001",
        region="eu-west-1",
        settings=environment.settings,
        port=20_001,
        is_mesh=is_mesh,
    )
    told = leftover(labels)
    assert (told.name, told.driver, told.account_id) == ("test", DriverName.SWARM, "100000000001")


def test_a_part_is_ours_by_name_and_labels() -> None:
    """A stranger may have copied either."""
    labels = template(PROJECT, ENVIRONMENT, PARTS)["ContainerSpec"]["Labels"]
    name = named("multistack-test-fe82aecb44", b"content")
    ours = named(name_of(PROJECT, "test"), b"content")
    assert is_part_of(PROJECT, ours, labels)
    assert not is_part_of(PROJECT, ours, {})
    assert not is_part_of(replace(PROJECT, file=Path("/q/multistack.toml")), name, labels)


def test_the_emulator_is_told_what_it_must_know() -> None:
    """A line each; nothing of the caller's variables."""
    assert variables(ENVIRONMENT).decode().splitlines() == [
        "MULTISTACK_ENVIRONMENT=test",
        "MULTISTACK_ACCOUNT_ID=100000000001",
        "MULTISTACK_REGION=eu-west-1",
        "MULTISTACK_ENFORCE_IAM=true",
        "MULTISTACK_LAMBDA_CONCURRENCY=",
    ]


@pytest.mark.parametrize(
    ("told", "message", "hint"),
    [
        ({"LocalNodeState": "inactive"}, "in no swarm", "docker swarm init"),
        ({"LocalNodeState": "locked"}, "is locked", "docker swarm unlock"),
        ({"LocalNodeState": "pending"}, "has not found its swarm yet", "more than half"),
        ({"LocalNodeState": "error", "Error": "its certificate is over"}, "its certificate is over", "docker info"),
        ({**MANAGES, "Error": NO_LEADER}, "the swarm has no leader", "more than half"),
        ({**MANAGES, "Error": TOO_LATE}, "the swarm has no leader", "more than half"),
        ({**MANAGES, "Error": "something else"}, "something else", "docker info"),
        (
            {"LocalNodeState": "active", "ControlAvailable": False, "RemoteManagers": [{"Addr": "10.0.0.1:2377"}]},
            "is a worker",
            "(10.0.0.1)",
        ),
    ],
)
def test_an_engine_that_cant_be_asked_says_why(told: Mapping[str, Any], message: str, hint: str) -> None:
    """One line, and what to do."""
    problem = problem_of(told)
    assert problem is not None
    assert message in problem.message
    assert hint in (problem.hint or "")
    assert problem_of(MANAGES) is None


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (replace(ONE, is_ready=False), "no node of the swarm is ready"),
        (replace(ONE, is_active=False), "drained or paused"),
    ],
)
def test_somebody_must_take_it(node: Node, message: str) -> None:
    """Found before anything is made."""
    with pytest.raises(NotReady, match=message):
        need_nodes({"one": node})
    need_nodes({"one": node, "two": TWO})


def test_a_manager_that_knows_no_address_of_itself_has_that_of_its_port() -> None:
    """Engines tell 0.0.0.0 of themselves where they listen everywhere."""
    found = {
        "ID": "one",
        "Description": {"Hostname": "vm"},
        "Status": {"State": "ready", "Addr": "0.0.0.0"},
        "Spec": {"Availability": "active"},
        "ManagerStatus": {"Addr": "10.0.0.1:2377"},
    }
    assert read_node(found) == ONE


def test_a_hint_follows_the_reason() -> None:
    """Whoever reads it can do something."""
    assert "docker save" in hint_about(ENVIRONMENT, "node vm does not have its image")
    assert "swarm.placement" in hint_about(ENVIRONMENT, "no suitable node (scheduling constraints not satisfied)")


def test_what_is_remembered_outlives_the_command(tmp_path: Path) -> None:
    """The key above all, which no swarm gives out again: made once, for its owner only."""
    memory = Memory(tmp_path / "test")
    assert (memory.read(), memory.key()) == (Remembered(), "")
    key = memory.need_key()
    assert len(key) > 40
    assert memory.need_key() == memory.key() == key
    assert (tmp_path / "test/swarm.key").stat().st_mode & 0o077 == 0
    memory.note(node="one", port=20_001)
    assert memory.note(may_run=True) == Remembered(may_run=True, node="one", port=20_001)
    (tmp_path / "test/swarm.json").write_text("broken")
    assert memory.read() == Remembered()


def test_no_volume_of_an_erased_state_comes_back(tmp_path: Path) -> None:
    """Other nodes keep theirs, and the notes about it may be gone with their folder."""
    memory = Memory(tmp_path / "test")
    first = memory.need_volume()
    assert memory.need_volume() == first
    memory.note(volume="")
    second = memory.need_volume()
    rmtree(tmp_path / "test")
    third = memory.need_volume()
    assert len({first, second, third}) == 3
    name = f"{name_of(PROJECT, 'test')}-{first}"
    assert is_part_of(PROJECT, name, labels_of(PROJECT, ENVIRONMENT))
