"""What was there when LocalStack stopped is there, and works, when it starts again."""

from __future__ import annotations

from collections.abc import Iterator

import function_scenarios  # noqa: F401 - adds its scenarios
import pytest
from localstack_process import LocalStackProcess
from state_scenarios import SCENARIOS, Check, Scenario


@pytest.fixture(scope="module")
def restarted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Check]]:
    """What each scenario looks at, after a stop and a start."""
    localstack = LocalStackProcess(tmp_path_factory.mktemp("localstack"))
    try:
        localstack.start()
        checks = {scenario.__name__: scenario(localstack) for scenario in SCENARIOS}
        localstack.stop()
        localstack.start()
        yield checks
    finally:
        localstack.kill()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_services_come_back(scenario: Scenario, restarted: dict[str, Check]) -> None:
    """A stop and a start change nothing that a service holds, and it goes on working."""
    restarted[scenario.__name__]()
