"""
Gap: MiniStack 1.5.33 lets REST APIs call functions and queues, and answers 504 for every other service.

Here they call whatever the emulator has: ``<service>:action/<Action>`` and ``<service>:path/<path>``. What is asked and
answered goes through the mapping templates. So does what a function is asked that isn't called as a proxy: MiniStack
gives it the event of a proxy, and answers 200 for its errors. And it does not read ``~1`` in binary media types.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-integration-settings-integration-response.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html
"""

from __future__ import annotations

import functools
import json
import logging
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from emulator.drivers.launcher.gaps.mapping_parameters import Mapped, mapped, response_headers
from emulator.drivers.launcher.gaps.mapping_templates import Call, call_of, current, overridden, render

_JSON = {"Content-Type": "application/json"}
FAILED = (500, {**_JSON, "x-amzn-ErrorType": "InternalServerErrorException"}, b'{"message": "Internal server error"}')
# As API Gateway calls them, and as botocore does.
_MODELS = {"states": "stepfunctions", "monitoring": "cloudwatch"}

Properties = Mapping[str, Any]

_log = logging.getLogger("multistack.apigateway")


def apply() -> None:
    """Call services as a REST API's integration says."""
    from ministack.services import apigateway_v1 as v1

    for name in ("_invoke_lambda_proxy_v1", "_invoke_sqs_v1"):
        setattr(v1, name, _known(v1, getattr(v1, name)))
    v1._invoke_lambda_custom_v1 = _known(v1, _integrate)
    is_binary = v1._media_type_matches
    v1._media_type_matches = lambda kind, patterns: is_binary(kind, [one.replace("~1", "/") for one in patterns or []])


def _known(v1: Any, invoke: Any) -> Any:
    """*invoke* with what templates may ask for."""

    @functools.wraps(invoke)
    async def invoke_known(integration: Properties, *called: Any, **more: Any) -> Any:
        token = current.set(call_of(v1, *called, **more))
        try:
            return await invoke(integration, *called, **more)
        finally:
            current.reset(token)

    return invoke_known


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What a service is asked: its name, how, and with what."""

    service: str
    verb: str
    rest: str
    method: str
    content_type: str
    body: bytes
    parameters: Mapped


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said; *outcome* is what the patterns of an integration's responses are held against."""

    outcome: str
    headers: Mapping[str, str]
    body: bytes


async def _integrate(integration: Properties, *called: Any, **more: Any) -> Any:
    """Ask the service that the integration's URI names, and answer as its responses say."""
    from ministack.core.responses import get_account_id, get_region, request_scope
    from ministack.services import apigateway_v1 as v1

    headers, sent = called[6], called[7] or b""
    body = _text(sent)
    call = current.get() or call_of(v1, *called, **more)
    content_type = str(v1._header_ci(headers, "content-type") or "application/json")
    template = by_type(integration.get("requestTemplates") or {}, content_type)
    uri = integration.get("uri", "")
    region, service, verb, rest = v1._parse_service_integration_uri(uri) or ("", "lambda", "", "")
    request = _Request(
        service=service,
        verb=verb,
        rest=v1._extract_lambda_ref_from_integration_uri(uri) if service == "lambda" else rest,
        method=str(integration.get("httpMethod") or "POST"),
        content_type=content_type,
        body=sent if template is None else render(template, body, call).encode(),
        parameters=mapped(integration.get("requestParameters") or {}, call, body),
    )
    account, own = more.get("owner_account_id") or get_account_id(), more.get("owner_region") or get_region()
    with request_scope(account, region or own):
        answer = await (_from_function if service == "lambda" else _from_service)(request)
    return FAILED if answer is None else response(integration, answer, call, headers)


async def _from_function(request: _Request) -> Answer | None:
    """What a function answers; None when Lambda refuses the call."""
    from ministack import app
    from ministack.services import apigateway_v1 as v1

    try:
        event = json.loads(request.body) if request.body.strip() else {}
    except ValueError:
        _log.warning("a REST API answers 500: what it makes for a function is no JSON: %s", _text(request.body[:500]))
        return None
    how = {name.lower(): value for name, value in request.parameters.header.items()}
    if how.get("x-amz-invocation-type") == "Event":
        path = f"/2015-03-31/functions/{urllib.parse.quote(request.rest, safe=':')}/invocations"
        headers = {"x-amz-invocation-type": "Event"}
        status, _, _ = await app.SERVICE_HANDLERS["lambda"]("POST", path, headers, json.dumps(event).encode(), {})
        return Answer("", {}, b"") if status < 300 else None
    result, problem = await v1._call_lambda_raw(request.rest, event)
    if problem or result.get("throttle"):
        return None
    said = result.get("body")
    content = bytes(said) if isinstance(said, bytes | bytearray) else json.dumps(said, ensure_ascii=False).encode()
    if not result.get("error"):
        return Answer("", {}, content)
    return Answer(str(said.get("errorMessage") if isinstance(said, dict) else said) or "Error", {}, content)


