"""The emulator's clock, and when it can't be moved."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest

from emulator.drivers.launcher.clock import Clock
from emulator.errors import MultistackError


def test_services_see_another_time_and_checkpoints_the_machines() -> None:
    """What is lost after a kill is told in the user's time; 0 ends it."""
    clock = Clock(checks_signatures=False)
    before = time.time()
    asyncio.run(clock.move({"offset": 7200}))
    try:
        assert 7200 <= time.time() - before < 7300
        assert datetime.now(UTC).timestamp() - before >= 7200
        assert clock.machine_time().timestamp() - before < 100
        asyncio.run(clock.move({"offset": -7200}))
        assert before - time.time() > 7100
    finally:
        asyncio.run(clock.move({"offset": 0}))
    assert 0 <= time.time() - before < 100


def test_a_clock_that_signatures_are_held_against_stays() -> None:
    """Every function would be refused from then on."""
    with pytest.raises(MultistackError, match="while IAM is enforced"):
        asyncio.run(Clock(checks_signatures=True).move({"offset": 1}))
