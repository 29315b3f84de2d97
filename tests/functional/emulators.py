"""An emulator alone: no project, no proxy, no deployment; functions are made through its API."""

from __future__ import annotations

import contextlib
import io
import json
import os
import textwrap
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator import ports, process
from emulator.endpoint import client, wait_until_healthy
from emulator.model import Endpoint

ACCOUNT = "100000000001"
REGION = "eu-west-1"
_PORTS = range(5200, 5400)


@dataclass(frozen=True)
class Invoked:
    """The answer of ``Invoke``; *log* is what it gave as the tail."""

    status: int
    error: str
    payload: Any


@dataclass(frozen=True)
class Emulator:
    """A running one, with clients as a user has them."""

    folder: Path
    endpoint: Endpoint

    def client(self, service: str) -> Any:
        """A boto3 client."""
        return client(self.endpoint, service)

    def create(
        self,
        name: str,
        files: Mapping[str, str | bytes] | str,
        *,
        handler: str = "app.handler",
        runtime: str = "python3.11",
        **more: Any,
    ) -> None:
        """A function of *files*, or of one called ``app.py``."""
        code = {"app.py": files} if isinstance(files, str) else files
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime=runtime,
            Handler=handler,
            Role=f"arn:aws:iam::{ACCOUNT}:role/any",
            Code={"ZipFile": archive(code)},
            **more,
        )

    def invoke(self, name: str, event: Any = None, **more: Any) -> Invoked:
        """Call it and wait for the answer."""
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        answer = self.client("lambda").invoke(FunctionName=name, Payload=payload, **more)
        return Invoked(
            answer["StatusCode"], answer.get("FunctionError", ""), json.loads(answer["Payload"].read() or b"null")
        )

    def log(self, name: str) -> list[str]:
        """All lines of a function, stream by stream."""
        logs, group, lines = self.client("logs"), f"/aws/lambda/{name}", []
        for page in logs.get_paginator("describe_log_streams").paginate(logGroupName=group):
            for stream in page["logStreams"]:
                events = logs.get_log_events(
                    logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True, limit=10_000
                )
                lines += [event["message"] for event in events["events"]]
        return lines

    def said(self) -> str:
        """The emulator's own log."""
        return (self.folder / process.LOG_FILE).read_text(errors="replace")


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """A zip file of *files*; text is dedented."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as content:
        for name, text in files.items():
            content.writestr(name, textwrap.dedent(text) if isinstance(text, str) else text)
    return buffer.getvalue()


@contextlib.contextmanager
def running(
    folder: Path,
    *,
    environ: Mapping[str, str] | None = None,
    interpreters: Sequence[str] = (),
    account: str = ACCOUNT,
    region: str = REGION,
) -> Iterator[Emulator]:
    """An emulator in *folder*, with *environ* besides the driver's; ended with all its functions."""
    for name in ("tmp/home", "state"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    with ports.listen(port=None, candidates=_PORTS, purpose="a test") as listener:
        port = listener.getsockname()[1]
        process.spawn(
            "emulator.drivers.launcher",
            folder=folder,
            listener=listener,
            arguments=[
                f"--port={port}",
                f"--settings={json.dumps({'account_id': account, 'region': region})}",
                *(["--interpreters", *interpreters] if interpreters else []),
            ],
            environ={**_environ(folder, port, account, region), **(environ or {})},
        )
    endpoint = Endpoint(environment="test", url=f"http://{ports.HOST}:{port}", account_id=account, region=region)
    try:
        wait_until_healthy(endpoint, timeout=60)
        yield Emulator(folder, endpoint)
    finally:
        process.stop(folder, grace=10)


def _environ(folder: Path, port: int, account: str, region: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "tmp/home"),
        "TMPDIR": str(folder / "tmp"),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "MINISTACK_ACCOUNT_ID": account,
        "MINISTACK_REGION": region,
        "MINISTACK_HOST": ports.HOST,
        "GATEWAY_PORT": str(port),
        "STATE_DIR": str(folder / "state"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": "unix:///nonexistent",
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "multistack",
    }
