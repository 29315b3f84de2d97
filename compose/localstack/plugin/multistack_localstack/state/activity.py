"""
Which requests may change state, and a gate that holds requests back while a copy of one moment is taken.

What is taken for reading and writes nevertheless is found a little later, see ``checkpointer``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_CALLS = ("/_aws/execute-api/", "/restapis/")
_INVOCATIONS = ("/invocations", "/invoke-async/", "/response-streaming-invocations")
_WAITING = (".ReceiveMessage", ".GetRecords")
# Requests that run longer wait for a function, a message or a whole deployment; those are not waited for.
_SHORT = 0.15
_POLL = 0.001
_READING = (
    *("Get", "List", "Describe", "BatchGet", "Query", "Scan", "Search", "Lookup", "Filter", "Select", "Head"),
    *("Check", "Estimate", "Validate", "Simulate", "Detect", "Preview", "Test"),
    # Of KMS: keys stay as they are.
    *("Encrypt", "Decrypt", "ReEncrypt", "Sign", "Verify", "GenerateDataKey", "GenerateMac", "GenerateRandom"),
)
# ReceiveMessage changes something if there is a message, and PutMetricData nothing that is saved: see ``unannounced``.
_NOT_WRITING = frozenset({"ReceiveMessage", "PutMetricData", "TransactGetItems"})
# Named as if they read.
_WRITING = frozenset({"GetSessionToken", "GetFederationToken", "DetectStackDrift"})


class Gate:
    """Requests pass while it is open, and wait while it is closed."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._open.set()
        self._closing = threading.Lock()
        # When the request that a thread is busy with came in.
        self._since: dict[int, float] = {}

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """For as long as a request is answered that somebody has sent."""
        thread = threading.get_ident()
        # Entered before looking, so that whoever closes the gate either is seen here or sees this request.
        self._since[thread] = time.monotonic()
        while not self._open.is_set():
            del self._since[thread]
            self._open.wait()
            self._since[thread] = time.monotonic()
        try:
            yield
        finally:
            del self._since[thread]

    def wait(self) -> None:
        """Until it is open."""
        self._open.wait()

    @contextmanager
    def passed(self) -> Iterator[None]:
        """For as long as a request is answered that another one waits for, so that it can't be held back."""
        thread = threading.get_ident()
        self._since[thread] = time.monotonic()
        try:
            yield
        finally:
            del self._since[thread]

    @contextmanager
    def closed(self) -> Iterator[None]:
        """For as long as nothing may change: no request begins, and those that have begun have ended or are long."""
        with self._closing:
            self._open.clear()
            try:
                self._drain()
                yield
            finally:
                self._open.set()

    def _drain(self) -> None:
        closed = time.monotonic()
        while True:
            short = time.monotonic() - _SHORT
            # Those that begin from now on are LocalStack's own, on behalf of the ones that are waited for.
            if not any(short < since <= closed for since in list(self._since.values())):
                return
            time.sleep(_POLL)


def may_run_functions(path: str, target: str) -> bool:
    """
    Whether the answer may have to wait for a function, or for a message.

    What functions write comes as requests of its own, which wait outside a closed gate: such a request is no use to
    wait for.

    Args:
        target: Its ``X-Amz-Target``, or empty.
    """
    return path.startswith(_CALLS) or path.endswith(_INVOCATIONS) or target.endswith(_WAITING)


def service_written(context: Any) -> str:
    """
    The service that the request of *context* may have changed; empty if it is none.

    A call of a deployed API or a function reaches what it changes by requests of its own.

    Args:
        context: LocalStack's ``RequestContext``, once the request was answered.
    """
    operation = context.operation
    if operation is None or context.service is None:
        return ""
    # LocalStack knows the two protocols of SQS as two services.
    return str(context.service.service_name).removesuffix("-query") if writes(operation.name) else ""


def writes(operation: str) -> bool:
    """Whether an operation of AWS may change state, by its name."""
    if operation in _WRITING:
        return True
    return operation not in _NOT_WRITING and not operation.startswith(_READING)
