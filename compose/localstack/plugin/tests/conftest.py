"""What all tests of the package share: a LocalStack with this package, and functions to put into it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from running_functions import ACCOUNT, ENDPOINT, REGION, ROLE, Function, zipped

pytest.register_assert_rewrite("state_scenarios", "function_scenarios", "localstack_process")

_START_TIMEOUT = 60.0


@pytest.fixture(scope="session")
def localstack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running LocalStack; the value is its log."""
    log = tmp_path_factory.mktemp("localstack") / "log"
    environ = {**os.environ, "LEAKED": "of the container"}
    with log.open("wb") as writing:
        process = subprocess.Popen(
            [sys.executable, "-m", "multistack_localstack"], stdout=writing, stderr=writing, env=environ
        )
        try:
            _wait_until_healthy(process, log)
            yield log
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_until_healthy(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{ENDPOINT}/_localstack/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"LocalStack does not start:\n{log.read_text()[-4000:]}")


@pytest.fixture(scope="session")
def client(localstack: Path) -> Callable[[str], Any]:
    """Makes clients of the running LocalStack."""

    def make(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=ENDPOINT,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="any",
        )

    return make


@pytest.fixture
def make_function(client: Callable[[str], Any], request: pytest.FixtureRequest) -> Iterator[Callable[..., Function]]:
    """Makes functions of Python source; each is removed after the test."""
    functions = client("lambda")
    made: list[str] = []

    def make(source: str, *, name: str = "", files: Mapping[str, str] | None = None, **config: Any) -> Function:
        full_name = re.sub(r"[^A-Za-z0-9-]", "-", name or f"{request.node.name}-{len(made)}")
        functions.create_function(
            FunctionName=full_name[:64],
            Role=ROLE,
            Handler=config.pop("handler", "main.handler"),
            Runtime=config.pop("runtime", "python3.13"),
            Code={"ZipFile": zipped({"main.py": source, **(files or {})})},
            Timeout=config.pop("timeout", 10),
            **config,
        )
        made.append(full_name[:64])
        functions.get_waiter("function_active_v2").wait(FunctionName=full_name[:64], WaiterConfig={"Delay": 1})
        return Function(full_name[:64], functions)

    yield make
    for name in made:
        functions.delete_function(FunctionName=name)
