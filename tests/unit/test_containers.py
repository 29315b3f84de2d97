"""A container as plain data."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emulator.drivers import containers
from emulator.drivers.container_functions import is_function_of
from emulator.drivers.containers import Image
from emulator.model import ContainerSettings, DriverName, Environment, Functions, Project, Status

NOW = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)
OWN = Image(name="multistack/localstack:4.14.0", id="sha256:1", is_own=True)
FOREIGN = Image(name="ministackorg/ministack:1", id="sha256:2", is_own=False)
ENVIRONMENT = Environment(
    name="test", driver=DriverName.LOCALSTACK, account_id="111111111111", region="eu-west-1", lambda_concurrency=7
)


def project(folder: str = "/srv/orders") -> Project:
    """A project with one environment."""
    root = Path(folder)
    return Project(file=root / "multistack.toml", service="s", template=root / "t.yaml", environments=(ENVIRONMENT,))


NAME = containers.name_of(project(), "test")


def inspected(
    *,
    state: Mapping[str, Any] = {},
    networks: Mapping[str, Any] | None = None,
    ports: Mapping[str, Any] | None = None,
    memory: int = 1024 * 2**20,
    labels: Mapping[str, str] = {},
) -> dict[str, Any]:
    """What an engine says of a running container; *state* changes its State."""
    running = {
        "Status": "running",
        "Running": True,
        "Paused": False,
        "Restarting": False,
        "OOMKilled": False,
        "Dead": False,
        "ExitCode": 0,
        "StartedAt": "2026-11-26T11:59:30.123456789Z",
    }
    bound = {"4566/tcp": [{"HostIp": "127.0.0.1", "HostPort": "4600"}]}
    return {
        "Id": "f00",
        "Name": f"/{NAME}",
        "Image": "sha256:1",
        "Config": {"Labels": {**containers.labels_of(project(), ENVIRONMENT), **labels}},
        "State": {**running, **state},
        "HostConfig": {"Memory": memory, "PortBindings": {"4566/tcp": [{"HostIp": "127.0.0.1", "HostPort": "4600"}]}},
        "NetworkSettings": {
            "Ports": bound if ports is None else ports,
            "Networks": {NAME: {"IPAddress": "172.18.0.2"}} if networks is None else networks,
        },
    }


def judged(**given: Any) -> tuple[Status, str]:
    """What the container's state means."""
    found = containers.read(inspected(**given), now=NOW)
    return found.condition, found.reason


ENDED = {"Status": "exited", "Running": False}
STATES: dict[str, tuple[dict[str, Any], Status, str]] = {
    "young": ({}, Status.STARTING, ""),
    "old": ({"StartedAt": "2026-11-26T11:58:59Z"}, Status.UNHEALTHY, ""),
    "started in another zone": ({"StartedAt": "2026-11-26T12:59:30.123456789+01:00"}, Status.STARTING, ""),
    "paused": ({"Status": "paused", "Paused": True}, Status.STOPPED, "its container is paused"),
    "ended": ({**ENDED, "ExitCode": 0}, Status.STOPPED, "its container ended with exit code 0"),
    "stopped": ({**ENDED, "ExitCode": 143}, Status.STOPPED, "its container was stopped"),
    "failed": ({**ENDED, "ExitCode": 1}, Status.STOPPED, "its container ended with exit code 1"),
    "killed": ({**ENDED, "ExitCode": 137}, Status.STOPPED, "its container was killed"),
    "out of memory": (
        {**ENDED, "ExitCode": 137, "OOMKilled": True},
        Status.STOPPED,
        "its container ran out of memory (1024 MiB)",
    ),
    "stopped after a function ran out of memory": (
        {**ENDED, "ExitCode": 0, "OOMKilled": True},
        Status.STOPPED,
        "its container ended with exit code 0",
    ),
    "without token": (
        {**ENDED, "ExitCode": 55},
        Status.STOPPED,
        "its container ended with exit code 55, as LocalStack's images do without LOCALSTACK_AUTH_TOKEN",
    ),
    "restarting": (
        {"Status": "restarting", "Restarting": True, "ExitCode": 1},
        Status.STARTING,
        "its container ended with exit code 1; Docker starts it again",
    ),
    "made": (
        {"Status": "created", "Running": False, "StartedAt": "0001-01-01T00:00:00Z"},
        Status.STOPPED,
        "its container was made but not started",
    ),
    "made by Podman": (
        {"Status": "configured", "Running": False},
        Status.STOPPED,
        "its container was made but not started",
    ),
    "stopped by Podman": (
        {"Status": "stopped", "Running": False},
        Status.STOPPED,
        "its container ended with exit code 0",
    ),
    "ended with its engine": (
        {**ENDED, "ExitCode": 255},
        Status.STOPPED,
        "its container ended with exit code 255",
    ),
}


