"""Calls functions of an environment by hand."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass

from emulator.endpoint import answering, client
from emulator.errors import MultistackError
from emulator.members import Member, find, members, of_types
from emulator.model import Endpoint

FUNCTION = "AWS::Lambda::Function"
# Seconds that a function may take. Source: Lambda quotas, "Function timeout".
_LONGEST = 900.0
# Bytes of a log that come with an answer; of a longer one its end. Source: Invoke, ``LogType``.
_MOST_LOG = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """
    What a function is called with.

    Attributes:
        function: Its logical id or its name; behind a colon a version or an alias may be named.
        payload: JSON.
        is_async: The event is queued, and nobody waits for the function.
    """

    function: str
    payload: bytes = b"{}"
    is_async: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoked:
    """
    What became of a call.

    Attributes:
        function: Its logical id.
        payload: What it returned, or the error that it raised, as JSON; empty when the event was queued.
        error: ``Unhandled`` or ``Handled`` when it ended with an error.
        log: What it printed; only the end of it when *is_log_cut*.
    """

    environment: str
    function: str
    request_id: str
    payload: bytes
    error: str | None
    log: Sequence[str]
    is_log_cut: bool
    seconds: float


def functions(endpoint: Endpoint, stack: str) -> Sequence[Member]:
    """
    The functions of *stack*.

    Raises:
        NotReady: Nothing is deployed.
    """
    with answering(endpoint):
        return of_types(members(endpoint, stack), {FUNCTION})


def invoke(endpoint: Endpoint, stack: str, call: Call) -> Invoked:
    """
    Call a function of *stack* once.

    Raises:
        ConfigError: There is no such function.
        NotReady: Nothing is deployed, or the emulator ended meanwhile.
        MultistackError: Lambda refused the call: nothing ran.
    """
    name, _, qualifier = call.function.partition(":")
    member = find(functions(endpoint, stack), name, environment=endpoint.environment, what="function")
    started = time.monotonic()
    with answering(endpoint, refusal=MultistackError):
        answer = client(endpoint, "lambda", patience=_LONGEST).invoke(
            FunctionName=member.physical_id,
            InvocationType="Event" if call.is_async else "RequestResponse",
            LogType="None" if call.is_async else "Tail",
            Payload=call.payload,
            **({"Qualifier": qualifier} if qualifier else {}),
        )
        payload = answer["Payload"].read()
    log = base64.b64decode(answer.get("LogResult", ""))
    return Invoked(
        environment=endpoint.environment,
        function=member.logical_id,
        request_id=answer["ResponseMetadata"].get("RequestId", ""),
        payload=payload,
        error=answer.get("FunctionError"),
        log=log.decode(errors="replace").splitlines(),
        is_log_cut=len(log) >= _MOST_LOG,
        seconds=time.monotonic() - started,
    )
