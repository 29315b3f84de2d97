"""What a cluster moved or started empty is brought back: one command, again after a pause that grows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from emulator.dashboard.jobs import Command
from emulator.model import Route
from emulator.proxy.bringing_back import OWN, BringingBack
from emulator.proxy.waking import finding
from emulator.proxy.whereabouts import Sight, Whereabouts
from tests.unit.test_proxy_whereabouts import moving

COMMAND = ["--space", "alice", "up", "--no-start", "--wait", "45", "test"]


class World:
    """Space alice with test and prod, and the project's own test; all of them there at first."""

    def __init__(self, *, runs: bool = True) -> None:
        self.seconds = 0.0
        self.sights: dict[str, Sight] = {}
        self.ran: list[Sequence[str]] = []
        self.routes: dict[str, Sequence[Route]] = {
            OWN: [moving("test")],
            "alice": [moving("alice/test"), moving("alice/prod")],
        }
        self.helps = False
        whereabouts = Whereabouts(lambda route: self.sights.get(route.environment, Sight.THERE))
        self.bringing = BringingBack(
            lambda: self.routes, whereabouts, self.run if runs else None, clock=lambda: self.seconds
        )

    def run(self, arguments: Sequence[str]) -> int:
        self.ran.append(arguments)
        if self.helps:
            self.sights.clear()
        return 0 if self.helps else 3

    def look(self, *, times: int = 1) -> None:
        """Every five seconds; a command is over before the next look."""
        for _time in range(times):
            for thread in self.bringing.look():
                thread.join(30)
            self.seconds += 5.0


@pytest.mark.parametrize("sight", [Sight.AWAY, Sight.EMPTY])
def test_one_command_brings_it_back(sight: Sight) -> None:
    """At the second look that finds it so, and never again."""
    world = World()
    world.helps = True
    world.sights["alice/test"] = sight
    world.look()
    assert world.ran == []
    world.look(times=5)
    assert world.ran == [COMMAND]


def test_the_projects_own_environments_as_well() -> None:
    """Without a space."""
    world = World()
    world.sights = {"test": Sight.AWAY, "alice/test": Sight.AWAY, "alice/prod": Sight.EMPTY}
    world.look(times=2)
    assert world.ran[0] == ["up", "--no-start", "--wait", "45", "test"]
    assert world.ran[1] == [*COMMAND, "prod"]


def test_a_command_that_does_not_help_is_run_less_and_less_often() -> None:
    """No hot loop: 5, 10, 20 seconds later, five minutes at most; and at once the next time."""
    world = World()
    world.sights["alice/test"] = Sight.AWAY
    world.look(times=10)
    assert len(world.ran) == 4  # at 5, 10, 20 and 40 seconds
    world.look(times=1000)
    assert len(world.ran) <= 4 + 5 * 1000 // 300 + 4
    world.sights.clear()
    world.look()
    world.sights["alice/test"] = Sight.AWAY
    before = len(world.ran)
    world.look(times=2)
    assert len(world.ran) == before + 1


def test_one_that_stays_lost_holds_no_sibling_back() -> None:
    """Each has a pause of its own, and a command about those that were waited for in vain is a short one."""
    world = World()
    world.sights["alice/test"] = Sight.AWAY
    world.look(times=1000)
    assert world.ran[1] == ["--space", "alice", "up", "--no-start", "--wait", "5", "test"]
    world.ran.clear()
    world.sights["alice/prod"] = Sight.AWAY
    world.look(times=2)
    assert [one for one in world.ran if "prod" in one] == [
        ["--space", "alice", "up", "--no-start", "--wait", "45", "prod"]
    ]


def test_a_stopped_environment_is_not_brought_back() -> None:
    """Whoever stopped it published that."""
    world = World()
    world.sights["alice/test"] = Sight.AWAY
    world.look()
    world.routes["alice"] = [moving("alice/test", url=None)]
    world.look(times=5)
    assert world.ran == []


def test_a_proxy_that_runs_no_commands_still_tells(caplog: pytest.LogCaptureFixture) -> None:
    """Once when it goes, once when it is back."""
    world = World(runs=False)
    world.sights["alice/test"] = Sight.AWAY
    with caplog.at_level(logging.WARNING):
        world.look(times=4)
        world.sights.clear()
        world.look(times=2)
    assert [record.getMessage() for record in caplog.records] == [
        "environment alice/test is away (http://127.0.0.1:4566)",
        "environment alice/test is back, or stopped",
    ]


def test_commands_find_the_cluster_as_the_one_did_that_published_the_route() -> None:
    """Whoever started the proxy may have had another `DOCKER_HOST`, or none."""
    variables = {"PATH": "/bin", "DOCKER_HOST": "unix:///other", "DOCKER_CONTEXT": "other"}
    command = Command(program=["multistack"], file=Path("multistack.toml"), environ=lambda: variables)
    told = moving(asked_with=(("DOCKER_HOST", "unix:///swarm"),))
    assert finding(command, [moving(), told]).environ() == {"PATH": "/bin", "DOCKER_HOST": "unix:///swarm"}
    assert finding(command, [moving()]) is command
