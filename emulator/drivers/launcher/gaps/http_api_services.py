"""
Gap: MiniStack 1.5.33 forgets the subtype of an HTTP API's integration, and calls a function that isn't there.

With a subtype, such as ``SQS-SendMessage``, the API asks a service itself. What it asks comes from the integration's
parameters.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-aws-services-reference.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
"""

from __future__ import annotations

import base64
import functools
import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from emulator.drivers.launcher.gaps.service_integrations import target_of

_KEPT = ("integrationSubtype", "credentialsArn")
_JSON = {"Content-Type": "application/json"}
_FAILED = (500, _JSON, b'{"message":"Internal Server Error"}')
# As the emulator calls a service.
_SERVICES = {"EventBridge": "events", "Kinesis": "kinesis", "SQS": "sqs", "StepFunctions": "states"}
# `$request.body.a`, `${request.header.b}`, `$context.c`, `$stageVariables.d`.
_SELECTED = re.compile(
    r"\$\{((?:request|context|stageVariables)[^}]*)\}|\$((?:request|context|stageVariables)[\w.$\[\]-]*)"
)

Properties = Mapping[str, Any]

_log = logging.getLogger("multistack.apigateway")


def apply() -> None:
    """Remember it, and ask the service."""
    from ministack.services import apigateway as v2
    from ministack.services.cloudformation import provisioners

    properties = provisioners._apigw_v2_integration_props

    def integration_props(given: Properties) -> Properties:
        return {
            **properties(given),
            **{key: given[name] for key in _KEPT if (name := key[0].upper() + key[1:]) in given},
        }

    provisioners._apigw_v2_integration_props = integration_props
    v2._create_integration = _keeping(v2, v2._create_integration)
    v2._update_integration = _keeping(v2, v2._update_integration)
    v2._invoke_lambda_proxy = _asking(v2, v2._invoke_lambda_proxy)


def _keeping(v2: Any, made: Any) -> Any:
    @functools.wraps(made)
    def make(api_id: str, *arguments: Any) -> Any:
        status, headers, answer = made(api_id, *arguments)
        if status < 300:
            integration = v2._integrations[api_id][json.loads(answer)["integrationId"]]
            integration.update({key: arguments[-1][key] for key in _KEPT if arguments[-1].get(key)})
            return v2._apigw_response(integration, status)
        return status, headers, answer

    return make


def _asking(v2: Any, invoke: Any) -> Any:
    @functools.wraps(invoke)
    async def invoke_or_ask(integration: Properties, *called: Any, **more: Any) -> Any:
        if not integration.get("integrationSubtype"):
            return await invoke(integration, *called, **more)
        api_id, stage, path, method, headers, body, query = called[:7]
        known = {
            "headers": {name.lower(): value for name, value in headers.items()},
            "query": query or {},
            "path": (called[8] if len(called) > 8 else None) or {},
            "body": (body or b"").decode("utf-8", errors="replace"),
            "context": {"apiId": api_id, "stage": stage, "httpMethod": method, "path": path, "routeKey": called[7]},
            "stageVariables": v2._get_stage_variables(api_id, stage) or {},
        }
        asked = {
            name: _resolved(str(value), known) for name, value in (integration.get("requestParameters") or {}).items()
        }
        return await _ask(str(integration["integrationSubtype"]), asked)

    return invoke_or_ask


async def _ask(subtype: str, asked: Properties) -> Any:
    from ministack import app

    service, _, action = subtype.partition("-")
    handler = app.SERVICE_HANDLERS.get(_SERVICES.get(service, ""))
    if handler is None:
        _log.warning("an HTTP API answers 500: nothing here answers %s", subtype)
        return _FAILED
    content = json.dumps(_content(service, {key: value for key, value in asked.items() if key != "Region"})).encode()
    headers = dict(target_of(_SERVICES[service], action))
    status, _, answer = await handler("POST", "/", headers, content, {})
    return status, _JSON, answer


def _content(service: str, asked: Properties) -> Any:
    """The parameters as the service's API has them."""
    if service == "EventBridge":
        entry = {**asked, **({"Resources": json.loads(asked["Resources"])} if "Resources" in asked else {})}
        return {"Entries": [entry]}
    if service == "StepFunctions":
        return {key[0].lower() + key[1:]: value for key, value in asked.items()}
    if service == "Kinesis" and "Data" in asked:
        return {**asked, "Data": base64.b64encode(asked["Data"].encode()).decode()}
    if service == "SQS":
        parsed: Mapping[str, Callable[[str], Any]] = {"MessageAttributes": json.loads, "DelaySeconds": int}
        return {key: parsed[key](value) if key in parsed else value for key, value in asked.items()}
    return asked


def _resolved(text: str, known: Properties) -> str:
    return _SELECTED.sub(lambda match: _value(match[1] or match[2], known), text)


def _value(selection: str, known: Properties) -> str:
    first, _, rest = selection.partition(".")
    if first != "request":
        return str(known[first].get(rest, ""))
    kind, _, name = rest.partition(".")
    if kind == "body":
        return _in_body(known["body"], name)
    found = known.get({"header": "headers", "querystring": "query"}.get(kind, kind), {})
    value = found.get(name.lower() if kind == "header" else name, "") if isinstance(found, dict) else ""
    return ",".join(value) if isinstance(value, list) else str(value)


def _in_body(body: str, path: str) -> str:
    from jsonpath import JSONPathError, findall

    if not path:
        return body
    try:
        found = findall(f"$.{path.removeprefix('$.')}", json.loads(body))
    except (ValueError, JSONPathError):
        return ""
    return "" if not found else found[0] if isinstance(found[0], str) else json.dumps(found[0])
