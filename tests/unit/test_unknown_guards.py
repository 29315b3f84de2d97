"""The gap that ``emulator.drivers.launcher.gaps.unknown_guards`` fills."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from ministack.services import apigateway as v2
from ministack.services import apigateway_v1 as v1
from ministack.services.cloudformation import provisioners

from emulator.drivers.launcher.gaps import unknown_guards

_HANDLERS = provisioners._RESOURCE_HANDLERS


def _body(**operation: Any) -> dict[str, Any]:
    integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": "arn"}
    return {"paths": {"/": {"get": {"x-amazon-apigateway-integration": integration, **operation}}}}


def _authorization(api_id: str) -> Any:
    (resource,) = v1._resources[api_id].values()
    return resource["resourceMethods"]["GET"]["authorizationType"]


def _authorize(method: dict[str, Any]) -> Any:
    call = ("api", "live", method, "GET", "/", {}, {}, b"", {}, {}, {}, "111111111111", "us-east-1")
    return asyncio.run(v1._authorize_request_v1(*call))


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The addition, for this test only."""
    for name in ("_import_rest_api", "_import_operation", "_put_method", "_authorize_request_v1"):
        monkeypatch.setattr(v1, name, getattr(v1, name))
    for name in ("_create_route", "_update_route"):
        monkeypatch.setattr(v2, name, getattr(v2, name))
    for kind in ("AWS::ApiGateway::Method", "AWS::ApiGatewayV2::Route"):
        for name in ("create", "update"):
            monkeypatch.setitem(_HANDLERS[kind], name, _HANDLERS[kind][name])
    unknown_guards.apply()


def test_ministack_still_leaves_open_what_it_does_not_know() -> None:
    """When this fails, MiniStack refuses it itself: delete unknown_guards.py and this file."""
    assert _authorize({"authorizationType": "NEW"}) == (None, None)
    assert _authorization(v1._import_rest_api(_body(security=[{"gone": []}]))) == "NONE"
    assert _authorization(v1._import_rest_api(_body(**{"x-amazon-apigateway-auth": {"type": "AWS_IAM"}}))) == "NONE"


@pytest.mark.usefixtures("filled")
def test_nobody_comes_in_where_it_is_unknown_what_to_ask() -> None:
    """A method may have been changed to it, or be of a state that was saved before."""
    error, context = _authorize({"authorizationType": "NEW"})
    assert (error.response_type, context) == ("AUTHORIZER_CONFIGURATION_ERROR", None)
    assert _authorize({"authorizationType": "NONE"}) == (None, None)


@pytest.mark.usefixtures("filled")
def test_a_definition_with_an_unknown_scheme_is_not_imported() -> None:
    """The stack fails, and says by what."""
    with pytest.raises(ValueError, match="nothing here can guard an API by gone"):
        v1._import_rest_api(_body(security=[{"gone": []}]))


@pytest.mark.usefixtures("filled")
def test_an_operation_may_say_itself_that_iam_guards_it() -> None:
    """Without a scheme."""
    assert _authorization(v1._import_rest_api(_body(**{"x-amazon-apigateway-auth": {"type": "aws_iam"}}))) == "AWS_IAM"
    assert _authorization(v1._import_rest_api(_body(**{"x-amazon-apigateway-auth": {"type": "NONE"}}))) == "NONE"


@pytest.mark.usefixtures("filled")
def test_a_method_of_an_unknown_type_is_not_made(api_id: str) -> None:
    """By a call: 400. By a template: the stack fails."""
    (root,) = v1._resources[api_id]
    status, _, said = v1._put_method(api_id, root, "GET", {"authorizationType": "NEW"})
    assert status == 400
    assert b"Valid values are [AWS_IAM, COGNITO_USER_POOLS, CUSTOM, NONE]" in said
    assert v1._put_method(api_id, root, "GET", {"authorizationType": "NONE"})[0] == 201
    properties = {"RestApiId": api_id, "ResourceId": root, "HttpMethod": "GET"}
    make, change = (_HANDLERS["AWS::ApiGateway::Method"][name] for name in ("create", "update"))
    with pytest.raises(ValueError, match="Invalid authorization type"):
        make("Get", {**properties, "AuthorizationType": "NEW"}, "s")
    physical_id, _ = make("Get", properties, "s")
    with pytest.raises(ValueError, match="Invalid authorization type"):
        change(physical_id, properties, {**properties, "AuthorizationType": "NEW"}, "s")


@pytest.mark.usefixtures("filled")
def test_a_route_of_an_unknown_type_is_not_made() -> None:
    """As with methods; what guards a REST API may be unknown to an HTTP API."""
    api = json.loads(v2._create_api({"name": "api", "protocolType": "HTTP"})[2])["apiId"]
    assert v2._create_route(api, {"routeKey": "GET /", "authorizationType": "COGNITO_USER_POOLS"})[0] == 400
    status, _, made = v2._create_route(api, {"routeKey": "GET /", "authorizationType": "JWT"})
    assert status == 201
    assert v2._update_route(api, json.loads(made)["routeId"], {"authorizationType": "NEW"})[0] == 400
    with pytest.raises(ValueError, match="Invalid authorization type"):
        _HANDLERS["AWS::ApiGatewayV2::Route"]["create"](
            "Get", {"ApiId": api, "RouteKey": "GET /", "AuthorizationType": "NEW"}, "s"
        )
