"""
Gap: MiniStack 1.5.33 takes an event of any size, and one that is not JSON as an empty one.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html,
    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html,
    https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

# Bytes of an event that a caller waits for, and of one that is queued.
MOST_BYTES, MOST_BYTES_QUEUED = 6 * 1024 * 1024, 1024 * 1024


def apply() -> None:
    """Refuse such events before they are parsed, and requests to an API that would become such events."""
    from ministack.services import apigateway as v2
    from ministack.services import apigateway_v1 as v1
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
    too_long = v1._gw_error("REQUEST_TOO_LARGE", "Request Too Long")
    v1._invoke_lambda_proxy_v1 = _limited(v1._invoke_lambda_proxy_v1, body=7, refusal=too_long)
    too_large = 413, {"Content-Type": "application/json"}, b'{"message":"Request Entity Too Large"}'
    v2._invoke_lambda_proxy = _limited(v2._invoke_lambda_proxy, body=5, refusal=too_large)


def _limited(invoke: Any, *, body: int, refusal: Any) -> Any:
    """*invoke*, refusing a request whose body, its argument number *body* after the integration, is no event's."""

    @functools.wraps(invoke)
    async def limited(integration: Mapping[str, Any], *call: Any, **more: Any) -> Any:
        if len(call[body] or b"") > MOST_BYTES:
            return refusal
        return await invoke(integration, *call, **more)

    return limited


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
