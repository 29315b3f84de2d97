"""A real LocalStack with this package, as a process of its own with its own folder."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ACCOUNT, REGION = "111111111111", "eu-west-1"
SERVICES = (
    "apigateway,cloudformation,dynamodb,dynamodbstreams,events,iam,kms,lambda,logs,s3,scheduler,secretsmanager,sns,"
    "sqs,ssm,sts"
)
# Seconds. A start takes 4 on a quiet machine.
_PATIENCE = 60.0


class LocalStackProcess:
    """
    One that can be started again and again.

    Args:
        folder: For its state, its temporary files and its log.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.socket = folder / "control"
        self.port = _free_port()
        self._variables = dict(variables or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its endpoint."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has written since its first start."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.spawn()
        deadline = time.monotonic() + _PATIENCE
        while not self._answers():
            assert self.is_running(), self.log[-3000:]
            assert time.monotonic() < deadline, self.log[-3000:]
            time.sleep(0.1)

    def spawn(self) -> None:
        """Start it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "multistack_localstack"],
                cwd=self.folder,
                env=self._environ(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def wait(self) -> int:
        """Until it has ended by itself; returns its exit code."""
        assert self._process is not None
        return self._process.wait(_PATIENCE)

    def stop(self) -> None:
        """As ``docker stop`` does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(_PATIENCE)
        self._end_children()

    def kill(self) -> None:
        """As a machine that fails does: the process and all that it started are gone at once."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(_PATIENCE)

    def client(self, service: str, *, account: str = ACCOUNT, region: str = REGION) -> Any:
        """A boto3 client of one of its accounts."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 0}, read_timeout=60),
        )

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body of a GET."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers=dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def command(self, question: str) -> subprocess.CompletedProcess[str]:
        """``multistack-localstack <question>``."""
        command = [sys.executable, "-m", "multistack_localstack.state.cli", question]
        return subprocess.run(command, env=self._environ(), capture_output=True, text=True, timeout=60, check=False)

    def condition(self) -> dict[str, str]:
        """What it says of its state."""
        return dict(json.loads(self.command("condition").stdout))

    def checkpoints(self) -> list[Path]:
        """The files, newest first."""
        found = (self.state / "checkpoints").glob("*.checkpoint")
        return sorted(found, key=lambda path: int(path.stem), reverse=True)

    def _answers(self) -> bool:
        try:
            return self.get("/_localstack/health")[0] == 200
        except OSError:
            return False

    def _end_children(self) -> None:
        try:
            assert self._process is not None
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def _environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MULTISTACK_"))}
        return kept | {
            "GATEWAY_LISTEN": f"127.0.0.1:{self.port}",
            "LAMBDA_RUNTIME_EXECUTOR": "process",
            "PROVIDER_OVERRIDE_DYNAMODB": "moto",
            "PROVIDER_OVERRIDE_DYNAMODBSTREAMS": "moto",
            "LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC": "0.2",
            "LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC": "0.5",
            "EAGER_SERVICE_LOADING": "1",
            "STRICT_SERVICE_LOADING": "0",
            "SERVICES": SERVICES,
            "GATEWAY_SERVER": "multistack",
            "IN_MEMORY_CLIENT": "1",
            "DISABLE_EVENTS": "1",
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "DNS_ADDRESS": "0",
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(self._temporary()),
            "FILESYSTEM_ROOT": str(self.folder / "root"),
            "MULTISTACK_CODE": str(self.folder / "code"),
            "MULTISTACK_STATE": str(self.state),
            "MULTISTACK_CONTROL_SOCKET": str(self.socket),
            "MULTISTACK_ACCOUNT_ID": ACCOUNT,
            "MULTISTACK_REGION": REGION,
            **self._variables,
        }

    def _temporary(self) -> Path:
        path = self.folder / "tmp"
        path.mkdir(parents=True, exist_ok=True)
        return path


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
