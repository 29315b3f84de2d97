"""Functions in a running LocalStack, as the tests of the executor see them."""

from __future__ import annotations

import base64
import io
import json
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

ENDPOINT = "http://127.0.0.1:4566"
ACCOUNT = "111111111111"
REGION = "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"


@dataclass(frozen=True)
class Outcome:
    """What a call of a function came to."""

    answer: Any
    error: str | None
    log: str
    version: str


@dataclass(frozen=True)
class Function:
    """A function in the running LocalStack."""

    name: str
    client: Any

    def call(self, event: Any = None, *, qualifier: str = "$LATEST", **options: Any) -> Outcome:
        """Call it and wait for its answer."""
        found = self.client.invoke(
            FunctionName=self.name, Qualifier=qualifier, Payload=json.dumps(event), LogType="Tail", **options
        )
        return Outcome(
            answer=json.loads(found["Payload"].read() or b"null"),
            error=found.get("FunctionError"),
            log=_decoded(found.get("LogResult", "")),
            version=found.get("ExecutedVersion", ""),
        )


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode("utf-8", "replace")


def zipped(files: Mapping[str, str]) -> bytes:
    """An archive of text files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o755 if name.startswith("bin/") or name == "wrapper" else 0o644) << 16
            archive.writestr(entry, text)
    return packed.getvalue()


def eventually(found: Callable[[], Any], *, seconds: float = 15.0) -> Any:
    """What *found* returns once it is true."""
    deadline = time.monotonic() + seconds
    while True:
        value = found()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(0.05)
