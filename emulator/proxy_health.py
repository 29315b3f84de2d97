"""Whether a proxy answers, and what it says of itself."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping

from emulator import ports

_HEALTH_PATH = "/_multistack/health"


def reached_at(host: str) -> str:
    """Where a server is found that listens on *host*."""
    return ports.HOST if host == ports.EVERY_ADDRESS else host


def answers(host: str, port: int) -> bool:
    """Whether a proxy does."""
    return health(host, port) is not None


def health(host: str, port: int) -> Mapping[str, object] | None:
    """What the proxy says of itself; None when it doesn't answer."""
    return ask(host, port, _HEALTH_PATH)


def ask(host: str, port: int, path: str) -> Mapping[str, object] | None:
    """The JSON object that *path* of a proxy is; None when it doesn't answer with one."""
    connection = http.client.HTTPConnection(reached_at(host), port, timeout=2.0)
    try:
        # It is asked by the one name that it answers to whatever it listens on.
        connection.request("GET", path, headers={"Host": ports.HOST})
        response = connection.getresponse()
        return dict(json.loads(response.read())) if response.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
