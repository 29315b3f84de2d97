"""
How calls end, in AWS's words, when the function itself could not say.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html, and
    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html for the size of an answer.
"""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from datetime import UTC, datetime

MAX_PAYLOAD = 6 * 1024 * 1024
# The limit of an answer that AWS enforces, and names.
MAX_ANSWER = MAX_PAYLOAD + 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """
    A call without an answer.

    Attributes:
        payload: What the caller gets, JSON.
        lines: What the log says about it.
        status: The ``Status`` of the call's REPORT line.
    """

    payload: bytes
    lines: tuple[str, ...] = ()
    status: str = "error"


def timed_out(request_id: str, seconds: float, *, now: datetime | None = None) -> Failure:
    """The function took longer than its ``Timeout``."""
    at = (now or datetime.now(UTC)).isoformat(timespec="milliseconds").removesuffix("+00:00")
    message = f"{at}Z {request_id} Task timed out after {seconds:.2f} seconds"
    return Failure(payload=_payload("Sandbox.Timedout", message), lines=(message,), status="timeout")


def exited(request_id: str, status: int) -> Failure:
    """The process ended before it answered; *status* is negative for a signal."""
    if status == 0:
        reason = "Runtime exited without providing a reason"
    elif status < 0:
        reason = f"Runtime exited with error: signal: {_signal_name(-status)}"
    else:
        reason = f"Runtime exited with error: exit status {status}"
    message = f"RequestId: {request_id} Error: {reason}"
    return Failure(payload=_payload("Runtime.ExitError", message), lines=(message, "Runtime.ExitError"))


def too_large(length: int) -> Failure:
    """The answer is longer than AWS passes on."""
    message = f"Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD} bytes)."
    return Failure(payload=_payload("Function.ResponseSizeTooLarge", message), lines=(f"{message} It has {length}.",))


def unsupported(runtime: str) -> Failure:
    """Nothing in this image runs *runtime*."""
    message = (
        f"this image runs Python functions, not {runtime or 'container images'}: "
        'use the embedded driver, or image = "localstack/localstack:4.14.0" with lambda = "docker"'
    )
    return Failure(payload=_payload("Runtime.Unsupported", message), lines=(message,))


def failed(kind: str, message: str) -> Failure:
    """Another failure, e.g. a layer that isn't there."""
    return Failure(payload=_payload(kind, message), lines=(f"{kind}: {message}",))


def _payload(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode("utf-8")


def _signal_name(number: int) -> str:
    described = signal.strsignal(number)
    return described.lower() if described else str(number)
