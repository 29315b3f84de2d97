"""
Gap: MiniStack 1.5.33 ignores the ``Body`` of an ``AWS::ApiGatewayV2::Api`` that CloudFormation creates.

SAM writes every route of an ``AWS::Serverless::HttpApi`` that way, so such an API would answer 404 to everything.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-open-api.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from emulator.http_api_security import authorization, schemes

_TYPE = "AWS::ApiGatewayV2::Api"
_METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
_ANY_METHOD = "x-amazon-apigateway-any-method"
_INTEGRATION = "x-amazon-apigateway-integration"

Properties = Mapping[str, Any]


def apply() -> None:
    """Let creating and updating such an API bring its routes along."""
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS[_TYPE]
    created, updated = handlers["create"], handlers["update"]

    def create(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Any]:
        known = _with_cors(properties)
        api_id, attributes = created(logical_id, known, stack_name)
        try:
            _add_routes(api_id, properties)
        except Exception:
            handlers["delete"](api_id, properties)
            raise
        return api_id, attributes

    def update(
        physical_id: str, old: Properties, new: Properties, stack_name: str, logical_id: str | None = None
    ) -> tuple[str, Any]:
        known = _with_cors(new)
        api_id, attributes = updated(physical_id, old, known, stack_name, logical_id)
        _remove_routes(physical_id, old)
        _add_routes(api_id, new)
        return api_id, attributes

    handlers.update(create=create, update=update)


def _with_cors(properties: Properties) -> Properties:
    """What MiniStack understands of *properties*."""
    cors = (properties.get("Body") or {}).get("x-amazon-apigateway-cors")
    return {**properties, "CorsConfiguration": cors} if cors else properties


def _operations(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Route key, e.g. ``GET /orders`` or ``$default``, and operation object."""
    for path, item in (body.get("paths") or {}).items():
        for method, operation in item.items():
            if path == "$default":
                yield path, operation
            elif method == _ANY_METHOD:
                yield f"ANY {path}", operation
            elif method in _METHODS:
                yield f"{method.upper()} {path}", operation


def _add_routes(api_id: str, properties: Properties) -> None:
    from ministack.services import apigateway

    body = properties.get("Body") or {}
    authorizers = _add_authorizers(api_id, body)
    for route_key, operation in _operations(body):
        wanted = operation.get(_INTEGRATION)
        if wanted is None:
            continue
        status, _, answer = apigateway._create_integration(
            api_id,
            {
                "integrationType": wanted["type"].upper(),
                "integrationUri": wanted.get("uri", ""),
                "integrationSubtype": wanted.get("integrationSubtype") or wanted.get("subtype"),
                "credentialsArn": wanted.get("credentials"),
                "requestParameters": wanted.get("requestParameters"),
                "responseParameters": wanted.get("responseParameters"),
                "integrationMethod": wanted.get("httpMethod", "POST"),
                "payloadFormatVersion": wanted.get("payloadFormatVersion", "2.0"),
                "timeoutInMillis": wanted.get("timeoutInMillis", 30000),
            },
        )
        if status >= 400:
            raise ValueError(f"{route_key}: {json.loads(answer)['message']}")
        target = f"integrations/{json.loads(answer)['integrationId']}"
        found = authorization(body, operation)
        guard = {
            "authorizationType": found.type,
            "authorizationScopes": list(found.scopes),
            "authorizerId": authorizers.get(found.scheme),
        }
        apigateway._create_route(api_id, {"routeKey": route_key, "target": target, **guard})


def _add_authorizers(api_id: str, body: Mapping[str, Any]) -> Mapping[str, str]:
    """Name of a scheme to the id of its authorizer."""
    from ministack.services import apigateway

    made = {}
    for name, scheme in schemes(body).items():
        if (wanted := scheme.get("x-amazon-apigateway-authorizer")) is None:
            continue
        source = wanted.get("identitySource", ["$request.header.Authorization"])
        content = {
            **wanted,
            "name": name,
            "authorizerType": wanted["type"].upper(),
            "identitySource": [one.strip() for one in source.split(",")] if isinstance(source, str) else source,
        }
        status, _, answer = apigateway._create_authorizer(api_id, content)
        if status >= 400:
            raise ValueError(f"authorizer {name}: {answer.decode()}")
        made[name] = json.loads(answer)["authorizerId"]
    return made


def _remove_routes(api_id: str, properties: Properties) -> None:
    """Take away what :func:`_add_routes` made; routes and authorizers that are resources of their own stay."""
    from ministack.services import apigateway

    body = properties.get("Body") or {}
    authorizers = apigateway._authorizers.get(api_id, {})
    for authorizer_id, authorizer in list(authorizers.items()):
        if authorizer["name"] in schemes(body):
            del authorizers[authorizer_id]
    keys = {key for key, _ in _operations(body)}
    for route_id, route in list(apigateway._routes.get(api_id, {}).items()):
        if route["routeKey"] in keys:
            apigateway._integrations[api_id].pop(route["target"].removeprefix("integrations/"), None)
            del apigateway._routes[api_id][route_id]
