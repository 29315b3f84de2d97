"""
Gap: MiniStack 1.5.33 forgets the subtype of an HTTP API's integration, and calls a function that isn't there.

With a subtype, such as ``SQS-SendMessage``, the API asks a service itself. What it asks comes from the integration's
parameters. One that AWS would not make is not made; a request that lacks what they ask for gets 400.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-aws-services-reference.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
"""

from __future__ import annotations

import base64
import functools
import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from emulator.drivers.launcher.gaps.service_integrations import target_of
from emulator.http_api_parameters import SELECTED, problem

_KEPT = ("integrationSubtype", "credentialsArn")
_JSON = {"Content-Type": "application/json"}
_FAILED = (500, _JSON, b'{"message":"Internal Server Error"}')
# As the emulator calls a service, and botocore its model.
_SERVICES = {"EventBridge": "events", "Kinesis": "kinesis", "SQS": "sqs", "StepFunctions": "states"}
_MODELS = {"states": "stepfunctions"}

Properties = Mapping[str, Any]

_log = logging.getLogger("multistack.apigateway")


class _Unresolved(Exception):
    """What the request lacks, as its sender is told."""


def apply() -> None:
    """Remember it, and ask the service."""
    from ministack.services import apigateway as v2
    from ministack.services.cloudformation import provisioners

    properties = provisioners._apigw_v2_integration_props

    def integration_props(given: Properties) -> Properties:
        if refused := _problem(given.get("IntegrationSubtype"), given.get("RequestParameters")):
            raise ValueError(refused)
        return {
            **properties(given),
            **{key: given[name] for key in _KEPT if (name := key[0].upper() + key[1:]) in given},
        }

    provisioners._apigw_v2_integration_props = integration_props
    v2._create_integration = _keeping(v2, v2._create_integration)
    v2._update_integration = _keeping(v2, v2._update_integration)
    v2._invoke_lambda_proxy = _asking(v2, v2._invoke_lambda_proxy)


def _problem(subtype: object, parameters: Properties | None) -> str:
    return problem(str(subtype), parameters or {}) if subtype else ""


def _keeping(v2: Any, made: Any) -> Any:
    @functools.wraps(made)
    def make(api_id: str, *arguments: Any) -> Any:
        before = v2._integrations.get(api_id, {}).get(arguments[0], {}) if len(arguments) > 1 else {}
        wanted = {**before, **arguments[-1]}
        if refused := _problem(wanted.get("integrationSubtype"), wanted.get("requestParameters")):
            return v2._apigw_error("BadRequestException", refused, 400)
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
        subtype = str(integration.get("integrationSubtype") or "")
        if not subtype:
            return await invoke(integration, *called, **more)
        api_id, stage, _, _, headers, body, query = called[:7]
        known = {
            "header": {name.lower(): value for name, value in headers.items()},
            "querystring": query or {},
            "path": (called[8] if len(called) > 8 else None) or {},
            "body": (body or b"").decode("utf-8", errors="replace"),
            "context": _context(v2, *called, **more),
            "stageVariables": v2._get_stage_variables(api_id, stage) or {},
        }
        try:
            parameters = (integration.get("requestParameters") or {}).items()
            asked = {name: _resolved(name, str(source), known) for name, source in parameters}
            return await _ask(subtype, asked)
        except _Unresolved as error:
            return 400, _JSON, json.dumps({"message": str(error)}).encode()

    return invoke_or_ask


