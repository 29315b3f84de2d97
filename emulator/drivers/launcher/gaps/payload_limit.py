"""
Gap: MiniStack 1.5.33 takes a payload of any length for a function.

AWS refuses one of more than 6 MB in a synchronous call with ``RequestTooLargeException``, HTTP 413.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html and
    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

MOST_BYTES = 6 * 1024 * 1024
_INVOKE = re.compile(r"/functions/[^/]+/(invocations|response-streaming-invocations)/?$")

_Handle = Callable[..., Awaitable[Any]]


def apply() -> None:
    """Refuse it before the payload is parsed."""
    from ministack.services import lambda_svc

    lambda_svc.handle_request = limited(lambda_svc.handle_request)


def limited(handle: _Handle) -> _Handle:
    """*handle*, which takes method, path, headers and body first, for payloads that are not too long."""

    async def refusing(method: str, path: str, headers: Mapping[str, str], body: bytes, *args: Any) -> Any:
        from ministack.core.responses import error_response_json

        if is_too_large(method, path, headers, body):
            message = f"Request must be smaller than {MOST_BYTES} bytes for the InvokeFunction operation"
            return error_response_json("RequestTooLargeException", message, 413)
        return await handle(method, path, headers, body, *args)

    return refusing


def is_too_large(method: str, path: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether this is a synchronous call of a function with too long a payload."""
    if len(body) <= MOST_BYTES or method != "POST" or _INVOKE.search(path) is None:
        return False
    return headers.get("x-amz-invocation-type", "RequestResponse") == "RequestResponse"
