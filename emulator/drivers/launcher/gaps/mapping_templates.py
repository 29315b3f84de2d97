"""
Gap: MiniStack 1.5.33 knows a small part of mapping templates.

They are written in Velocity's language. No ``#foreach``, no ``#if``, little of ``$context`` and ``$util``: what it does
not know it leaves out, so that services and callers got something else than on AWS.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
"""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from emulator.drivers.launcher.gaps.velocity import evaluated

_NAMED = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_CONTROL = {chr(code): f"\\u{code:04X}" for code in range(32)}
# Of `$context`, what templates set.
_OVERRIDES = ("requestOverride", "responseOverride")
_ESCAPED = str.maketrans({**_CONTROL, **_NAMED, "\\": "\\\\", '"': '\\"', "'": "\\'", "/": "\\/"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """
    A request to an API, as templates see it.

    Attributes:
        context: What they know as ``$context``; they may set overrides in it.
    """

    context: dict[str, Any]
    stage_variables: Mapping[str, str] = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)
    querystring: Mapping[str, str] = field(default_factory=dict)
    header: Mapping[str, str] = field(default_factory=dict)

    def parameter(self, name: str) -> str:
        """Of the path, the query or the headers: the first that has it."""
        for found in (self.path, self.querystring, self.header):
            if name in found:
                return found[name]
        return {key.lower(): value for key, value in self.header.items()}.get(name.lower(), "")


current: ContextVar[Call | None] = ContextVar("multistack_call_of_an_api", default=None)


def apply() -> None:
    """Let a library render them that knows the whole language, and what AWS adds."""
    from ministack.services import apigateway_v1 as v1

    def render_request_template(template: str, body: str, params: Mapping[str, str], context: Any = None) -> str:
        call = current.get() or Call(context=dict(context or {}), header=params)
        return render(template, body, call)

    v1._render_request_template_v1 = render_request_template


def call_of(v1: Any, *called: Any, authorizer_context: Any = None, caller_identity: Any = None, **_more: Any) -> Call:
    """What templates see of a request, from what MiniStack tells of it to those who answer it."""
    event = v1._build_lambda_event_v1(*called, authorizer_context=authorizer_context, caller_identity=caller_identity)
    return Call(
        context=event["requestContext"],
        stage_variables=event["stageVariables"] or {},
        path=event["pathParameters"] or {},
        querystring=event["queryStringParameters"] or {},
        header=event["headers"] or {},
    )


def render(template: str, body: str, call: Call) -> str:
    """*template* for a request or an answer with this *body*."""
    if "$" not in template and "#" not in template:
        return template
    call.context.setdefault("responseOverride", {"header": {}})
    call.context.setdefault("requestOverride", {"header": {}, "path": {}, "querystring": {}})
    names = {
        "input": _Input(body, call),
        "util": _Util(),
        "context": _Known(call.context),
        "stageVariables": _Known(call.stage_variables),
    }
    return evaluated(template, names)


def overridden(call: Call, status: int) -> int:
    """The status that a template has set, else *status*."""
    found = str((call.context.get("responseOverride") or {}).get("status"))
    return int(found) if found.isdigit() else status


class _Known(dict[str, Any]):
    """What isn't in it is an empty text; what is set in mappings within it is set in the original."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(
            {
                key: _Known(one) if isinstance(one, dict) and key not in _OVERRIDES else one
                for key, one in values.items()
            }
        )

    def __missing__(self, key: str) -> str:
        return ""


class _Input:
    def __init__(self, body: str, call: Call) -> None:
        self.body = body or "{}"
        self._call = call

    def path(self, path: str) -> Any:
        found = self._found(path)
        return "" if found is None else found

    def _found(self, path: str) -> Any:
        """What is there; a list of everything where a path may lead to several places."""
        from jsonpath import JSONPath, JSONPathError, compile

        try:
            compiled = compile(path)
            found = compiled.findall(json.loads(self.body))
        except (ValueError, JSONPathError):
            return None
        if isinstance(compiled, JSONPath) and compiled.singular_query():
            return found[0] if found else None
        return found

    def json(self, path: str) -> str:
        found = self._found(path)
        return '""' if found is None else json.dumps(found, separators=(",", ":"), ensure_ascii=False)

    def params(self, name: str | None = None) -> Any:
        if name is not None:
            return self._call.parameter(name)
        call = self._call
        return {"path": dict(call.path), "querystring": dict(call.querystring), "header": dict(call.header)}


class _Util:
    def escapeJavaScript(self, text: Any) -> str:  # noqa: N802 (as templates call it)
        return _text(text).translate(_ESCAPED)

    def parseJson(self, text: Any) -> Any:  # noqa: N802
        return json.loads(_text(text))

    def urlEncode(self, text: Any) -> str:  # noqa: N802
        return urllib.parse.quote_plus(_text(text), safe="*").replace("~", "%7E")

    def urlDecode(self, text: Any) -> str:  # noqa: N802
        return urllib.parse.unquote_plus(_text(text))

    def base64Encode(self, text: Any) -> str:  # noqa: N802
        return base64.b64encode(_text(text).encode()).decode()

    def base64Decode(self, text: Any) -> str:  # noqa: N802
        return base64.b64decode(_text(text)).decode(errors="replace")


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
