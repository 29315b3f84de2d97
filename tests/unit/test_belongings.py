"""What of an environment is in the engine, as the engine lists it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from emulator.drivers import containers
from emulator.drivers.belongings import Belongings, traces_of
from emulator.drivers.container_making import Maker
from emulator.drivers.containers import Image
from emulator.drivers.kept_state import KeptState
from emulator.errors import NotReady
from emulator.model import DriverName, Environment, Project

ENVIRONMENT = Environment(name="test", driver=DriverName.LOCALSTACK, account_id="1" * 12, region="eu-west-1")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """One with an environment."""
    return Project(file=tmp_path / "multistack.toml", service="s", template=tmp_path / "t", environments=(ENVIRONMENT,))


class FakeContainer:
    """One that may refuse to start, and notes how it is removed."""

    def __init__(self, name: str, labels: Mapping[str, str], *, error: Exception | None = None) -> None:
        self.name, self.labels, self._error = name, labels, error
        self.removed: dict[str, bool] | None = None

    def start(self) -> None:
        """Start it, if it can."""
        if self._error:
            raise self._error

    def remove(self, **how: bool) -> None:
        """Note it."""
        self.removed = how


def engine(*listed: Mapping[str, Any], containers: list[FakeContainer] | None = None) -> Any:
    """An engine that lists these containers, and no network or volume."""
    api = SimpleNamespace(
        containers=lambda **_: list(listed), networks=lambda **_: [], volumes=lambda **_: {"Volumes": None}
    )
    return SimpleNamespace(api=api, containers=SimpleNamespace(list=lambda **_: containers or []))


@pytest.mark.parametrize("names", [None, []], ids=str)
def test_container_without_a_name_is_no_one_elses_and_not_ours(project: Project, names: list[str] | None) -> None:
    """Docker lists one that is just being removed so; no command ends with a traceback for it."""
    nameless = {"Names": names, "Labels": None}
    ours = {"Names": [f"/{containers.name_of(project, 'test')}"], "Labels": containers.labels_of(project, ENVIRONMENT)}
    Belongings(engine(nameless), project, "test").refuse_strangers()
    assert set(traces_of(engine(nameless, ours), project)) == {"test"}


def test_stranger_with_our_name_is_refused(project: Project) -> None:
    """By name and what it is."""
    name = containers.name_of(project, "test")
    with pytest.raises(NotReady, match=f"container {name} is in the Docker engine and not of this project"):
        Belongings(engine({"Names": [f"/{name}"], "Labels": None}), project, "test").refuse_strangers()


def test_containers_of_functions_are_removed_with_their_volumes(project: Project) -> None:
    """Only those of this environment's LocalStack; a stranger's with a copied label stays."""
    name = containers.name_of(project, "test")
    labels = {"dev.multistack.functions-of": name}
    left, stranger = FakeContainer(f"{name}-lambda-orders-1", labels), FakeContainer("orders", labels)
    Belongings(engine(containers=[left, stranger]), project, "test").remove_functions()
    assert (left.removed, stranger.removed) == ({"force": True, "v": True}, None)


def test_container_whose_port_was_taken_leaves_no_volume(project: Project) -> None:
    """An image may declare volumes of its own, which nobody would ever find."""
    from docker.errors import APIError

    made = FakeContainer("x", {}, error=APIError("x", explanation="port is already allocated"))
    client: Any = SimpleNamespace(containers=SimpleNamespace(create=lambda **_: made))
    kept = KeptState(project.environment_state("test"))
    image = Image(name="x:1", id="sha256:1", is_own=False)
    maker = Maker(project, environ={}, token=None)
    assert not maker._make_at(client, ENVIRONMENT, image, kept, port=4600, socket=None)
    assert made.removed == {"force": True, "v": True}
