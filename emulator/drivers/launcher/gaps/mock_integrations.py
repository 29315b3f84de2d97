"""
Gap: MiniStack 1.5.33 looks for a number in the request template of a mock, instead of evaluating it.

What the template comes to says which of the integration's responses answers. A mock without a number, or without a
response for it, is answered for by 500, and a response without a template has no body. The mock itself answers nothing:
what its response's template sees as ``$input`` is empty but for the request's parameters.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-mock-integration.html
    https://github.com/localstack/localstack/pull/11967 (which names beside JSON's AWS reads)
"""

from __future__ import annotations

import functools
import json
import logging
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from emulator.drivers.launcher.gaps.mapping_templates import call_of, render
from emulator.drivers.launcher.gaps.service_integrations import FAILED, Answer, by_type, response

# JSON, or what Jackson reads as such: CDK writes `{ statusCode: 200 }`.
_STATUS = re.compile(r"""[{,]\s*(["']?)statusCode\1\s*:\s*(-?\d+)\s*(?=[,}])""")

_log = logging.getLogger("multistack.apigateway")


@dataclass(slots=True)
class _Request:
    """What a mock is not told: the arguments of whoever serves it, and what an authorizer said."""

    called: tuple[Any, ...]
    authorizer_context: Any = None


_request: ContextVar[_Request | None] = ContextVar("multistack_request_to_a_mock", default=None)


def apply() -> None:
    """Evaluate both templates of a mock."""
    from ministack.services import apigateway_v1 as v1

    v1._invoke_mock_v1 = functools.partial(_answered, v1)
    v1._execute_in_scope = _noting(v1._execute_in_scope)
    v1._authorize_request_v1 = _noting_authorizer(v1._authorize_request_v1)


def _noting(serve: Any) -> Any:
    @functools.wraps(serve)
    async def execute_in_scope(*called: Any) -> Any:
        token = _request.set(_Request(called))
        try:
            return await serve(*called)
        finally:
            _request.reset(token)

    return execute_in_scope


def _noting_authorizer(authorize: Any) -> Any:
    @functools.wraps(authorize)
    async def authorize_request(*called: Any) -> Any:
        error, context = await authorize(*called)
        if (request := _request.get()) is not None:
            request.authorizer_context = context
        return error, context

    return authorize_request


def _answered(v1: Any, integration: Mapping[str, Any]) -> Any:
    noted = _request.get()
    if noted is None:
        return FAILED
    request, api_id, stage_name, method, path, headers, content, query = noted.called[:8]
    resource = _resource(v1, api_id, request["resource_path"])
    called = (api_id, stage_name, request["stage"], resource, path, method, headers, content, query)
    call = call_of(v1, *called, request["path_params"], authorizer_context=noted.authorizer_context)
    body = (content or b"").decode("utf-8", errors="replace")
    content_type = str(v1._header_ci(headers, "content-type") or "application/json")
    template = by_type(integration.get("requestTemplates") or {}, content_type)
    status = _status(body if template is None else render(template, body, call))
    if status is None:
        _log.warning("a REST API answers 500: the request template of a mock names no statusCode, which is a number")
        return FAILED
    return response(integration, Answer(str(status), {}, b""), call, headers)


def _resource(v1: Any, api_id: str, path: str) -> Any:
    return next(one for one in v1._resources[api_id].values() if one["path"] == path)


def _status(text: str) -> int | None:
    """The number that a request template came to; None without one."""
    try:
        found = json.loads(text)
    except ValueError:
        match = _STATUS.search(text)
        return None if match is None else int(match[2])
    status = found.get("statusCode") if isinstance(found, dict) else None
    return status if isinstance(status, int) and not isinstance(status, bool) else None
