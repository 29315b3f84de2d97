"""What every driver promises, held against those that need no engine."""

from __future__ import annotations

import pytest

from emulator.model import DriverName
from tests.contract import DriverContract


@pytest.mark.embedded("tests/docker holds containers to the same contract")
class TestEmbedded(DriverContract):
    """A process per environment."""

    driver_name = DriverName.EMBEDDED