@pytest.mark.parametrize(("state", "condition", "reason"), STATES.values(), ids=STATES)
def test_state_says_what_to_do(state: dict[str, Any], condition: Status, reason: str) -> None:
    """What an engine says of a container becomes a status and a reason."""
    assert judged(state=state) == (condition, reason)


def test_limit_is_told_only_where_there_is_one() -> None:
    """Without a limit of its own it was the machine's memory that ended."""
    state = {**ENDED, "ExitCode": 137, "OOMKilled": True}
    assert judged(state=state, memory=0) == (Status.STOPPED, "its container ran out of memory")


def test_running_container_without_its_network_is_unhealthy() -> None:
    """It may run and be out of reach."""
    assert judged(networks={}) == (Status.UNHEALTHY, "its network is gone")
    assert judged(networks={"bridge": {"IPAddress": "172.17.0.2"}}) == (Status.UNHEALTHY, "its network is gone")


ADDRESSES: dict[str, tuple[Any, Any, str | None]] = {
    "published": (None, None, "127.0.0.1:4600"),
    "published by Podman": ({"4566/tcp": [{"HostIp": "", "HostPort": "4600"}]}, None, "127.0.0.1:4600"),
    "not published": ({"4566/tcp": None}, None, "172.18.0.2:4566"),
    "internal": ({}, None, "172.18.0.2:4566"),
    "no ports at all": ({}, {NAME: {"IPAddress": ""}}, None),
}


@pytest.mark.parametrize(("ports", "networks", "address"), ADDRESSES.values(), ids=ADDRESSES)
def test_address_is_where_the_machine_reaches_it(ports: Any, networks: Any, address: str | None) -> None:
    """The published port, else the container's own address."""
    assert containers.read(inspected(ports=ports, networks=networks), now=NOW).address == address


def test_what_was_started_is_read_back() -> None:
    """Account, region, settings and port come from the container, not from the project file of today."""
    found = containers.read(inspected(), now=NOW)
    assert (found.environment, found.account_id, found.region) == ("test", "111111111111", "eu-west-1")
    assert (found.settings, found.port, found.keeps_state) == (ENVIRONMENT.settings, 4600, False)
    assert containers.read(inspected(labels={containers.IMAGE: "4f00"}), now=NOW).keeps_state
    stopped = inspected(state=ENDED, ports={})
    assert containers.read(stopped, now=NOW).port == 4600


def test_name_differs_by_folder_and_environment() -> None:
    """Two projects of the same name in different folders share nothing."""
    names = {containers.name_of(project(folder), name) for folder in ("/a", "/b") for name in ("test", "prod")}
    assert len(names) == 4
    assert all(name.startswith(("multistack-test-", "multistack-prod-")) for name in names)


LABELS = containers.labels_of(project(), ENVIRONMENT)
STRANGERS: dict[str, tuple[str, dict[str, str] | None]] = {
    "no labels": (NAME, None),
    "our name without labels": (NAME, {}),
    "our labels under another name": ("mine", LABELS),
    "another folder's": (NAME, {**LABELS, containers.PROJECT: "/elsewhere"}),
    "another environment's": (NAME, {**LABELS, containers.ENVIRONMENT: "prod"}),
    "half of our labels": (NAME, {containers.PROJECT: "/srv/orders", containers.ENVIRONMENT: "test"}),
}


def test_ours_has_name_and_labels() -> None:
    """Docker writes a slash before a container's name."""
    assert containers.is_ours(project(), NAME, LABELS)
    assert containers.is_ours(project(), f"/{NAME}", LABELS)


@pytest.mark.parametrize(("name", "labels"), STRANGERS.values(), ids=STRANGERS)
def test_stranger_is_not_ours(name: str, labels: dict[str, str] | None) -> None:
    """Whoever copied our name, or our labels, is left alone."""
    assert not containers.is_ours(project(), name, labels)


def test_config_changes_with_what_the_emulator_is_told() -> None:
    """A container that was made with other settings is not started again."""
    others = [
        replace(ENVIRONMENT, region="us-east-1"),
        replace(ENVIRONMENT, account_id="222222222222"),
        replace(ENVIRONMENT, container=ContainerSettings(memory=2**30)),
        replace(ENVIRONMENT, container=ContainerSettings(image="other")),
        replace(ENVIRONMENT, container=ContainerSettings(internal=True)),
    ]
    found = {containers.labels_of(project(), one)[containers.CONFIG] for one in [ENVIRONMENT, *others]}
    assert len(found) == 6
    same = replace(ENVIRONMENT, config={"Key": "value"}, protected=True)
    assert containers.labels_of(project(), same) == LABELS


def made(
    image: Image = OWN,
    *,
    port: int | None = 4600,
    token: str | None = None,
    socket: str = "/var/run/docker.sock",
    files: Mapping[str, str] = {},
    **settings: Any,
) -> dict[str, Any]:
    """How a container of *image* is made."""
    environment = replace(ENVIRONMENT, container=ContainerSettings(**settings))
    return containers.arguments(project(), environment, image, port=port, token=token, socket=socket, files=files)


