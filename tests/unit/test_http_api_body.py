"""The gap that ``emulator.drivers.launcher.gaps.http_api_body`` fills."""

from __future__ import annotations

from typing import Any

import pytest
from ministack.services import apigateway
from ministack.services.cloudformation import provisioners

from emulator.drivers.launcher.gaps import http_api_body

_HANDLERS = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]


def _body(*paths: str, **operation: Any) -> dict[str, Any]:
    integration = {"type": "aws_proxy", "uri": "arn:aws:lambda:us-east-1:1:function:f", "httpMethod": "POST"}
    content = {"x-amazon-apigateway-integration": integration, **operation}
    methods = {"$default": "x-amazon-apigateway-any-method"}
    return {"paths": {path: {methods.get(path, "get"): content} for path in paths}}


def _route_keys(api_id: str) -> set[str]:
    return {route["routeKey"] for route in apigateway._routes[api_id].values()}


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The addition, for this test only."""
    for name in ("create", "update"):
        monkeypatch.setitem(_HANDLERS, name, _HANDLERS[name])
    http_api_body.apply()


def test_ministack_still_ignores_the_body() -> None:
    """When this fails, MiniStack imports it itself: delete http_api_body.py and this file."""
    api_id, _ = _HANDLERS["create"]("Http", {"Body": _body("/orders")}, "s")
    assert _route_keys(api_id) == set()


@pytest.mark.usefixtures("filled")
def test_a_body_brings_its_routes() -> None:
    """With the addition, every operation is a route with an integration."""
    api_id, _ = _HANDLERS["create"]("Http", {"Body": _body("/orders", "$default")}, "s")
    assert _route_keys(api_id) == {"GET /orders", "$default"}
    assert len(apigateway._integrations[api_id]) == 2


@pytest.mark.usefixtures("filled")
def test_an_update_replaces_the_routes_of_the_body_only() -> None:
    """A route that is a resource of its own stays."""
    api_id, _ = _HANDLERS["create"]("Http", {"Body": _body("/old")}, "s")
    apigateway._create_route(api_id, {"routeKey": "GET /own"})
    _HANDLERS["update"](api_id, {"Body": _body("/old")}, {"Body": _body("/new")}, "s", "Http")
    assert _route_keys(api_id) == {"GET /new", "GET /own"}
    assert len(apigateway._integrations[api_id]) == 1


@pytest.mark.usefixtures("filled")
def test_an_authorizer_of_the_body_guards_its_routes_and_is_replaced_with_them() -> None:
    """One on record that no route asks would leave them open."""
    asks = {"jwt": {"x-amazon-apigateway-authorizer": {"type": "jwt", "identitySource": "$request.header.A"}}}
    body = {**_body("/orders", security=[{"jwt": ["read"]}]), "components": {"securitySchemes": asks}}
    api_id, _ = _HANDLERS["create"]("Http", {"Body": body}, "s")
    (route,), (made,) = apigateway._routes[api_id].values(), apigateway._authorizers[api_id].values()
    assert (route["authorizationType"], route["authorizationScopes"]) == ("JWT", ["read"])
    assert route["authorizerId"] == made["authorizerId"]
    assert (made["authorizerType"], made["identitySource"]) == ("JWT", ["$request.header.A"])
    _HANDLERS["update"](api_id, {"Body": body}, {"Body": _body("/orders")}, "s", "Http")
    (route,) = apigateway._routes[api_id].values()
    assert route["authorizationType"] == "NONE"
    assert apigateway._authorizers[api_id] == {}


@pytest.mark.usefixtures("filled")
def test_what_can_not_be_guarded_is_not_made() -> None:
    """Left out in silence, the scheme would open what it guards; the API is taken back."""
    before = set(apigateway._apis)
    with pytest.raises(ValueError, match="key"):
        _HANDLERS["create"]("Http", {"Body": _body("/orders", security=[{"key": []}])}, "s")
    assert set(apigateway._apis) == before
