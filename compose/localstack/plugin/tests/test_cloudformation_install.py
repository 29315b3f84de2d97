"""How the package comes into a LocalStack: as a plugin, and as files mounted into the official image."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_PLUGIN = Path(__file__).parent.parent
_SCRIPT = _PLUGIN.parent / "init" / "multistack_patches.py"
_SHOW = """
from localstack.services.cloudformation.v2 import provider
from localstack.services.lambda_.provider import LambdaProvider
print(provider.CloudformationProviderV2.__module__)
"""


def _run(lines: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "MULTISTACK_PLUGIN": str(_PLUGIN)}
    command = [sys.executable, "-c", lines + _SHOW]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=True, cwd="/")


@pytest.mark.skipif(not _SCRIPT.exists(), reason="the script isn't in the image")
def test_a_script_in_the_init_folder_is_enough() -> None:
    """LocalStack runs the script in its own process, without a file name; then the engine is the package's."""
    lines = f"exec(open({str(_SCRIPT)!r}).read(), {{}})\n"
    assert _run(lines).stdout.strip() == "multistack_localstack.cloudformation.provider"


def test_an_engine_that_is_loaded_already_is_replaced_as_well() -> None:
    """Where LocalStack has loaded the service before, its operations are replaced."""
    lines = """
from localstack.services.plugins import SERVICE_PLUGINS
SERVICE_PLUGINS.require("cloudformation")
from multistack_localstack.cloudformation.install import install
assert install()
table = SERVICE_PLUGINS.get_service("cloudformation").skeleton.dispatch_table
assert "multistack" in table["ContinueUpdateRollback"].fn.__func__.__module__
"""
    assert _run(lines).returncode == 0


def test_another_version_is_left_alone() -> None:
    """On a LocalStack of another version nothing is replaced, and one line in the log says so."""
    lines = """
import logging
logging.basicConfig()
from localstack import constants
constants.VERSION = "4.15.0"
from multistack_localstack.cloudformation.install import install
assert not install()
"""
    found = _run(lines)
    assert found.stdout.strip() == "localstack.services.cloudformation.v2.provider"
    assert found.stderr.count("CloudFormation updates") == 1