async def _from_service(request: _Request) -> Answer | None:
    from ministack import app

    handler = app.SERVICE_HANDLERS.get(request.service)
    if handler is None:
        _log.warning("a REST API answers 500: the emulator has no service %s", request.service)
        return None
    path, query, body = "/", dict(request.parameters.querystring), request.body
    method, headers = request.method, {"content-type": request.content_type}
    if request.verb != "action":
        path = f"/{request.rest}"
        for name, value in request.parameters.path.items():
            path = path.replace(f"{{{name}}}", value)
    elif (protocols := protocols_of(request.service)) is None:
        _log.warning("a REST API answers 500: nothing is known of actions of %s", request.service)
        return None
    elif "json" in protocols and not ("query" in protocols and (query or _is_form(body))):
        headers = dict(target_of(request.service, request.rest))
    else:
        form = {**dict(urllib.parse.parse_qsl(_text(body))), **query, "Action": request.rest}
        method, body, query = "POST", urllib.parse.urlencode(form).encode(), {}
        headers = {"content-type": "application/x-www-form-urlencoded"}
    headers |= {name.lower(): value for name, value in request.parameters.header.items()}
    listed = {name: [value] for name, value in query.items()}
    status, answered, content = await handler(method, path, headers, body, listed)
    said = bytes(content) if isinstance(content, bytes | bytearray) else str(content or "").encode()
    return Answer(str(status), answered, _as_json(said) if request.verb == "action" else said)


def _is_form(body: bytes) -> bool:
    return b"=" in body and not body.lstrip().startswith(b"{")


@functools.cache
def _metadata(service: str) -> Mapping[str, Any]:
    import botocore.session

    found: Mapping[str, Any] = botocore.session.get_session().get_service_model(_MODELS.get(service, service)).metadata
    return found


def protocols_of(service: str) -> frozenset[str] | None:
    """What a service speaks, ``query`` too where it is kept for old clients; None for one that AWS's client lacks."""
    from botocore.exceptions import UnknownServiceError

    try:
        metadata = _metadata(service)
    except UnknownServiceError:
        return None
    also = ["query"] if "awsQueryCompatible" in metadata else []
    return frozenset([*(metadata.get("protocols") or [metadata["protocol"]]), *also])


def target_of(service: str, action: str) -> Mapping[str, str]:
    """The headers that name an *action* of a service which speaks JSON."""
    metadata = _metadata(service)
    version, prefix = metadata.get("jsonVersion", "1.1"), metadata.get("targetPrefix", "")
    return {"content-type": f"application/x-amz-json-{version}", "x-amz-target": f"{prefix}.{action}"}


def _text(content: bytes) -> str:
    return content.decode("utf-8", errors="replace")


def _as_json(said: bytes) -> bytes:
    """API Gateway asks actions for JSON; one that answers XML is answered for by the same elements."""
    if not said.lstrip().startswith(b"<"):
        return said
    try:
        root = ElementTree.fromstring(said)  # noqa: S314 (the emulator wrote it)
    except ElementTree.ParseError:
        return said
    return json.dumps({_name(root): _content(root)}).encode()


def _content(element: ElementTree.Element) -> Any:
    children = list(element)
    if not children:
        return element.text
    if {_name(child) for child in children} == {"member"}:
        return [_content(child) for child in children]
    return {_name(child): _content(child) for child in children}


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def response(integration: Properties, answer: Answer, call: Call, headers: Properties) -> Any:
    """What an *integration* answers for what it was answered itself; *headers* are those of the request."""
    selected = _selected(integration.get("integrationResponses") or {}, answer.outcome)
    if selected is None:
        return FAILED
    templates = selected.get("responseTemplates") or {}
    template = by_type(templates, str(headers.get("accept") or "")) or by_type(templates, "application/json")
    text = _text(answer.body)
    body = render(template, text, call).encode() if template else answer.body
    status = overridden(call, int(selected.get("statusCode") or 200))
    parameters = selected.get("responseParameters") or {}
    return status, {**_JSON, **dict(response_headers(parameters, call, answer.headers, text))}, body


def _selected(responses: Properties, outcome: str) -> Properties | None:
    """Of several whose pattern matches, the one that has the outcome as its own status; the default if none does."""
    known = [dict(one or {}) for one in responses.values()]
    matching = [one for one in known if (pattern := one.get("selectionPattern")) and _matches(pattern, outcome)]
    matching.sort(key=lambda one: str(one.get("statusCode")) != outcome)
    return next(iter([*matching, *(one for one in known if not one.get("selectionPattern"))]), None)


def _matches(pattern: str, outcome: str) -> bool:
    return outcome != "" and re.fullmatch(pattern, outcome, re.DOTALL) is not None


def by_type(templates: Properties, content_type: str) -> Any:
    """The template for a content type; None without one."""
    wanted = content_type.partition(",")[0].partition(";")[0].strip().lower()
    return next((one for key, one in templates.items() if key.partition(";")[0].strip().lower() == wanted), None)
