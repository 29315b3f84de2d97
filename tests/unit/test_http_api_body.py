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
def test_an_authorizer_is_refused() -> None:
    """Left out in silence it would open what it guards."""
    with pytest.raises(ValueError, match="authorizer"):
        _HANDLERS["create"]("Http", {"Body": _body("/orders", security=[{"jwt": []}])}, "s")
