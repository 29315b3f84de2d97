"""What every driver promises, whatever runs its emulators."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.config import scrubbed_environ
from emulator.drivers.base import Driver
from emulator.endpoint import client, wait_until_healthy
from emulator.errors import MultistackError, NotReady
from emulator.events import Event
from emulator.model import DriverName, Endpoint, Environment, Instance, Project, Status
from emulator.workspace import open_workspace
from tests.functional import emulators

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


@pytest.fixture(scope="class")
def project(tmp_path_factory: pytest.TempPathFactory, driver_name: DriverName) -> Iterator[Project]:
    """A project with two environments of the driver; what still runs in the end is stopped."""
    root = tmp_path_factory.mktemp("contract")
    environments = tuple(replace(one, driver=driver_name) for one in (ALPHA, BETA))
    with contextlib.ExitStack() as elsewhere:
        if driver_name is DriverName.EXTERNAL:
            environments = tuple(run_elsewhere(one, root / one.name, elsewhere) for one in environments)
        project = Project(
            file=root / "multistack.toml", service="s", template=root / "template.yaml", environments=environments
        )
        yield project
        for environment in environments:
            driver_of(project).stop(environment)


def run_elsewhere(environment: Environment, folder: Path, running: contextlib.ExitStack) -> Environment:
    """*environment* with an emulator of its own that multistack did not start."""
    emulator = running.enter_context(
        emulators.running(folder, account=environment.account_id, region=environment.region)
    )
    return replace(environment, url=emulator.endpoint.url)


@pytest.fixture
def driver(project: Project) -> Driver:
    """The driver as commands get it."""
    return driver_of(project)


@pytest.fixture
def alpha(project: Project, driver: Driver) -> Endpoint:
    """The first environment, up."""
    return up(driver, project.environments[0])


@pytest.mark.parametrize("driver_name", RUN_BY_US + USED_BY_US, ids=lambda name: name.value, scope="class")
class TestEveryDriver:
    """What holds also for emulators that somebody else runs."""

    def test_what_was_started_becomes_ready_as_configured(self, project: Project, driver: Driver) -> None:
        """Start returns before it is healthy; then account and region are the environment's."""
        environment = project.environments[0]
        driver.stop(environment)
        endpoint = driver.start(environment)
        assert driver.observe(environment).status in (Status.STARTING, Status.READY)
        wait_until_healthy(endpoint, timeout=60)
        instance = driver.observe(environment)
        assert (instance.status, instance.endpoint, instance.reason) == (Status.READY, endpoint, "")
        assert instance.settings == environment.settings
        assert (endpoint.account_id, endpoint.region) == (environment.account_id, environment.region)
        assert client(endpoint, "sts").get_caller_identity()["Account"] == environment.account_id

    def test_environments_share_nothing(self, project: Project, driver: Driver, alpha: Endpoint) -> None:
        """Other account, other region, other address, other data."""
        beta = up(driver, project.environments[1])
        assert beta.url != alpha.url
        client(alpha, "ssm").put_parameter(Name="mine", Value="alpha", Type="String", Overwrite=True)
        assert client(beta, "ssm").get_parameters(Names=["mine"])["Parameters"] == []
        arn = client(beta, "sqs").create_queue(QueueName="q")["QueueUrl"]
        assert project.environments[1].account_id in arn
        driver.stop(project.environments[1])
        assert driver.observe(project.environments[0]).status is Status.READY

    def test_a_stop_keeps_data(self, project: Project, driver: Driver, alpha: Endpoint) -> None:
        """Whoever starts it again, or never stopped it, finds it."""
        environment = project.environments[0]
        client(alpha, "ssm").put_parameter(Name="kept", Value="1", Type="String", Overwrite=True)
        driver.stop(environment)
        assert driver.stop(environment) is False
        again = up(driver, environment)
        assert client(again, "ssm").get_parameter(Name="kept")["Parameter"]["Value"] == "1"

    def test_a_function_runs(self, project: Project, driver: Driver, alpha: Endpoint) -> None:
        """In the environment's region."""
        assert invoke(alpha, "import os\ndef handler(event, context):\n    return dict(os.environ)\n")[
            "AWS_REGION"
        ] == (project.environments[0].region)


@pytest.mark.parametrize("driver_name", USED_BY_US, ids=lambda name: name.value, scope="class")
class TestUsedByUs:
    """Emulators that somebody else runs are used, and nothing more."""

    def test_nothing_is_started_stopped_or_read(self, project: Project, driver: Driver, alpha: Endpoint) -> None:
        """It is there before and after, however often it was asked for; its log is its owner's."""
        environment = project.environments[0]
        before = driver.observe(environment)
        assert driver.start(environment) == driver.start(environment) == alpha
        assert driver.stop(environment) is False
        assert driver.observe(environment) == before
        assert (driver.logs(environment, tail=5), driver.log_reader(environment).new_lines()) == ([], [])
        assert driver_of(replace(project, environments=project.environments[1:])).leftovers() == []

    def test_an_erase_keeps_what_is_not_ours(self, project: Project, driver: Driver, alpha: Endpoint) -> None:
        """Only the environment's stack goes, and there need not be one."""
        client(alpha, "ssm").put_parameter(Name="theirs", Value="1", Type="String", Overwrite=True)
        driver.erase(project.environments[0])
        driver.erase(project.environments[0])
        assert client(alpha, "ssm").get_parameter(Name="theirs")["Parameter"]["Value"] == "1"

    def test_its_state_is_not_ours_to_take(self, project: Project, driver: Driver, tmp_path: Path) -> None:
        """Saving and replacing it are refused, each with a way out."""
        for act in (driver.save, driver.load):
            with pytest.raises(MultistackError, match="environment alpha: the state of an emulator") as caught:
                act(project.environments[0], tmp_path / "state")
            assert "name the environments of other drivers" in (caught.value.hint or "")
        assert not (tmp_path / "state").exists()

    def test_one_that_is_not_there_can_not_be_started(self, project: Project, driver: Driver) -> None:
        """It is stopped, and the reason says where it was looked for."""
        away = replace(project.environments[0], url="http://127.0.0.1:1")
        instance = driver.observe(away)
        assert (instance.status, instance.endpoint) == (Status.STOPPED, None)
        assert instance.reason == "nothing answers at http://127.0.0.1:1 (Connection refused)"
        with pytest.raises(NotReady, match="environment alpha: nothing answers at ") as caught:
            driver.start(away)
        assert "environments.alpha.endpoint" in (caught.value.hint or "")


@pytest.mark.parametrize("driver_name", RUN_BY_US, ids=lambda name: name.value, scope="class")
class TestRunByUs:
    """What holds for emulators that a driver starts and stops."""

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
        assert leftover == replace(project.environments[0], config={})
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
        code = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
        seen = invoke(endpoint, code)
        assert not [name for name, value in seen.items() if "real" in value.lower()]
        assert not {"AWS_PROFILE", "GITHUB_TOKEN", "HTTPS_PROXY"} & seen.keys()
        assert seen["AWS_REGION"] == environment.region
        # Neither the caller's home nor the folder that holds the saved state, with its lock.
        home = Path(seen["HOME"])
        assert home.parent.name == "tmp"
        assert (list(home.iterdir()), home == Path.home()) == ([], False)


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
    return dict(json.load(functions.invoke(FunctionName="f")["Payload"]))
