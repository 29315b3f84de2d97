"""
Gap: MiniStack 1.5.33 leaves open what is guarded in a way that it doesn't know; AWS refuses to make that.

A method or route of an unknown authorization type is not made. An API's ``Body`` is not imported if an operation asks
for a scheme that guards nothing here. ``x-amazon-apigateway-auth`` of an operation counts.

Source:
    https://docs.aws.amazon.com/apigateway/latest/api/API_PutMethod.html
    https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-routes.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-auth.html
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from emulator.guards import KINDS
from emulator.rest_api_security import AUTH, unguarded

_OF = {kind: known for kind, (_, known) in KINDS.items()}
_METHOD, _ROUTE = "AWS::ApiGateway::Method", "AWS::ApiGatewayV2::Route"

Properties = Mapping[str, Any]


def apply() -> None:
    """Refuse where something is made, and where it would be served all the same."""
    from ministack.services import apigateway as v2
    from ministack.services import apigateway_v1 as v1
    from ministack.services.cloudformation import provisioners

    _check_imports(v1)
    v1._put_method = _refusing(v1._put_method, v1._v1_error, _OF[_METHOD])
    v1._authorize_request_v1 = _closed(v1, v1._authorize_request_v1)
    for name in ("_create_route", "_update_route"):
        setattr(v2, name, _refusing(getattr(v2, name), v2._apigw_error, _OF[_ROUTE]))
    for kind in (_METHOD, _ROUTE):
        handlers = provisioners._RESOURCE_HANDLERS[kind]
        handlers.update({name: _raising(handlers[name], _OF[kind]) for name in ("create", "update")})


def _problem(kind: object, known: Sequence[str]) -> str:
    """Why nothing is made with the authorization type *kind*; empty if it is."""
    if kind is None or str(kind).upper() in known:
        return ""
    return f"Invalid authorization type specified. Valid values are [{', '.join(known)}]"


def _check_imports(v1: Any) -> None:
    imported, imported_operation = v1._import_rest_api, v1._import_operation

    @functools.wraps(imported)
    def import_rest_api(spec: Properties, *rest: Any, **more: Any) -> Any:
        if unknown := unguarded(spec):
            raise ValueError(f"nothing here can guard an API by {', '.join(unknown)}")
        return imported(spec, *rest, **more)

    @functools.wraps(imported_operation)
    def import_operation(
        api_id: str, resource: str, method: str, operation: Properties, *rest: Any, **more: Any
    ) -> None:
        imported_operation(api_id, resource, method, operation, *rest, **more)
        record = v1._resources[api_id][resource]["resourceMethods"][method]
        kind = ((operation or {}).get(AUTH) or {}).get("type")
        if kind and record["authorizationType"] == "NONE":
            record["authorizationType"] = kind.upper()

    v1._import_rest_api, v1._import_operation = import_rest_api, import_operation


def _refusing(make: Any, error: Any, known: Sequence[str]) -> Any:
    """*make*, answering 400 for a type that is not *known*; its last argument is the request."""

    @functools.wraps(make)
    def refusing(*arguments: Any) -> Any:
        if problem := _problem(arguments[-1].get("authorizationType"), known):
            return error("BadRequestException", problem, 400)
        return make(*arguments)

    return refusing


def _raising(handler: Any, known: Sequence[str]) -> Any:
    """CloudFormation's *handler*: the last mapping that it takes is the resource's new properties."""

    @functools.wraps(handler)
    def raising(*arguments: Any, **more: Any) -> Any:
        properties = [argument for argument in arguments if isinstance(argument, Mapping)][-1]
        if problem := _problem(properties.get("AuthorizationType"), known):
            raise ValueError(problem)
        return handler(*arguments, **more)

    return raising


def _closed(v1: Any, authorize: Any) -> Any:
    """*authorize*, letting nobody in where it does not know what to ask: a method that was changed, or made before."""

    @functools.wraps(authorize)
    async def closed(api_id: str, stage_name: str, method: Properties, *rest: Any) -> Any:
        if _problem(method.get("authorizationType") or None, _OF[_METHOD]):
            return v1._gw_error("AUTHORIZER_CONFIGURATION_ERROR", "Internal server error"), None
        return await authorize(api_id, stage_name, method, *rest)

    return closed