def test_our_image_runs_without_privileges() -> None:
    """Nothing can be written but its volume and /tmp, and it has no capability."""
    arguments = made(memory=512 * 2**20, cpus=1.5)
    assert (arguments["read_only"], arguments["cap_drop"]) == (True, ["ALL"])
    assert arguments["security_opt"] == ["no-new-privileges:true"]
    assert arguments["volumes"] == {NAME: {"bind": "/var/lib/localstack", "mode": "rw"}}
    assert (arguments["mem_limit"], arguments["memswap_limit"], arguments["nano_cpus"]) == (2**29, 2**29, 1_500_000_000)
    assert arguments["ports"] == {"4566/tcp": ("127.0.0.1", 4600)}
    assert arguments["restart_policy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert "privileged" not in arguments


def test_foreign_image_may_write_its_own_files() -> None:
    """It was not made to run without, but gets no new privileges and no socket either."""
    arguments = made(FOREIGN)
    assert not {"read_only", "cap_drop", "tmpfs"} & arguments.keys()
    assert arguments["security_opt"] == ["no-new-privileges:true"]
    assert list(arguments["volumes"]) == [NAME]


def test_socket_is_mounted_only_when_asked_for() -> None:
    """Who has the engine's socket has the machine."""
    arguments = made(FOREIGN, functions=Functions.DOCKER)
    assert arguments["volumes"]["/var/run/docker.sock"] == {"bind": "/var/run/docker.sock", "mode": "rw"}
    assert arguments["environment"]["LAMBDA_RUNTIME_EXECUTOR"] == "docker"
    rootless = made(FOREIGN, socket="/run/user/1000/docker.sock", functions=Functions.DOCKER)
    assert rootless["volumes"]["/run/user/1000/docker.sock"] == {"bind": "/var/run/docker.sock", "mode": "rw"}
    assert "/var/run/docker.sock" not in rootless["volumes"]
    assert "/var/run/docker.sock" not in made()["volumes"]
    assert "LAMBDA_RUNTIME_EXECUTOR" not in made()["environment"]


def test_localstack_with_the_socket_finds_itself_and_marks_what_it_makes() -> None:
    """By its host name it would find another container that is called as the environment; unmarked ones would stay."""
    arguments = made(FOREIGN, functions=Functions.DOCKER)
    assert "hostname" not in arguments
    assert made(FOREIGN)["hostname"] == "test"
    told = arguments["environment"]
    assert (told["MAIN_CONTAINER_NAME"], told["LAMBDA_DOCKER_NETWORK"]) == (NAME, NAME)
    flags = shlex.split(told["LAMBDA_DOCKER_FLAGS"])
    assert flags[::2] == ["--label"] * 3
    labels = dict(flag.split("=", 1) for flag in flags[1::2])
    assert labels[containers.PROJECT] == "/srv/orders"
    assert is_function_of(NAME, f"/{NAME}-lambda-orders-4f", labels)


def test_files_are_mounted_to_be_read() -> None:
    """What is laid into an image of somebody else can't be changed from there."""
    arguments = made(FOREIGN, files={"/srv/patch.py": "/etc/patch.py"})
    assert arguments["volumes"]["/srv/patch.py"] == {"bind": "/etc/patch.py", "mode": "ro"}


def test_emulator_is_told_who_it_is() -> None:
    """Account, region and concurrency, for LocalStack and MiniStack alike; the token only where there is one."""
    told = made()["environment"]
    assert (told["MULTISTACK_ACCOUNT_ID"], told["MINISTACK_ACCOUNT_ID"]) == ("111111111111", "111111111111")
    assert (told["MULTISTACK_REGION"], told["MINISTACK_REGION"]) == ("eu-west-1", "eu-west-1")
    assert (told["LAMBDA_LIMITS_CONCURRENT_EXECUTIONS"], told["LAMBDA_ACCOUNT_CONCURRENCY"]) == ("7", "7")
    assert "LOCALSTACK_AUTH_TOKEN" not in told
    assert made(token="secret")["environment"]["LOCALSTACK_AUTH_TOKEN"] == "secret"


def test_nothing_is_published_from_an_internal_network() -> None:
    """Its ports can't be."""
    arguments = made(port=None, internal=True)
    assert arguments["ports"] == {}
    assert "LOCALSTACK_HOST" not in arguments["environment"]


def test_labels_tell_of_an_environment_that_left_the_project_file() -> None:
    """What is left of it can be stopped without the file."""
    found = containers.leftover(LABELS)
    assert found == Environment(
        name="test", driver=DriverName.LOCALSTACK, account_id="111111111111", region="eu-west-1"
    )
    assert json.loads(LABELS["dev.multistack.settings"])["region"] == "eu-west-1"


def test_restarts_are_counted() -> None:
    """Podman leaves the count out while there is none."""
    assert containers.restarts({**inspected(), "RestartCount": 2}) == 2
    assert containers.restarts(inspected()) == 0
