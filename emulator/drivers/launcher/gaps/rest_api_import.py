"""
Gap: MiniStack 1.5.33 imports only type, method and URI of the integrations in the ``Body`` of a REST API.

SAM writes CORS, request validation, gateway responses and resource policies there; without them a template deploys, but
does not do what it says.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

_EXTENSION = "x-amazon-apigateway-"
_METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "any"}
_INTEGRATION = {
    "credentials",
    "requestParameters",
    "requestTemplates",
    "passthroughBehavior",
    "timeoutInMillis",
    "cacheKeyParameters",
    "contentHandling",
    "connectionType",
}
_PLACES = {"query": "querystring", "header": "header", "path": "path"}

Properties = Mapping[str, Any]


def apply() -> None:
    """Let the import bring the rest along."""
    from ministack.services import apigateway_v1 as v1

    imported = v1._import_rest_api

    @functools.wraps(imported)
    def import_rest_api(spec: Properties, base_data: Properties | None = None) -> str:
        api_id = str(imported(spec, base_data))
        _import_api(v1, api_id, spec)
        validators = _import_validators(v1, api_id, spec)
        for name, schema in _schemas(spec).items():
            v1._create_model(api_id, {"name": name, "contentType": "application/json", "schema": json.dumps(schema)})
        for method, integration_of, operation in _operations(v1, api_id, spec):
            _import_method(method, operation, validators, spec.get(f"{_EXTENSION}request-validator"))
            _import_integration(v1, api_id, integration_of, operation.get(f"{_EXTENSION}integration"))
        return api_id

    v1._import_rest_api = import_rest_api


def _import_api(v1: Any, api_id: str, spec: Properties) -> None:
    api = v1._rest_apis[api_id]
    policy, binary = spec.get(f"{_EXTENSION}policy"), spec.get(f"{_EXTENSION}binary-media-types")
    if policy and not api.get("policy"):
        api["policy"] = json.dumps(policy)
    if binary and not api.get("binaryMediaTypes"):
        api["binaryMediaTypes"] = list(binary)
    for kind, response in (spec.get(f"{_EXTENSION}gateway-responses") or {}).items():
        v1._put_gateway_response(api_id, kind, dict(response))


def _import_validators(v1: Any, api_id: str, spec: Properties) -> Mapping[str, str]:
    """Make the validators; returns their ids by name."""
    made = {}
    for name, wanted in (spec.get(f"{_EXTENSION}request-validators") or {}).items():
        _, _, answer = v1._create_request_validator(api_id, {**wanted, "name": name})
        made[name] = json.loads(answer)["id"]
    return made


def _schemas(spec: Properties) -> Properties:
    """The models, from Swagger 2.0 or OpenAPI 3."""
    return spec.get("definitions") or (spec.get("components") or {}).get("schemas") or {}


def _operations(v1: Any, api_id: str, spec: Properties) -> Iterator[tuple[dict[str, Any], tuple[str, str], Properties]]:
    """Each imported method: its record, its resource's id and HTTP method, its operation with all parameters."""
    by_path = {resource["path"]: (key, resource) for key, resource in v1._resources[api_id].items()}
    for path, item in (spec.get("paths") or {}).items():
        key, resource = by_path.get(path.rstrip("/") or "/", (None, {}))
        for name, operation in item.items():
            method = "ANY" if name == f"{_EXTENSION}any-method" else name.upper()
            record = (resource.get("resourceMethods") or {}).get(method)
            if record is not None and operation and method.lower() in _METHODS:
                shared = list(item.get("parameters") or [])
                yield (
                    record,
                    (str(key), method),
                    {**operation, "parameters": shared + (operation.get("parameters") or [])},
                )


def _import_method(
    method: dict[str, Any], operation: Properties, validators: Mapping[str, str], default: str | None
) -> None:
    """Its validator, and what there is to validate."""
    validator = operation.get(f"{_EXTENSION}request-validator", default)
    if validator in validators:
        method["requestValidatorId"] = validators[validator]
    parameters = method.setdefault("requestParameters", {}) or {}
    models = method.setdefault("requestModels", {}) or {}
    for parameter in operation["parameters"]:
        place = _PLACES.get(parameter.get("in", ""))
        if place:
            parameters[f"method.request.{place}.{parameter['name']}"] = bool(parameter.get("required"))
        elif parameter.get("in") == "body" and (model := _model(parameter.get("schema"))):
            models["application/json"] = model
    for kind, content in ((operation.get("requestBody") or {}).get("content") or {}).items():
        if model := _model(content.get("schema")):
            models[kind] = model
    method["requestParameters"], method["requestModels"] = parameters, models


def _model(schema: Properties | None) -> str:
    """The model that a schema refers to; empty for one written in place."""
    return str((schema or {}).get("$ref", "")).rpartition("/")[2]


def _import_integration(v1: Any, api_id: str, of: tuple[str, str], wanted: Properties | None) -> None:
    if not wanted:
        return
    resource, method = of
    integration = v1._resources[api_id][resource]["resourceMethods"][method]["methodIntegration"]
    integration.update({name: wanted[name] for name in _INTEGRATION & wanted.keys()})
    for pattern, response in (wanted.get("responses") or {}).items():
        given = {"selectionPattern": "" if pattern == "default" else pattern, **response}
        v1._put_integration_response(api_id, resource, method, str(response.get("statusCode", "200")), given)
