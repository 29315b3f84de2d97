"""
Tells the proxy which calls of functions an answer is made of.

A request that asks with ``X-Multistack-Trace`` is answered with an ``X-Multistack-Invocation`` per call: the function's
name, the request id that its log lines carry, and milliseconds. The API, the function and any other client see neither.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from localstack.aws.api.lambda_ import InvocationType
from localstack.services.lambda_.invocation.lambda_service import LambdaService
from localstack.utils.patch import patch

ASKS = "X-Multistack-Trace"
TELLS = "X-Multistack-Invocation"

# A request is answered by one thread from its beginning to its end.
_current = threading.local()


def tell(gateway: Any) -> None:
    """Let *gateway* tell of calls whoever asks."""
    process = gateway.process

    def process_traced(request: Any, response: Any) -> None:
        if request.headers.pop(ASKS, None) is None:
            process(request, response)
            return
        _current.calls = calls = []
        try:
            process(request, response)
        finally:
            _current.calls = None
        for call in calls:
            response.headers.add(TELLS, call)

    gateway.process = process_traced


def note_calls() -> None:
    """Let each call count for the request that makes it."""

    @patch(LambdaService.invoke)
    def invoke(original: Any, self: Any, function_name: str, *args: Any, **given: Any) -> Any:
        started = time.perf_counter()
        try:
            return original(self, function_name, *args, **given)
        finally:
            calls, request_id = getattr(_current, "calls", None), given.get("request_id")
            if calls is not None and request_id and given.get("invocation_type") != InvocationType.Event:
                calls.append(f"{function_name};{request_id};{(time.perf_counter() - started) * 1000:.3f}")
