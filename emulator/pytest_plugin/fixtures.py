"""The fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from emulator.pytest_plugin import options

if TYPE_CHECKING:
    from emulator.pytest_plugin.running import TestRun
    from emulator.testing.api import ApiClient
    from emulator.testing.aws import Aws
    from emulator.testing.environment import DeployedService, RunningEnvironment
    from emulator.testing.logs import Logs
    from emulator.testing.running import Environments


@pytest.fixture(scope="session")
def _multistack(request: pytest.FixtureRequest) -> TestRun:
    """What says of a test that it uses environments."""
    from emulator.pytest_plugin.running import RUN

    return request.config.stash[RUN]


@pytest.fixture(scope="session")
def environments(_multistack: TestRun) -> Environments:
    """The environments of the project by name: those that the marker names, by default all."""
    return _multistack.environments()


@pytest.fixture
def environment(_multistack: TestRun, request: pytest.FixtureRequest) -> RunningEnvironment:
    """The environment that the test runs in: each that the marker names in turn, else the project's first."""
    return _multistack.one(request.node)


@pytest.fixture
def api(environment: RunningEnvironment) -> ApiClient:
    """Requests to the API of ``environment``: ``api.get("/orders")``."""
    return environment.api


@pytest.fixture
def aws(environment: RunningEnvironment) -> Aws:
    """The AWS API of ``environment``: ``aws.client("dynamodb")``, ``aws.resource("s3")``, ``aws.session``."""
    return environment.aws


@pytest.fixture
def deployed_service(environment: RunningEnvironment) -> DeployedService:
    """What is deployed into ``environment``: release, outputs, names of resources."""
    return environment.service


@pytest.fixture
def logs(environment: RunningEnvironment) -> Logs:
    """What functions of ``environment`` printed since the test began."""
    return environment.logs


@pytest.fixture
def fresh_environment(_multistack: TestRun, request: pytest.FixtureRequest) -> Iterator[RunningEnvironment]:
    """An environment of the test's own, like the one that the marker names first; thrown away afterwards."""
    with _multistack.fresh(options.marked(request.node)) as environment:
        yield environment
