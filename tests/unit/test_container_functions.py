"""Containers that a LocalStack with the engine's socket makes for functions."""

from __future__ import annotations

import shlex

import pytest

from emulator.drivers.container_functions import is_function_of, socket_for, socket_path, variables
from emulator.errors import ConfigError, NotReady
from emulator.model import ContainerSettings, DriverName, Environment, Functions

NAME = "multistack-test-0123456789"
LABELS = {"dev.multistack.functions-of": NAME}
ENVIRONMENT = Environment(
    name="test",
    driver=DriverName.LOCALSTACK,
    account_id="111111111111",
    region="eu-west-1",
    container=ContainerSettings(image="localstack/localstack:4.14.0", functions=Functions.DOCKER),
)


@pytest.mark.parametrize(
    ("found", "labels", "is_one"),
    [
        (f"{NAME}-lambda-orders-4f", LABELS, True),
        (f"/{NAME}-lambda-orders-4f", LABELS, True),
        (f"{NAME}-lambda-orders-4f", {}, False),
        (f"{NAME}-lambda-orders-4f", None, False),
        ("orders", LABELS, False),
        (NAME, LABELS, False),
        (f"{NAME}-lambda-orders-4f", {"dev.multistack.functions-of": "multistack-prod-0123456789"}, False),
    ],
)
def test_they_are_known_by_name_and_label(found: str, labels: dict[str, str] | None, is_one: bool) -> None:
    """What has only one of both is a stranger's, and never removed."""
    assert is_function_of(NAME, found, labels) is is_one


def test_labels_survive_a_folder_with_spaces() -> None:
    """LocalStack splits its flags as a shell does."""
    told = variables(NAME, {"dev.multistack.project": "/srv/my 'orders'"})
    assert "dev.multistack.project=/srv/my 'orders'" in shlex.split(told["LAMBDA_DOCKER_FLAGS"])


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("unix:///var/run/docker.sock", "/var/run/docker.sock"),
        ("unix:///run/user/1000/podman/podman.sock", "/run/user/1000/podman/podman.sock"),
        ("http+unix:///var/run/docker.sock", "/var/run/docker.sock"),
        ("tcp://127.0.0.1:2375", None),
        ("ssh://host", None),
        ("npipe:////./pipe/docker_engine", None),
    ],
)
def test_socket_is_that_of_the_engine_in_use(address: str, path: str | None) -> None:
    """Another engine's would make containers that nobody finds again."""
    assert socket_path(address) == path
    if path is not None:
        assert socket_for(ENVIRONMENT, address, is_own=False) == path
        return
    with pytest.raises(NotReady, match=f"needs the engine's unix socket, and the engine is at {address}"):
        socket_for(ENVIRONMENT, address, is_own=False)


def test_socket_is_given_to_who_asks_and_can_use_it() -> None:
    """An image of ours under another name is refused as well."""
    with pytest.raises(ConfigError, match="runs functions in itself"):
        socket_for(ENVIRONMENT, "unix:///var/run/docker.sock", is_own=True)
    without = Environment(name="a", driver=DriverName.LOCALSTACK, account_id="1" * 12, region="eu-west-1")
    assert socket_for(without, "tcp://127.0.0.1:2375", is_own=True) is None
