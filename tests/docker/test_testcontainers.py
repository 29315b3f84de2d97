"""``MultistackContainer``, as users of testcontainers have their containers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator import MultistackContainer, MultistackError
from tests.functional.tiny import PROJECT, TEMPLATE, source


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project file of a service of one function."""
    from testcontainers.core.config import testcontainers_config

    # Its watcher is an image of its own, which only a registry has.
    testcontainers_config.ryuk_disabled = True
    folder = tmp_path_factory.mktemp("service")
    for name, content in {
        "multistack.toml": PROJECT,
        "template.yaml": TEMPLATE,
        "src/app.py": source("'one'"),
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    return folder / "multistack.toml"


@pytest.fixture
def make(own_image: str, service: Path) -> Iterator[Any]:
    """Make a container of the service; its connection to the engine is closed in the end."""
    made: list[MultistackContainer] = []

    def make_one(environment: str) -> MultistackContainer:
        made.append(MultistackContainer(environment, file=service))
        return made[-1]

    yield make_one
    for container in made:
        container.get_docker_client().client.api.close()


def test_container_has_the_service(make: Any, engine: Any) -> None:
    """Started, it serves; its account is the environment's; stopped, nothing of it is left."""
    with make("test") as container:
        assert container.api.get("/").text == "one"
        assert container.get_client("sts").get_caller_identity()["Account"] == "111111111111"
        assert container.environment.service.stack == "tiny-test"
        assert container.get_url().startswith("http://127.0.0.1:")
        found = container.get_wrapped_container().id
    assert found not in {one["Id"] for one in engine.api.containers(all=True)}
    with pytest.raises(RuntimeError, match="not started"):
        _ = container.api


def test_environment_must_be_one_of_the_project(own_image: str, service: Path) -> None:
    """Before a container is made for it."""
    with pytest.raises(MultistackError, match=r"multistack\.toml has no environment prod"):
        MultistackContainer("prod", file=service)
