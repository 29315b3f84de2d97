"""What every driver promises, held against containers."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.model import ContainerSettings, DriverName
from tests.contract import DriverContract
from tests.docker.engines import Images


@pytest.mark.xdist_group("contract of LocalStack")
class TestLocalStack(DriverContract):
    """A container of multistack's image per environment."""

    driver_name = DriverName.LOCALSTACK

    @pytest.fixture(scope="class")
    @classmethod
    def container(cls, own_image: str) -> ContainerSettings:
        """As the sample has it."""
        return ContainerSettings(image=own_image, memory=2**30)


@pytest.mark.xdist_group("contract of the stand-in")
class TestStandIn(DriverContract):
    """A container of an image that keeps its state as multistack's does."""

    driver_name = DriverName.LOCALSTACK

    @pytest.fixture(scope="class")
    @classmethod
    def container(cls, engine: Any, images: Images) -> ContainerSettings:
        """With all limits there are."""
        return ContainerSettings(image=images.standin, memory=2**28, cpus=1.5)
