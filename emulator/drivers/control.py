"""
What a command asks of a running emulator of ours, and the token without which it does nothing.

The token lies in the environment's folder, readable by its owner only: who can read it could as well change the state
by hand. The emulator makes a new one at each start.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from emulator.endpoint_key import control_token, headers_of
from emulator.errors import MultistackError, NotReady
from emulator.model import Endpoint

PREFIX = "/_multistack/"
CONDITION = f"{PREFIX}state"
HEADER = "X-Multistack-Token"
TOKEN_FILE = "token"  # noqa: S105 (the name of the file)
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """
    What is wrong with the state of an emulator, each in one line; empty where nothing is.

    Attributes:
        problem: Lost at its start, or not saved now: it serves.
        loss: Its state folder went while it ran: only a restart helps.
    """

    problem: str = ""
    loss: str = ""


def new_token(folder: Path) -> str:
    """
    Write a new token into *folder*.

    Raises:
        OSError: It can't be written.
    """
    path = folder / TOKEN_FILE
    aside = folder / f".{TOKEN_FILE}"
    aside.unlink(missing_ok=True)
    token = secrets.token_urlsafe(32)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(token)
    aside.replace(path)
    return token


def ask(endpoint: Endpoint, folder: Path, action: str, content: Mapping[str, object], *, timeout: float) -> None:
    """
    Let the emulator at *endpoint*, whose folder is *folder*, do *action*, and wait until it is done.

    One on another machine shares no folder with us: its token follows from its key.

    Raises:
        NotReady: It doesn't answer, or its token can't be read.
        MultistackError: It says why it can't.
    """
    where = f"environment {endpoint.environment}"
    parts = urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        token = control_token(endpoint.key) if endpoint.key else (folder / TOKEN_FILE).read_text()
        headers = {HEADER: token, **headers_of(endpoint.key), "Content-Type": "application/json"}
        connection.request("POST", f"{PREFIX}{action}", body=json.dumps(content), headers=headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or error
        raise NotReady(
            f"{where}: its emulator can't be asked to {action}: {reason}", hint=f"multistack up {endpoint.environment}"
        ) from error
    finally:
        connection.close()
    if response.status != _OK:
        raise MultistackError(
            f"{where}: {_said(body, 'message') or 'its emulator refused without a reason'}", hint=_said(body, "hint")
        )


def condition(endpoint: Endpoint, *, timeout: float) -> Condition:
    """How a healthy emulator is with its state."""
    parts = urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.request("GET", CONDITION, headers=headers_of(endpoint.key))
        said = json.loads(connection.getresponse().read())
        return Condition(problem=str(said["problem"]), loss=str(said.get("loss", "")))
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, AttributeError):
        return Condition()  # one of an earlier multistack
    finally:
        connection.close()


def _said(body: bytes, key: str) -> str | None:
    try:
        return str(json.loads(body)[key]) or None
    except (ValueError, KeyError, TypeError):
        return None
