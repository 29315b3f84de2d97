"""The Compose file of a project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from emulator.cli import cli
from emulator.compose import MARK, render
from emulator.config import load_project
from emulator.errors import ConfigError
from emulator.images.recipe import proxy_image
from emulator.model import ContainerSettings, DriverName, Environment, Functions, Project, ProxySettings
from tests.conftest import REPOSITORY, SAMPLE

TEST = Environment(name="test", driver=DriverName.EMBEDDED, account_id="111111111111", region="eu-west-1")
PROD = replace(TEST, name="prod", account_id="333333333333")
STRANGE = ContainerSettings(image="localstack/localstack:4.14.0")

Services = Callable[..., dict[str, Any]]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Two environments, whatever driver they have otherwise."""
    return Project(
        file=tmp_path / "multistack.toml",
        service="orders",
        template=tmp_path / "template.yaml",
        environments=(TEST, PROD),
    )


def content_of(project: Project, folder: Path | None = None) -> dict[str, Any]:
    """What a Compose file says, read as Compose reads it."""
    text = render(project, folder or project.root, proxy_image="multistack/proxy:1", source=None)
    return dict(yaml.safe_load(text))


def with_container(project: Project, container: ContainerSettings) -> Project:
    """The same with other settings for the containers."""
    environments = tuple(replace(one, container=container) for one in project.environments)
    return replace(project, environments=environments)


def test_the_one_in_the_repository_is_current() -> None:
    """It is what `make compose` renders from the sample service."""
    file = REPOSITORY / "compose" / "compose.yaml"
    sample = load_project(file=SAMPLE / "multistack.toml", environ={}, cwd=REPOSITORY)
    rendered = render(sample, file.parent, proxy_image=proxy_image(), source=REPOSITORY)
    assert file.read_text() == rendered, "run `make compose`"


def test_each_environment_has_its_own_network_and_volume(project: Project) -> None:
    """Only the proxy is in all networks, and none is named by what Compose 1.29 or 2 refuses."""
    content = content_of(project)
    assert list(content) == ["services", "networks", "volumes"]
    services = content["services"]
    assert {name: one["networks"] for name, one in services.items()} == {
        "test": ["test"],
        "prod": ["prod"],
        "proxy": ["test", "prod", "proxy"],
    }
    assert services["test"]["volumes"] == [{"type": "volume", "source": "test", "target": "/var/lib/localstack"}]
    assert list(content["volumes"]) == list(content["networks"]) == ["test", "prod", "proxy"]
    assert services["prod"]["environment"]["MULTISTACK_ACCOUNT_ID"] == "333333333333"


def test_every_port_is_on_loopback_and_can_be_another(project: Project) -> None:
    """A port of the project file is the default; others keep clear of those."""
    fixed = replace(project, environments=(TEST, replace(PROD, port=4580)), proxy=ProxySettings(port=9000))
    services = content_of(fixed)["services"]
    assert {name: one["ports"] for name, one in services.items()} == {
        "test": ["127.0.0.1:${TEST_PORT:-4581}:4566"],
        "prod": ["127.0.0.1:${PROD_PORT:-4580}:4566"],
        "proxy": ["127.0.0.1:${PROXY_PORT:-9000}:${PROXY_PORT:-9000}"],
    }
    assert services["test"]["environment"]["LOCALSTACK_HOST"] == "127.0.0.1:${TEST_PORT:-4581}"


def test_containers_may_do_nothing_they_need_not(project: Project) -> None:
    """No privileges, no writing but in the volume, no engine's socket, no more memory than the project says."""
    limited = with_container(project, ContainerSettings(memory=2**30))
    for service in content_of(limited)["services"].values():
        assert (service["read_only"], service["cap_drop"], service["init"]) == (True, ["ALL"], True)
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["mem_limit"] > 0
        assert service["healthcheck"]["test"][0] == "CMD"
        assert "docker.sock" not in str(service)
        assert not {"privileged", "cap_add", "devices", "pid", "network_mode", "user"} & service.keys()


def test_limits_are_those_of_the_project(project: Project) -> None:
    """As the driver sets them."""
    limited = content_of(with_container(project, ContainerSettings(memory=512 * 2**20, cpus=1.5)))["services"]["test"]
    assert (limited["mem_limit"], limited["memswap_limit"], limited["cpus"]) == (512 * 2**20, 512 * 2**20, 1.5)
    assert not {"mem_limit", "cpus"} & content_of(project)["services"]["prod"].keys()


def test_an_image_of_somebody_else_gets_what_it_needs(project: Project) -> None:
    """Its token comes from whoever starts it, never out of the file; nobody knows how it tells its health."""
    services = content_of(with_container(project, STRANGE))["services"]
    assert services["test"]["image"] == STRANGE.image
    assert services["test"]["environment"]["LOCALSTACK_AUTH_TOKEN"] == "${LOCALSTACK_AUTH_TOKEN:-}"
    assert not {"read_only", "healthcheck", "build"} & services["test"].keys()
    assert services["proxy"]["depends_on"]["test"] == {"condition": "service_started"}


