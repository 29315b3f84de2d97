"""
``multistack-localstack``: what a driver asks of a LocalStack in a container, through ``docker exec``.

It runs often and beside the emulator, so it imports as little as it can.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence

from multistack_localstack.state import control

_USAGE = """\
usage: multistack-localstack checkpoint | condition

checkpoint  Write a checkpoint of now, and end once it is complete on disk.
condition   Print one line of JSON: what is wrong with the state, and what was restored at the start.
"""
# Seconds. A checkpoint waits for the one before it.
_TIMEOUTS = {"checkpoint": 120.0, "condition": 10.0}
_FAILED, _MISUSED = 1, 2


def main(arguments: Sequence[str] = sys.argv[1:], variables: Mapping[str, str] = os.environ) -> int:
    """Do what the command line says; returns the exit code."""
    if list(arguments) in (["--help"], ["-h"]):
        sys.stdout.write(_USAGE)
        return 0
    if len(arguments) != 1 or arguments[0] not in _TIMEOUTS:
        sys.stderr.write(_USAGE)
        return _MISUSED
    question = arguments[0]
    path = control.path_from(variables)
    try:
        answer = control.ask(path, question, timeout=_TIMEOUTS[question])
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        sys.stderr.write(f"error: LocalStack does not answer at {path}: {reason}; it is starting, or was stopped\n")
        return _FAILED
    if "error" in answer:
        sys.stderr.write(f"error: {answer['error']}\n")
        return _FAILED
    if question == "condition":
        sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
