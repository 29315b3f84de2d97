"""Drivers whose emulators' states lie where nobody here reads files."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.drivers.base import Driver
from emulator.drivers.external import ExternalDriver
from emulator.drivers.kubernetes import KubernetesDriver
from emulator.drivers.swarm import SwarmDriver
from emulator.errors import MultistackError
from emulator.model import DriverName, Environment, Project

TEST = Environment(name="test", driver=DriverName.EMBEDDED, account_id="111111111111", region="eu-west-1")
PROJECT = Project(file=Path("/p/multistack.toml"), service="s", template=Path("/p/t.yaml"), environments=(TEST,))


@pytest.mark.parametrize(
    ("driver", "whose"),
    [
        pytest.param(SwarmDriver(PROJECT, environ={}), "in a swarm", id="swarm"),
        pytest.param(KubernetesDriver(PROJECT, environ={}), "in a cluster", id="kubernetes"),
        pytest.param(ExternalDriver(PROJECT), "somebody else runs", id="external"),
    ],
)
def test_states_are_neither_saved_nor_replaced(driver: Driver, whose: str, tmp_path: Path) -> None:
    """It is said which one, and what to do; nothing is asked or written for that."""
    for done, refuse in (("saved", driver.save), ("replaced", driver.load)):
        with pytest.raises(
            MultistackError, match=f"environment test: the state of .*{whose}.* can't be {done}"
        ) as told:
            refuse(TEST, tmp_path / "new")
        assert told.value.hint
        assert "{" not in told.value.hint
    assert not list(tmp_path.iterdir())
