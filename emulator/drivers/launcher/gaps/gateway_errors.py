"""
Gap: MiniStack 1.5.33 lets callers of an API see what went wrong with a function; AWS answers with a bare 5xx.

REST APIs: Lambda refuses the call: 500; the function fails or answers malformed: 502; it takes longer than the
integration's timeout: 504. HTTP APIs: 500 for a function that fails or is not there, 503 if Lambda refuses
or time is up.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway-errors.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

_JSON = {"Content-Type": "application/json"}
_REST = {**_JSON, "x-amzn-ErrorType": "InternalServerErrorException"}
_REST_MESSAGE = json.dumps({"message": "Internal server error"})
_TIMED_OUT = json.dumps({"message": "Endpoint request timed out"})
_KNOWN = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}

Properties = Mapping[str, Any]

_log = logging.getLogger("multistack.apigateway")
_for_http_api: ContextVar[bool] = ContextVar("multistack_for_http_api", default=False)


def apply() -> None:
    """Answer as AWS does when an integration fails."""
    from ministack.services import apigateway as v2
    from ministack.services import apigateway_v1 as v1
    from ministack.services import lambda_svc

    v1._lambda_proxy_response = rest_answer
    v1._invoke_lambda_proxy_v1 = _limited(v1._invoke_lambda_proxy_v1, (504, dict(_REST), _TIMED_OUT.encode()))
    _answer_http_apis(v2, lambda_svc)


def rest_answer(result: Properties) -> tuple[Properties, None]:
    """What a REST API answers for what became of a call."""
    answer: Any = result.get("body")
    if result.get("throttle"):
        _log.warning(
            "a REST API answers 500: Lambda refuses the call: %s", (answer or {}).get("Reason", "no reason given")
        )
        return _rest_error(500), None
    if result.get("error"):
        return _rest_error(502), None  # the function's own log says why
    if flaw := flaw_of(answer):
        _log.warning("a REST API answers 502: its function's answer %s", flaw)
        return _rest_error(502), None
    return {**answer, "statusCode": int(answer.get("statusCode") or 200), "body": _text(answer.get("body"))}, None


def _rest_error(status: int) -> Properties:
    return {"statusCode": status, "headers": _REST, "body": _REST_MESSAGE}


def _text(body: Any) -> str:
    return body if isinstance(body, str) else "" if body is None else json.dumps(body)


def flaw_of(answer: Any) -> str:
    """What of a proxy answer has not the format that AWS documents; empty when all has."""
    if not isinstance(answer, dict):
        return "is no object"
    if unknown := sorted(answer.keys() - _KNOWN):
        return f"has keys that API Gateway doesn't know: {', '.join(unknown)}"
    if isinstance(answer.get("body"), dict | list):
        return "has a body that is no text"
    for name in ("headers", "multiValueHeaders"):
        if not isinstance(answer.get(name) or {}, dict):
            return f"has {name} that are no object"
    status = answer.get("statusCode")
    if status is None or (str(status).isdecimal() and 100 <= int(status) <= 599):
        return ""
    return "has a statusCode that is none"


def _limited(invoke: Any, late: Any) -> Any:
    """*invoke*, answering *late* once the integration's timeout is over; the function goes on, as on AWS."""

    @functools.wraps(invoke)
    async def limited(integration: Properties, *rest: Any, **more: Any) -> Any:
        timeout = integration.get("timeoutInMillis")
        call = invoke(integration, *rest, **more)
        if not timeout or int(timeout) >= 29_000:  # nobody asked for less than what AWS gives
            return await call
        running = asyncio.ensure_future(call)
        done, _ = await asyncio.wait({running}, timeout=int(timeout) / 1000)
        if done:
            return running.result()
        running.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return late

    return limited


def _answer_http_apis(v2: Any, lambda_svc: Any) -> None:
    shape, invoke = lambda_svc.lambda_execute_result_to_api_proxy_response, v2._invoke_lambda_proxy

    @functools.wraps(shape)
    def shaped(result: Properties) -> Any:
        if _for_http_api.get() and (result.get("throttle") or result.get("error")):
            return _http_error(503 if result.get("throttle") else 500), None
        return shape(result)

    @functools.wraps(invoke)
    async def invoked(integration: Properties, *rest: Any, **more: Any) -> Any:
        reference = v2._extract_lambda_ref_from_integration_uri(integration.get("integrationUri", ""))
        found, _, _ = lambda_svc._get_func_record_for_ref_in_scope(reference)
        if found is None:
            missing = _http_error(500)
            return missing["statusCode"], dict(_JSON), missing["body"].encode()
        token = _for_http_api.set(True)
        try:
            return await invoke(integration, *rest, **more)
        finally:
            _for_http_api.reset(token)

    late = _http_error(503)
    lambda_svc.lambda_execute_result_to_api_proxy_response = shaped
    v2._invoke_lambda_proxy = _limited(invoked, (503, dict(_JSON), late["body"].encode()))


def _http_error(status: int) -> dict[str, Any]:
    message = "Service Unavailable" if status == 503 else "Internal Server Error"
    return {"statusCode": status, "headers": _JSON, "body": json.dumps({"message": message})}
