"""A run of several experiments, with a lab that is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from emulator.lab.experiments import find_experiment
from emulator.lab.running import run_experiments
from emulator.lab.topologies import Topology, World


class FakeLaboratory:
    """Its emulators answer at another address after each time that they had to be started for a restore."""

    restores_quickly = True
    emulator = "fake 1"
    cancelled = staticmethod(lambda: None)

    def __init__(self, *, is_started: bool) -> None:
        self.asked: list[str] = []
        self._is_started = is_started

    def fresh(self, _topologies: Sequence[Topology], *, timeout: float) -> None:
        self.asked.append("fresh")

    def restore(self, _topologies: Sequence[Topology], *, timeout: float) -> bool:
        self.asked.append("restore")
        return self._is_started

    def world(self, topology: Topology) -> World:
        self.asked.append("world")
        return World(topology=topology, driver="fake", port=0, places={})

    def at_once(self, names: Sequence[str], work: Callable[[str], Any]) -> Mapping[str, Any]:
        self.asked.append("run")
        return {name: work(name) for name in names}


@pytest.mark.parametrize(
    ("is_started", "asked"),
    [
        pytest.param(True, ["fresh", "world", "run", "restore", "world", "run"], id="anew"),
        pytest.param(False, ["fresh", "world", "run", "restore", "run"], id="in place"),
    ],
)
def test_emulators_are_found_again_after_they_were_started_anew(is_started: bool, asked: list[str]) -> None:
    """A container's port may be another one then, and its former one that of another account."""
    laboratory = FakeLaboratory(is_started=is_started)
    missing = [replace(find_experiment(name), not_on={"fake": "no such rule"}) for name in ("X01", "X02")]
    results = run_experiments(
        laboratory,  # type: ignore[arg-type]
        missing,
        [Topology.SINGLE],
        seed=1,
        timeout=1,
        tell=lambda _result: None,
    )
    assert [(one.experiment, one.reason) for one in results] == [("X01", "no such rule"), ("X02", "no such rule")]
    assert laboratory.asked == asked