def test_the_engine_is_given_away_only_when_asked_for(project: Project) -> None:
    """Its socket is the whole machine."""
    docker = replace(STRANGE, functions=Functions.DOCKER)
    volumes = content_of(with_container(project, docker))["services"]["test"]["volumes"]
    assert {"type": "bind", "source": "/var/run/docker.sock", "target": "/var/run/docker.sock"} in volumes


def test_localstack_with_the_engine_finds_itself(project: Project) -> None:
    """By its own host name; the driver's names for container and network are none of Compose's."""
    service = content_of(with_container(project, replace(STRANGE, functions=Functions.DOCKER)))["services"]["test"]
    assert service["environment"]["LAMBDA_RUNTIME_EXECUTOR"] == "docker"
    assert not {"MAIN_CONTAINER_NAME", "LAMBDA_DOCKER_NETWORK", "LAMBDA_DOCKER_FLAGS"} & service["environment"].keys()
    assert "hostname" not in service


def test_our_image_gets_no_engine(project: Project) -> None:
    """It has no use for one, and would be unable to open its socket."""
    with pytest.raises(ConfigError, match='has no use for lambda = "docker"'):
        content_of(with_container(project, ContainerSettings(functions=Functions.DOCKER)))


def test_an_internal_network_publishes_nothing(project: Project) -> None:
    """Only the proxy's own network leads somewhere."""
    content = content_of(with_container(project, ContainerSettings(internal=True)))
    assert content["networks"] == {"test": {"internal": True}, "prod": {"internal": True}, "proxy": {}}
    assert "ports" not in content["services"]["test"]
    assert "ports" in content["services"]["proxy"]


def test_the_proxy_finds_the_emulators_whatever_the_file_says(project: Project) -> None:
    """Its variables make every environment external, also one that has a port or another driver."""
    text = (
        'service = "orders"\n[environments.test]\nport = 4700\n[environments.prod]\ndriver = "localstack"\n'
        '[environments.feature-x]\ndriver = "external"\nendpoint = "http://127.0.0.1:1"\n'
    )
    project.file.write_text(text)
    project.template.write_text("Resources: {}\n")
    loaded = load_project(file=project.file, environ={}, cwd=project.root)
    variables = content_of(loaded)["services"]["proxy"]["environment"]
    own = {name: value for name, value in variables.items() if name.startswith("MULTISTACK_ENVIRONMENT_")}
    inside = load_project(file=project.file, environ=own, cwd=project.root)
    assert [(one.driver, one.url) for one in inside.environments] == [
        (DriverName.EXTERNAL, "http://test:4566"),
        (DriverName.EXTERNAL, "http://prod:4566"),
        (DriverName.EXTERNAL, "http://feature-x:4566"),
    ]


def test_paths_are_relative_to_the_file(project: Project, tmp_path: Path) -> None:
    """So that the folder can be moved, or be on another machine."""
    text = render(project, tmp_path / "deep" / "er", proxy_image="multistack/proxy:1", source=tmp_path / "source")
    services = yaml.safe_load(text)["services"]
    assert services["proxy"]["volumes"][0] == {
        "type": "bind",
        "source": "../..",
        "target": "/project",
        "read_only": True,
    }
    assert services["test"]["build"]["context"] == "../../source/compose/localstack"
    assert services["proxy"]["build"] == {
        "context": "../../source",
        "dockerfile": "compose/proxy/Dockerfile",
        "args": {"BASE": "${BASE:-python:3.13-slim}"},
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"environments": (replace(TEST, name="proxy"),)}, "environment proxy can't be", id="name"),
        pytest.param({"environments": (replace(TEST, enforce_iam=True),)}, "only the embedded driver", id="iam"),
        pytest.param({"template": Path("/elsewhere/template.yaml")}, "can't be in a Compose file: only", id="template"),
    ],
)
def test_what_compose_can_not_do_is_refused(project: Project, change: dict[str, Any], said: str) -> None:
    """In one line, with a way out."""
    with pytest.raises(ConfigError, match=said) as caught:
        content_of(replace(project, **change))
    assert caught.value.hint


def test_the_command_writes_a_file_and_overwrites_only_its_own(project: Project) -> None:
    """Somebody's Compose file is never lost."""
    project.file.write_text('service = "orders"\n[environments.test]\n')
    project.template.write_text("Resources: {}\n")
    target = project.root / "compose.yaml"
    arguments = ["--file", str(project.file), "compose", "--output", str(target)]
    for _ in range(2):
        done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        assert (done.output, target.read_text().startswith(MARK)) == (f"{target}\n", True)
    target.write_text("services: {}\n")
    refused = CliRunner().invoke(cli, arguments)
    assert isinstance(refused.exception, ConfigError)
    assert (target.read_text(), "was not rendered by multistack" in str(refused.exception)) == ("services: {}\n", True)


def test_without_a_file_it_goes_to_stdout(project: Project) -> None:
    """As results do."""
    project.file.write_text('service = "orders"\n[environments.test]\n')
    project.template.write_text("Resources: {}\n")
    done = CliRunner().invoke(cli, ["--file", str(project.file), "compose"], catch_exceptions=False)
    assert list(yaml.safe_load(done.output)["services"]) == ["test", "proxy"]
