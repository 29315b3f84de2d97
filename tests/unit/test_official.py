"""What is laid into containers of LocalStack's official image."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

from emulator.drivers.official import patches
from tests.conftest import REPOSITORY

SOCKET = "unix:///var/run/docker.sock"
RECIPE = REPOSITORY / "compose" / "localstack"


@pytest.mark.parametrize(
    "image",
    [
        "localstack/localstack:4.14.0",
        "localstack/localstack:4.14",
        "localstack/localstack:4.14.0-arm64",
        "registry.example:5000/localstack/localstack:4.14.0",
        "localstack/localstack:4.14.0@sha256:" + "0" * 64,
    ],
)
def test_the_release_that_they_fit_gets_its_patches(image: str) -> None:
    """A script that LocalStack runs while it starts, and outside of that folder the package that it imports."""
    assert patches(image, SOCKET) == {
        str(RECIPE / "init" / "multistack_patches.py"): "/etc/localstack/init/start.d/multistack_patches.py",
        str(RECIPE / "plugin"): "/opt/multistack",
    }


@pytest.mark.parametrize(
    "image",
    [
        "localstack/localstack:4.13.0",
        "localstack/localstack:4.140",
        "localstack/localstack:latest",
        "localstack/localstack-pro:4.14.0",
        "localstack/localstack@sha256:" + "0" * 64,
        "multistack/localstack:4.14.0",
        "ministackorg/ministack:1",
    ],
)
def test_other_images_stay_as_they_are(image: str) -> None:
    """On other code they would do nothing, or harm."""
    assert patches(image, SOCKET) == {}


def test_an_engine_elsewhere_gets_none() -> None:
    """It would make empty folders of paths that it doesn't have."""
    assert patches("localstack/localstack:4.14.0", "tcp://10.0.0.1:2375") == {}


def test_they_are_in_the_wheel() -> None:
    """Who installs multistack has them, too, beside the package that they import."""
    wheel = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    included = wheel["force-include"]
    assert included["compose/localstack/init"] == "emulator/images/localstack/init"
    assert included["compose/localstack/plugin/multistack_localstack"].startswith("emulator/images/localstack/plugin/")


def test_the_script_looks_where_the_package_is_mounted() -> None:
    """Both sides name the same folder."""
    script = (RECIPE / "init" / "multistack_patches.py").read_text()
    assert "/opt/multistack" in [node.value for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Constant)]
    assert Path(next(iter(patches("localstack/localstack:4.14.0", SOCKET)))).is_file()