def _context(v2: Any, *called: Any, **more: Any) -> Mapping[str, Any]:
    """What ``$context`` knows of a request when a service is asked; the names are those of the documentation."""
    api_id, stage, path, method, headers, _, _, route_key = called[:8]
    now, domain = time.time(), f"{api_id}.execute-api.{v2._HOST}"
    request_id = v2.new_uuid()
    claims, lambda_context = more.get("authorizer_claims"), more.get("authorizer_lambda_context")
    signer = more.get("authorizer_iam") or {}
    found = {
        "accountId": v2.get_account_id(),
        "apiId": api_id,
        "domainName": domain,
        "domainPrefix": api_id,
        "extendedRequestId": request_id,
        "httpMethod": method,
        "identity.accountId": signer.get("accountId"),
        "identity.caller": signer.get("callerId"),
        "identity.principalOrgId": signer.get("principalOrgId"),
        "identity.sourceIp": str(headers.get("x-forwarded-for") or "127.0.0.1").partition(",")[0].strip(),
        "identity.user": signer.get("userId"),
        "identity.userAgent": headers.get("user-agent"),
        "identity.userArn": signer.get("userArn"),
        "path": path if stage == "$default" else f"/{stage}{path}",
        "protocol": "HTTP/1.1",
        "requestId": request_id,
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "requestTimeEpoch": int(now * 1000),
        "routeKey": route_key,
        "stage": stage,
    }
    told = {name: v2._jwt_claim_to_string(value) for name, value in (claims or {}).items()}
    return {
        **found,
        **{f"authorizer.{prefix}claims.{name}": value for name, value in told.items() for prefix in ("", "jwt.")},
        **{f"authorizer.{name}": value for name, value in (lambda_context or {}).items()},
    }


async def _ask(subtype: str, asked: Properties) -> Any:
    from ministack import app

    service, _, action = subtype.partition("-")
    handler = app.SERVICE_HANDLERS.get(_SERVICES.get(service, ""))
    if handler is None:
        _log.warning("an HTTP API answers 500: nothing here answers %s", subtype)
        return _FAILED
    given = {key: value for key, value in asked.items() if key != "Region"}
    content = json.dumps(_content(_SERVICES[service], action, given)).encode()
    headers = dict(target_of(_SERVICES[service], action))
    status, _, answer = await handler("POST", "/", headers, content, {})
    return status, _JSON, answer


def _content(service: str, action: str, asked: Properties) -> Any:
    """The parameters as the service's API has them."""
    kinds = _kinds(service, action)
    names = {name.lower(): name for name in kinds}
    content = {}
    for key, value in asked.items():
        name = names.get(key.lower(), key)
        content[name] = _typed(key, value, kinds.get(name, "string"))
    return {"Entries": [content]} if service == "events" else content


@functools.cache
def _kinds(service: str, action: str) -> Mapping[str, str]:
    """Type of each member of what an action takes, as botocore calls it; an event is the member of a list."""
    import botocore.session

    model = botocore.session.get_session().get_service_model(_MODELS.get(service, service))
    taken: Any = model.operation_model(action).input_shape
    shape = taken.members["Entries"].member if service == "events" else taken
    return {name: member.type_name for name, member in shape.members.items()}


def _typed(name: str, value: str, kind: str) -> Any:
    try:
        if kind in ("integer", "long"):
            return int(value)
        if kind in ("list", "map", "structure"):
            return json.loads(value)
    except ValueError:
        raise _Unresolved(f"Invalid value for {name}: {value!r}") from None
    return base64.b64encode(value.encode()).decode() if kind == "blob" else value


def _resolved(name: str, source: str, known: Properties) -> str:
    """
    What *source* comes to.

    Raises:
        _Unresolved: It is one selection, and the request has nothing there. Within a longer text it is left empty.
    """
    whole = SELECTED.fullmatch(source)
    if whole is None:
        return SELECTED.sub(lambda match: _value(match[1] or match[2], known) or "", source)
    value = _value(whole[1] or whole[2], known)
    if value is None:
        raise _Unresolved(
            f"Unable to resolve property {name} from source {source}. Please make sure that the request to API Gateway "
            "contains all the necessary fields specified in request parameters."
        )
    return value


def _value(selection: str, known: Properties) -> str | None:
    first, _, rest = selection.partition(".")
    kind, _, name = rest.partition(".") if first == "request" else (first, "", rest)
    if kind == "body":
        return _in_body(known["body"], name)
    places = known.get(kind) or {}
    value = places.get(name.lower() if kind == "header" else name)
    if isinstance(value, list):
        return ",".join(map(str, value))
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _in_body(body: str, path: str) -> str | None:
    from jsonpath import JSONPathError, findall

    if not path:
        return body or None
    try:
        found = findall(f"$.{path.removeprefix('$.')}", json.loads(body))
    except (ValueError, JSONPathError):
        return None
    return None if not found else found[0] if isinstance(found[0], str) else json.dumps(found[0])
