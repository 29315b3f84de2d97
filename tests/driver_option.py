"""
Which driver the tests of the whole product run on: what the option of our own plugin says.

With ``--multistack-driver localstack`` every project of a test gets containers of the shared engine. Tests that look
into the embedded driver carry ``@pytest.mark.embedded("why")`` and are skipped then, with their reason.
"""

from __future__ import annotations

import os

import pytest

from emulator.config import process_environ
from emulator.drivers.engine import connect
from emulator.drivers.images import need_image
from emulator.errors import NotReady
from emulator.model import OWN_IMAGE
from tests.drivers import DRIVER


def pytest_configure(config: pytest.Config) -> None:
    """Say at once what is missing: else every test would."""
    if config.getoption("--multistack-driver", default=None) != "localstack":
        return
    os.environ[DRIVER] = "localstack"
    try:
        need_image(connect(process_environ(), allow_remote=False), OWN_IMAGE)
    except NotReady as error:
        raise pytest.UsageError(f"{error.message}; {error.hint}") from error


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what looks into the other driver; keep a module's tests in one process, whose containers they share."""
    if config.getoption("--multistack-driver", default=None) != "localstack":
        return
    for item in items:
        if mark := item.get_closest_marker("embedded"):
            item.add_marker(pytest.mark.skip(reason=f"embedded: {mark.args[0]}"))
        elif item.path.parent.name == "functional":
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
