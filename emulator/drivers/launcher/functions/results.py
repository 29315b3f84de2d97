"""
How calls end, in AWS's words, when the function itself could not say.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html; the texts of timeouts and exits are
    those of AWS's own answers.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Result:
    """
    What a call came to.

    Attributes:
        error: AWS's description of what went wrong, or None; *value* then means nothing.
        log: What the function printed.
    """

    value: Any
    log: str
    error: Mapping[str, Any] | None = None


def timed_out(request_id: str, seconds: float, log: str) -> Result:
    """The function took longer than its ``Timeout``."""
    now = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    message = f"{now}Z {request_id} Task timed out after {seconds:.2f} seconds"
    return failed("Sandbox.Timedout", message, f"{log}{message}\n")


def exited(request_id: str, status: int, log: str) -> Result:
    """Its process ended before it answered; *status* is negative for a signal."""
    if status == 0:
        reason = "Runtime exited without providing a reason"
    elif status < 0:
        reason = f"Runtime exited with error: signal: {_signal_name(-status)}"
    else:
        reason = f"Runtime exited with error: exit status {status}"
    message = f"RequestId: {request_id} Error: {reason}"
    return failed("Runtime.ExitError", message, f"{log}{message}\nRuntime.ExitError\n")


def failed(kind: str, message: str, log: str) -> Result:
    """A failure that has no stack trace."""
    return Result(None, log, {"errorMessage": message, "errorType": kind})


def _signal_name(number: int) -> str:
    described = signal.strsignal(number)
    return described.lower() if described else str(number)
