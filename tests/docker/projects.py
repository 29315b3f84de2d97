"""What tests ask of a project in containers, without a command in between."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from emulator.config import load_project
from emulator.drivers import containers
from emulator.drivers.engine import connect
from emulator.endpoint import client
from emulator.model import Endpoint, Project
from tests.conftest import ProjectFolder


def loaded(project: ProjectFolder) -> Project:
    """The project as its commands see it."""
    return load_project(file=None, environ=project.command_environ(), cwd=project.folder)


def name_of(project: ProjectFolder, environment: str = "test") -> str:
    """What container, network and volume are called."""
    return containers.name_of(loaded(project), environment)


def address_of(project: ProjectFolder, environment: str = "test") -> str | None:
    """Where its emulator answers."""
    engine = connect(project.command_environ(), allow_remote=False)
    found = engine.containers.get(name_of(project, environment))
    return containers.read(found.attrs, now=datetime.now(UTC)).address


def aws(project: ProjectFolder, service: str, environment: str = "test") -> Any:
    """A client of one environment."""
    (found,) = [one for one in loaded(project).environments if one.name == environment]
    url = f"http://{address_of(project, environment)}"
    return client(Endpoint(environment=environment, url=url, account_id=found.account_id, region=found.region), service)


def put(project: ProjectFolder, value: str, environment: str = "test") -> None:
    """Leave something in an environment."""
    aws(project, "ssm", environment).put_parameter(Name="kept", Value=value, Type="String", Overwrite=True)


def kept(project: ProjectFolder, environment: str = "test") -> str | None:
    """What was left there."""
    found = aws(project, "ssm", environment).get_parameters(Names=["kept"])["Parameters"]
    return str(found[0]["Value"]) if found else None
