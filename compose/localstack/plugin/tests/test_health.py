"""Health: every service that was to be loaded runs, or the check says which doesn't."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from multistack_localstack.health import check
from multistack_localstack.health.hooks import true_states
from running_functions import ENDPOINT


@pytest.mark.parametrize(
    ("services", "told"),
    [
        pytest.param({"s3": "running", "sqs": "running", "ec2": "available"}, "", id="all run"),
        pytest.param({"s3": "running", "sqs": "available"}, "sqs is available", id="not loaded"),
        pytest.param({"s3": "running"}, "sqs is missing", id="no plugin"),
        pytest.param({"s3": "running", "sqs": "running", "kms": "error"}, "kms is error", id="another one failed"),
    ],
)
def test_check_names_what_is_wrong(services: dict[str, str], told: str) -> None:
    """One service that doesn't run makes the container unhealthy."""
    assert check.problem(services, "s3, sqs") == told


def test_service_that_could_not_be_loaded_is_an_error() -> None:
    """One without a plugin is listed, one whose start failed is not called available; the others keep their state."""
    states = {"s3": "running", "sqs": "available", "ec2": "available"}
    found = true_states(states, ["s3", "sqs", "ssm"], missing="error", idle="available")
    assert found == {"s3": "running", "sqs": "error", "ssm": "error", "ec2": "available"}


def test_running_localstack_is_healthy(localstack: Path) -> None:
    """The image's check passes where all services run."""
    done = subprocess.run([sys.executable, "-I", "-S", check.__file__], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "all services run\n")
    with urllib.request.urlopen(f"{ENDPOINT}/_localstack/health") as answer:
        assert "error" not in json.load(answer)["services"].values()


def test_nobody_there_is_unhealthy() -> None:
    """A port that nobody listens on fails the check in one line."""
    environ = {"GATEWAY_LISTEN": "127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-I", "-S", check.__file__], capture_output=True, text=True, check=False, env=environ
    )
    assert done.returncode == 1
    assert done.stdout.startswith("LocalStack does not answer: ")
