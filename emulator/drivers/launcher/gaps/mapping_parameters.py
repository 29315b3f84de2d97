"""
Gap: MiniStack 1.5.33 knows no parameters of a REST API's integration but constants.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.drivers.launcher.gaps.mapping_templates import Call
from emulator.drivers.launcher.gaps.velocity import written


@dataclass(frozen=True, slots=True)
class Mapped:
    """The parameters that an integration gives its service."""

    path: Mapping[str, str]
    querystring: Mapping[str, str]
    header: Mapping[str, str]


def mapped(parameters: Mapping[str, Any], call: Call, body: str) -> Mapped:
    """What *parameters* come to for a request with this *body*; what a template has set counts more."""
    found: dict[str, dict[str, str]] = {"path": {}, "querystring": {}, "header": {}}
    for name, source in parameters.items():
        kind, _, key = name.removeprefix("integration.request.").partition(".")
        value = _value_of(str(source), call, body)
        if kind in found and value is not None:
            found[kind][key] = value
    for kind, values in (call.context.get("requestOverride") or {}).items():
        found.setdefault(kind, {}).update({name: written(value) for name, value in values.items()})
    return Mapped(found["path"], found["querystring"], found["header"])


def response_headers(
    parameters: Mapping[str, Any], call: Call, headers: Mapping[str, Any], body: str
) -> Iterator[tuple[str, str]]:
    """
    The headers that *parameters* come to.

    Args:
        headers: What the service answered, as is *body*.
    """
    for name, given in parameters.items():
        source = str(given)
        place = source.removeprefix("integration.response.")
        if place == source:
            value = _value_of(source, call, body)
        elif place.startswith("header."):
            value = _header(headers, place.removeprefix("header."))
        else:
            value = _in_json(body, place.removeprefix("body."))
        if name.startswith("method.response.header.") and value is not None:
            yield name.removeprefix("method.response.header."), value
    overrides = (call.context.get("responseOverride") or {}).get("header", {})
    yield from ((name, written(value)) for name, value in overrides.items())


def _value_of(source: str, call: Call, body: str) -> str | None:
    if source.startswith("'") and source.endswith("'"):
        return source[1:-1]
    place = source.removeprefix("method.request.")
    kind, _, key = place.partition(".")
    if place == "body":
        return body
    if kind == "body":
        return _in_json(body, key)
    if kind == "header":
        return _header(call.header, key)
    if kind == "context":
        return _text(_within(call.context, key.split(".")))
    named = {"path": call.path, "querystring": call.querystring, "stageVariables": call.stage_variables}
    return named.get(kind, {}).get(key)


def _header(headers: Mapping[str, Any], wanted: str) -> str | None:
    return next((str(value) for name, value in headers.items() if name.lower() == wanted.lower()), None)


def _within(found: Any, parts: list[str]) -> Any:
    for part in parts:
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _in_json(text: str, path: str) -> str | None:
    from jsonpath import JSONPathError, findall

    try:
        found = findall(path if path.startswith("$") else f"$.{path}", json.loads(text))
    except (ValueError, JSONPathError):
        return None
    return _text(found[0]) if found else None


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
