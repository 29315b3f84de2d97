"""What tests of containers need; without it they are skipped with the reason."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest

from emulator.drivers.engine import connect
from emulator.drivers.images import find_image
from emulator.errors import NotReady


def need_engine() -> Any:
    """A client of the Docker engine."""
    try:
        return connect(dict(os.environ), allow_remote=False)
    except NotReady as error:
        pytest.skip(error.message)


def need_image(name: str) -> None:
    """The image *name* in the engine."""
    if find_image(need_engine(), name) is None:
        pytest.skip(f"image {name} is not in the Docker engine")


def need_program(name: str) -> str:
    """The path of a program."""
    if (path := shutil.which(name)) is None:
        pytest.skip(f"{name} is not installed")
    return path
