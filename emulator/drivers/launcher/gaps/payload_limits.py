"""
Gap: MiniStack 1.5.33 takes an event of any size, and one that is not JSON as an empty one.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html,
    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

# Bytes of an event that a caller waits for, and of one that is queued.
MOST_BYTES, MOST_BYTES_QUEUED = 6 * 1024 * 1024, 1024 * 1024


def apply() -> None:
    """Refuse such events before they are parsed."""
    from ministack.services import lambda_svc

    handle = lambda_svc.handle_request

    @functools.wraps(handle)
    async def handle_limited(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Mapping[str, Any]
    ) -> Any:
        refusal = _refusal(headers, body) if method == "POST" and path.endswith("/invocations") else None
        if refusal:
            return lambda_svc.error_response_json(*refusal)
        return await handle(method, path, headers, body, query_params)

    lambda_svc.handle_request = handle_limited


def _refusal(headers: Mapping[str, str], body: bytes) -> tuple[str, str, int] | None:
    most = MOST_BYTES_QUEUED if headers.get("x-amz-invocation-type") == "Event" else MOST_BYTES
    if len(body) > most:
        message = f"Request must be smaller than {most} bytes for the InvokeFunction operation"
        return "RequestTooLargeException", message, 413
    try:
        json.loads(body or b"null")
    except ValueError as error:
        return "InvalidRequestContentException", f"Could not parse request body into json: {error}", 400
    return None
