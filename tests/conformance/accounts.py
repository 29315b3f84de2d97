"""Where the accounts of a run come from: emulators started for it, or one that somebody else runs."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from emulator.drivers.registry import Drivers
from emulator.endpoint import wait_until_healthy
from emulator.model import DriverName, Endpoint, Environment, Project

ACCOUNT_ID = "121212121212"
REGION = "eu-west-1"
# So small that a handful of calls at once fills it.
CONCURRENCY = 4


@dataclass(frozen=True)
class Wanted:
    """What an account must enforce."""

    iam: bool = False
    concurrency: int | None = None


@contextlib.contextmanager
def _run(driver_name: DriverName, folder: Path, wanted: Wanted) -> Iterator[Endpoint]:
    """An environment of a driver."""
    environment = Environment(
        name="conformance",
        driver=driver_name,
        account_id=ACCOUNT_ID,
        region=REGION,
        enforce_iam=wanted.iam,
        lambda_concurrency=wanted.concurrency,
    )
    project = Project(
        file=folder / "multistack.toml", service="s", template=folder / "template.yaml", environments=(environment,)
    )
    driver = Drivers(project, environ=os.environ).of(environment)
    endpoint = driver.start(environment)
    try:
        wait_until_healthy(endpoint, timeout=60)
        yield endpoint
    finally:
        driver.stop(environment)


def _localstack(folder: Path, wanted: Wanted) -> contextlib.AbstractContextManager[Endpoint]:
    """An environment of the container driver, which can't enforce IAM."""
    if wanted.iam:
        pytest.skip("the container's emulator enforces no IAM")
    return _run(DriverName.LOCALSTACK, folder, wanted)


@contextlib.contextmanager
def plain_ministack(folder: Path, wanted: Wanted) -> Iterator[Endpoint]:
    """MiniStack as it comes, without anything of ours."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "MINISTACK_REGION": REGION,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AUTH": "true" if wanted.iam else "false",
        **({} if wanted.concurrency is None else {"LAMBDA_ACCOUNT_CONCURRENCY": str(wanted.concurrency)}),
    }
    with (folder / "ministack.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack.app"], env=environ, stdout=log, stderr=log, cwd=folder
        )
    endpoint = Endpoint(environment="ministack", url=f"http://127.0.0.1:{port}", account_id=ACCOUNT_ID, region=REGION)
    try:
        wait_until_healthy(endpoint, timeout=60)
        yield endpoint
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        finally:
            process.kill()


STARTED = {
    "embedded": functools.partial(_run, DriverName.EMBEDDED),
    "localstack": _localstack,
    "ministack": plain_ministack,
}


def emulator_version(driver: str) -> str:
    """What a recorded run says it was made with."""
    ministack = f"MiniStack {version('ministack')}"
    return {
        "embedded": f"{ministack} with multistack's additions",
        "localstack": "LocalStack 4.14.0 with the additions of multistack's image",
        "ministack": ministack,
    }.get(driver, driver)
