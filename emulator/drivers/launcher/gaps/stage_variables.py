"""
Gap: MiniStack 1.5.33 leaves ``${stageVariables.x}`` in an integration's URI as it stands, so such a call finds nothing.

On AWS a stage variable can stand for any part of it: the qualifier of a function, its whole name, a host or a path.
HTTP APIs have the variables in their event as well.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/aws-api-gateway-stage-variables-reference.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-stages.stage-variables.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

_START = "${stageVariables."
_REFERENCE = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]+)\}")

Properties = Mapping[str, Any]

# The variables of the stage that a request is for: an integration with a plain URL is not told its stage.
_variables: ContextVar[Properties | None] = ContextVar("multistack_stage_variables", default=None)


def apply() -> None:
    """Put the values in before an integration is called."""
    from ministack.services import apigateway as v2
    from ministack.services import apigateway_v1 as v1
    from ministack.services import lambda_svc

    for name in ("_invoke_lambda_proxy_v1", "_invoke_lambda_custom_v1", "_invoke_sqs_v1"):
        setattr(v1, name, _of_rest_api(getattr(v1, name)))
    _of_http_api(v2)
    _of_urls(v1, v2)
    _into_events(lambda_svc)


def filled(text: str, variables: Properties) -> str:
    """*text* with the values of its stage variables; one that is not set is empty, as on AWS."""
    return _REFERENCE.sub(lambda found: str(variables.get(found[1], "")), text)


def _with_uri(integration: Properties, key: str, variables: Properties | None) -> Properties:
    uri = integration.get(key) or ""
    return {**integration, key: filled(uri, variables or {})} if _START in uri else integration


def _of_rest_api(invoke: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(invoke)
    def with_values(integration: Properties, api_id: str, name: str, stage: Properties, *rest: Any, **more: Any) -> Any:
        return invoke(_with_uri(integration, "uri", stage.get("variables")), api_id, name, stage, *rest, **more)

    return with_values


def _of_http_api(v2: Any) -> None:
    invoke = v2._invoke_lambda_proxy

    @functools.wraps(invoke)
    def with_values(integration: Properties, api_id: str, stage: str, *rest: Any, **more: Any) -> Any:
        variables = v2._get_stage_variables(api_id, stage)
        return invoke(_with_uri(integration, "integrationUri", variables), api_id, stage, *rest, **more)

    v2._invoke_lambda_proxy = with_values


def _of_urls(v1: Any, v2: Any) -> None:
    call_v1, call_v2 = v1._invoke_http_proxy_v1, v2._invoke_http_proxy
    serve_v1, serve_v2 = v1._execute_in_scope, v2._handle_execute_in_scope

    @functools.wraps(call_v1)
    def call_rest(integration: Properties, *rest: Any) -> Any:
        return call_v1(_with_uri(integration, "uri", _variables.get()), *rest)

    @functools.wraps(call_v2)
    def call_http(integration: Properties, *rest: Any) -> Any:
        return call_v2(_with_uri(integration, "integrationUri", _variables.get()), *rest)

    @functools.wraps(serve_v1)
    async def execute_rest(request: Any, api_id: str, stage_name: str, *rest: Any) -> Any:
        stage = v1._stages_v1.get(api_id, {}).get(stage_name) or {}
        return await _knowing(stage.get("variables"), serve_v1(request, api_id, stage_name, *rest))

    @functools.wraps(serve_v2)
    async def execute_http(api_id: str, stage: str, *rest: Any) -> Any:
        return await _knowing(v2._get_stage_variables(api_id, stage), serve_v2(api_id, stage, *rest))

    v1._invoke_http_proxy_v1, v2._invoke_http_proxy = call_rest, call_http
    v1._execute_in_scope, v2._handle_execute_in_scope = execute_rest, execute_http


def _into_events(lambda_svc: Any) -> None:
    execute = lambda_svc._execute_function_with_config_scope

    @functools.wraps(execute)
    def with_variables(function: Any, event: Any) -> Any:
        variables = _variables.get()
        if variables and "rawPath" in event:
            event["stageVariables"] = variables
        return execute(function, event)

    lambda_svc._execute_function_with_config_scope = with_variables


async def _knowing(variables: Properties | None, answer: Awaitable[Any]) -> Any:
    token = _variables.set(variables)
    try:
        return await answer
    finally:
        _variables.reset(token)
