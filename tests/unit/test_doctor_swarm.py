"""What doctor says of a swarm, by what its managers answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emulator.doctor import Check, Verdict
from emulator.doctor.swarm import check_managers, check_nodes, examine_swarm
from emulator.drivers.swarm_cluster import Node
from emulator.errors import NotReady
from emulator.model import DriverName, Space
from emulator.space_list import write_spaces
from tests.unit.test_doctor import project

FIRST, SECOND = "tcp://10.0.0.1:2375", "tcp://10.0.0.2:2375"
GONE = NotReady(f"no Docker engine answers at {SECOND}", hint="start Docker there")
WORKER = NotReady("the Docker engine is a worker of its swarm", hint="name a manager")
READY = Node(id="1", name="one (10.0.0.1)", address="10.0.0.1", is_ready=True, is_active=True)
DRAINED = replace(READY, id="2", name="two (10.0.0.2)", is_active=False)
DOWN = replace(READY, id="3", name="three (10.0.0.3)", is_ready=False)


def examine(folder: Path, *managers: str, **environ: str) -> list[Check]:
    """The rows of a project with *managers*."""
    return examine_swarm(replace(project(folder), managers=managers), environ=environ, allow_remote=True)


def test_without_a_swarm_there_is_no_row(tmp_path: Path) -> None:
    """Nobody is asked."""
    assert examine(tmp_path, "tcp://127.0.0.1:1") == []


def test_a_space_on_a_swarm_needs_it(tmp_path: Path) -> None:
    """Each manager that is named is asked; when none answers, its nodes are nobody's to tell."""
    space = Space(name="alice", number=1, at=datetime(2026, 1, 1, tzinfo=UTC), driver=DriverName.SWARM)
    write_spaces(tmp_path / ".multistack", {"alice": space})
    (check,) = examine(tmp_path, "tcp://127.0.0.1:1", "tcp://127.0.0.1:2")
    assert (check.name, check.verdict) == ("swarm managers", Verdict.PROBLEM)
    assert "answers at tcp://127.0.0.1:1" in check.found
    assert "answers at tcp://127.0.0.1:2" in check.found
    (check,) = examine(tmp_path, DOCKER_HOST="tcp://127.0.0.1:3")
    assert "answers at tcp://127.0.0.1:3" in check.found
    (tmp_path / ".multistack/spaces.json").write_text("{")
    (check,) = examine(tmp_path)
    assert (check.name, check.verdict) == ("spaces", Verdict.PROBLEM)


@pytest.mark.parametrize(
    ("second", "verdict", "found", "advice"),
    [
        pytest.param({}, Verdict.OK, f"{FIRST}, {SECOND}", "", id="both answer"),
        pytest.param(
            GONE,
            Verdict.WARNING,
            f"1 of 2 answer ({FIRST}); no Docker engine answers at {SECOND}",
            "another one is asked now: start Docker there",
            id="one is gone",
        ),
        pytest.param(
            WORKER,
            Verdict.WARNING,
            f"1 of 2 answer ({FIRST}); {SECOND}: the Docker engine is a worker of its swarm",
            "another one is asked now: name a manager",
            id="one is a worker",
        ),
    ],
)
def test_one_manager_that_answers_is_enough(
    second: dict[str, Node] | NotReady, verdict: Verdict, found: str, advice: str
) -> None:
    """The others are told."""
    check = check_managers({FIRST: {"1": READY}, SECOND: second})
    assert (check.verdict, check.found, check.advice) == (verdict, found, advice)


@pytest.mark.parametrize(
    ("nodes", "verdict", "found", "advice"),
    [
        ([READY], Verdict.OK, "1 ready: one (10.0.0.1)", ""),
        (
            [READY, DRAINED],
            Verdict.OK,
            "1 ready: one (10.0.0.1); 1 drained or paused: two (10.0.0.2)",
            "",
        ),
        (
            [DOWN, READY],
            Verdict.WARNING,
            "1 ready: one (10.0.0.1); 1 not heard of: three (10.0.0.3)",
            "what ran there is started elsewhere; see `docker node ls`",
        ),
        (
            [DRAINED],
            Verdict.PROBLEM,
            "1 drained or paused: two (10.0.0.2)",
            "every node of the swarm that is ready is drained or paused:"
            " `docker node update --availability active NODE`",
        ),
    ],
    ids=["all", "drained", "down", "none"],
)
def test_a_node_must_take_environments(nodes: list[Node], verdict: Verdict, found: str, advice: str) -> None:
    """Drained on purpose is fine as long as one is left."""
    check = check_nodes(nodes)
    assert (check.verdict, check.found, check.advice) == (verdict, found, advice)
