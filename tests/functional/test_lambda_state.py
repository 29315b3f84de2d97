"""What the additions know of functions survives a restart of the emulator."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.drivers.embedded import EmbeddedDriver
from emulator.endpoint import wait_until_healthy
from emulator.model import DriverName, Environment, Project
from tests.conformance.account import Account, answering

pytestmark = pytest.mark.embedded("its additions to MiniStack")

_ENVIRONMENT = Environment(name="kept", driver=DriverName.EMBEDDED, account_id="100000000002", region="eu-west-1")


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[EmbeddedDriver]:
    """Starts and stops one emulator."""
    project = Project(
        file=tmp_path / "multistack.toml", service="s", template=tmp_path / "t.yaml", environments=(_ENVIRONMENT,)
    )
    driver = EmbeddedDriver(project, path=os.environ["PATH"])
    yield driver
    driver.stop(_ENVIRONMENT)


def _started(driver: EmbeddedDriver) -> Account:
    endpoint = driver.start(_ENVIRONMENT)
    wait_until_healthy(endpoint, timeout=60)
    return Account(endpoint)


def test_versions_go_on_where_they_were(driver: EmbeddedDriver) -> None:
    """After a restart unchanged code makes no version, and numbers of a deleted function are not given again."""
    account = _started(driver)
    kept, gone = account.function(answering("kept")), account.function(answering("gone"))
    for function in (kept, gone):
        assert account.publish(function) == "1"
    account.client("lambda").delete_function(FunctionName=gone.name)
    driver.stop(_ENVIRONMENT)

    account = _started(driver)
    assert account.publish(kept) == "1"
    account.function(answering("gone"), FunctionName=gone.name)
    assert account.publish(gone) == "2"


def test_weights_and_reservations_hold_after_a_restart(driver: EmbeddedDriver) -> None:
    """Calls are shared and refused as before."""
    account = _started(driver)
    function, closed = account.function(answering("one")), account.function(answering("closed"))
    account.publish(function)
    account.update_code(function, answering("two"))
    account.publish(function)
    account.alias(function, "prod", "1", {"2": 1.0})
    account.client("lambda").put_function_concurrency(FunctionName=closed.name, ReservedConcurrentExecutions=0)
    driver.stop(_ENVIRONMENT)

    account = _started(driver)
    assert account.invoke(function, qualifier="prod")["ExecutedVersion"] == "2"
    with pytest.raises(account.client("lambda").exceptions.ClientError) as refused:
        account.invoke(closed)
    assert refused.value.response["Error"]["Code"] == "TooManyRequestsException"
