"""
What every driver promises, whatever runs its emulators.

A class of tests that inherits from :class:`DriverContract` says which driver it is about, and how it is set up.
"""

from __future__ import annotations

import io
import json
import socket
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from emulator.config import scrubbed_environ
from emulator.drivers.base import Driver
from emulator.endpoint import client, wait_until_healthy
from emulator.errors import NotReady
from emulator.events import Event
from emulator.model import ContainerSettings, DriverName, Endpoint, Environment, Instance, Project, Status
from emulator.opening import open_workspace

ALPHA = Environment(name="alpha", driver=DriverName.EMBEDDED, account_id="100000000001", region="eu-west-1")
BETA = Environment(name="beta", driver=DriverName.EMBEDDED, account_id="100000000002", region="us-east-1")
# `auto` is one of the others; a container's is held to the same in tests/docker.
RUN_BY_US, USED_BY_US = [DriverName.EMBEDDED], [DriverName.EXTERNAL]
SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIAREALKEY",
    "AWS_SECRET_ACCESS_KEY": "real-secret",
    "AWS_SESSION_TOKEN": "real-token",
    "AWS_PROFILE": "real-profile",
    "GITHUB_TOKEN": "real-github-token",
    "HTTPS_PROXY": "http://real-proxy",
}
TELL_ENVIRON = """
import os

def handler(event, context):
    return {**os.environ, "HOME_HOLDS": " ".join(os.listdir(os.environ["HOME"]))}
"""


class DriverContract:
    """The contract."""

    driver_name: ClassVar[DriverName]

    @pytest.fixture(scope="class")
    @classmethod
    def container(cls) -> ContainerSettings:
        """How containers are run, for a driver that has some."""
        return ContainerSettings()

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tmp_path_factory: pytest.TempPathFactory, container: ContainerSettings) -> Iterator[Project]:
        """A project with two environments of the driver; what still runs in the end is stopped."""
        root = tmp_path_factory.mktemp("contract")
        environments = tuple(replace(one, driver=cls.driver_name, container=container) for one in (ALPHA, BETA))
        project = Project(
            file=root / "multistack.toml", service="s", template=root / "template.yaml", environments=environments
        )
        yield project
        for environment in environments:
            driver_of(project).stop(environment)

    @pytest.fixture
    def driver(self, project: Project) -> Driver:
        """The driver as commands get it."""
        return driver_of(project)

    @pytest.fixture
    def alpha(self, project: Project, driver: Driver) -> Endpoint:
        """The first environment, up."""
        return up(driver, project.environments[0])

    def test_what_never_ran_is_stopped(self, project: Project, driver: Driver) -> None:
        """Nothing to stop, erase or show is no error."""
        never = replace(project.environments[0], name="never")
        assert driver.observe(never) == Instance(environment="never", status=Status.STOPPED)
        assert driver.stop(never) is False
        driver.erase(never)
        assert driver.logs(never, tail=5) == []

    def test_a_second_start_is_refused(self, project: Project, driver: Driver, alpha: Endpoint) -> None:
        """One environment has one emulator; the running one stays."""
        before = driver.observe(project.environments[0])
        with pytest.raises(NotReady, match="already runs"):
            driver.start(project.environments[0])
        assert driver.observe(project.environments[0]) == before

    def test_a_stop_keeps_data_and_an_erase_forgets_it(self, project: Project, driver: Driver, alpha: Endpoint) -> None:
        """Stopping twice is no error; an orderly stop is no death to report."""
        environment = project.environments[0]
        client(alpha, "ssm").put_parameter(Name="kept", Value="1", Type="String", Overwrite=True)
        assert (driver.stop(environment), driver.stop(environment)) == (True, False)
        assert driver.observe(environment) == Instance(environment="alpha", status=Status.STOPPED)
        again = up(driver, environment)
        assert client(again, "ssm").get_parameter(Name="kept")["Parameter"]["Value"] == "1"
        driver.stop(environment)
        driver.erase(environment)
        driver.erase(environment)
        fresh = up(driver, environment)
        assert client(fresh, "ssm").get_parameters(Names=["kept"])["Parameters"] == []

    def test_logs_are_the_last_lines(self, project: Project, driver: Driver, alpha: Endpoint) -> None:
        """Oldest first, and no more than asked for."""
        lines = driver.logs(project.environments[0], tail=1000)
        assert lines
        assert driver.logs(project.environments[0], tail=2) == lines[-2:]

    def test_a_leftover_is_what_runs_but_is_not_in_the_file(
        self, project: Project, driver: Driver, alpha: Endpoint
    ) -> None:
        """An environment taken out of the project file can still be found, and stopped."""
        assert driver.leftovers() == []
        smaller = driver_of(replace(project, environments=project.environments[1:]))
        (leftover,) = smaller.leftovers()
        told = ("name", "driver", "account_id", "region")
        assert [getattr(leftover, name) for name in told] == [getattr(project.environments[0], name) for name in told]
        assert smaller.stop(leftover) is True
        assert smaller.leftovers() == []

    def test_a_fixed_port_is_the_one(self, project: Project, driver: Driver) -> None:
        """No other is taken instead."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        driver.stop(project.environments[1])
        endpoint = up(driver, replace(project.environments[1], port=port))
        assert endpoint.url.endswith(f":{port}")
        driver.stop(project.environments[1])

    def test_a_function_sees_nothing_of_the_callers_variables(
        self, project: Project, alpha: Endpoint, driver: Driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither real AWS credentials nor other secrets reach the code under test."""
        environment = project.environments[0]
        driver.stop(environment)
        with monkeypatch.context() as caller:
            for name, value in SECRETS.items():
                caller.setenv(name, value)
            endpoint = up(driver_of(project), environment)
        seen = invoke(endpoint, TELL_ENVIRON)
        assert not [name for name, value in seen.items() if "real" in value.lower()]
        assert not {"AWS_PROFILE", "GITHUB_TOKEN", "HTTPS_PROXY"} & seen.keys()
        assert seen["AWS_REGION"] == environment.region
        # Neither the caller's home nor the folder that holds the saved state, with its lock.
        home = Path(seen["HOME"])
        assert "tmp" in home.parts
        assert home != Path.home()
        assert not {"lock", "state", "token"} & set(seen["HOME_HOLDS"].split())


def driver_of(project: Project) -> Driver:
    """The driver of the first environment, put together as for a command."""
    from emulator.config import process_environ

    silent: Callable[[Event], None] = lambda _event: None  # noqa: E731 (a one-line fake)
    environment = project.environments[0]
    return open_workspace(project, environ=scrubbed_environ(process_environ()), emit=silent).drivers.of(environment)


def up(driver: Driver, environment: Environment) -> Endpoint:
    """Running and healthy."""
    instance = driver.observe(environment)
    endpoint = instance.endpoint or driver.start(environment)
    wait_until_healthy(endpoint, timeout=60)
    return endpoint


def invoke(endpoint: Endpoint, code: str) -> dict[str, str]:
    """What a function made of *code* answers."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as output:
        output.writestr("app.py", code)
    functions = client(endpoint, "lambda")
    functions.create_function(
        FunctionName="f",
        Runtime="python3.12",
        Handler="app.handler",
        Role=f"arn:aws:iam::{endpoint.account_id}:role/r",
        Code={"ZipFile": archive.getvalue()},
    )
    # AWS takes its time as well. Source: Lambda Developer Guide, "Lambda function states".
    functions.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    return dict(json.load(functions.invoke(FunctionName="f")["Payload"]))
