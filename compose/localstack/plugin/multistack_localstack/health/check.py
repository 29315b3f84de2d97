"""
The container's health check: every service that was to be loaded runs.

Run by path by an interpreter without site packages, every few seconds for as long as a container lives: it imports next
to nothing.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Mapping

_TIMEOUT = 4.0


def problem(services: Mapping[str, str], wanted: str) -> str:
    """
    What is wrong; empty when nothing is.

    Args:
        services: State of each service, from ``/_localstack/health``.
        wanted: Names with commas between them, as in ``SERVICES``.
    """
    named = [name.strip() for name in wanted.split(",") if name.strip()]
    broken = [f"{name} is {services.get(name, 'missing')}" for name in named if services.get(name) != "running"]
    broken += [f"{name} is {state}" for name, state in services.items() if state == "error" and name not in named]
    return ", ".join(broken)


def main() -> int:
    """Ask once; returns the exit status that Docker wants."""
    port = int(os.environ.get("GATEWAY_LISTEN", ":4566").split(",")[0].rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/_localstack/health")
        answer = connection.getresponse()
        found = json.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        sys.stdout.write(f"LocalStack does not answer: {error}\n")
        return 1
    told = problem(found.get("services", {}), os.environ.get("SERVICES", ""))
    sys.stdout.write(f"{told or 'all services run'}\n")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
