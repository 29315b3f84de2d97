"""REST APIs that a template writes down as OpenAPI, as SAM does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.conformance.account import Account, Api, Function, answering
from tests.conformance.cases import case
from tests.conformance.stack_templates import failing

_EXTENSIONS = "https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html"
_REST_API = (
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-restapi.html"
)
_PREFIX = "x-amazon-apigateway-"
_GAP = "rest_api_import"

Properties = Mapping[str, Any]


@pytest.fixture
def function(account: Account) -> Function:
    """A function that APIs may call and that answers "one"."""
    made = account.function(answering("one"))
    account.allow_apis(made)
    return made


def _proxied(function: Function, **more: Any) -> dict[str, Any]:
    return {**more, f"{_PREFIX}integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": function.uri()}}


def _template(paths: Properties, *, deployment: str = "Deployment", **more: Any) -> dict[str, Any]:
    """An API of *paths* and its stage ``live``; *more* goes to the top of the document."""
    api = {"Ref": "Api"}
    body = {"openapi": "3.0.1", "info": {"title": "api", "version": "1"}, "paths": dict(paths), **more}
    stage = {"RestApiId": api, "StageName": "live", "DeploymentId": {"Ref": deployment}}
    return {
        "Resources": {
            "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": body}},
            deployment: {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": api}},
            "Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": stage},
        }
    }


def _made(account: Account, template: Properties) -> Api:
    return Api(account.physical_id(account.create_stack(template), "Api"))


@case(rule=8, source=_REST_API, gap="rest_api_id")
def test_new_routes_keep_the_id(account: Account, function: Function) -> None:
    """A stack update that changes an API's routes keeps its id, and a new deployment serves them."""
    stack = account.create_stack(_template({"/x": {"get": _proxied(function)}}))
    api = Api(account.physical_id(stack, "Api"))
    paths = {"/x": {"get": _proxied(function)}, "/y/{id}": {"get": _proxied(function)}}
    account.update_stack(stack, _template(paths, deployment="Second"))
    assert account.physical_id(stack, "Api") == api.id
    assert [account.call(api, "live", path).status for path in ("/x", "/y/7")] == [200, 200]


@case(rule=8, source=_REST_API, gap="rest_api_id")
def test_new_routes_wait_for_a_deployment(account: Account, function: Function) -> None:
    """A stack update that changes the routes of an API but makes no deployment leaves what is served."""
    stack = account.create_stack(_template({"/x": {"get": _proxied(function)}}))
    api = Api(account.physical_id(stack, "Api"))
    account.update_stack(stack, _template({"/y": {"get": _proxied(function)}}))
    assert account.physical_id(stack, "Api") == api.id
    assert [account.call(api, "live", path).status for path in ("/x", "/y")] == [200, 403]


@case(rule=8, source=_REST_API)
def test_a_failed_update_serves_the_old_routes(account: Account, function: Function) -> None:
    """A stack update that fails after the stage has moved to new routes brings the old ones back."""
    stack = account.create_stack(_template({"/x": {"get": _proxied(function)}}))
    api = Api(account.physical_id(stack, "Api"))
    template = _template({"/y": {"get": _proxied(function)}}, deployment="Second")
    template["Resources"]["Bad"] = {**failing(), "DependsOn": "Stage"}
    account.update_stack(stack, template)
    assert account.stack_settled(stack)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert account.physical_id(stack, "Api") == api.id
    assert [account.call(api, "live", path).status for path in ("/x", "/y")] == [200, 403]


@case(rule=8, source=_EXTENSIONS, gap=_GAP)
def test_an_imported_preflight_answers_its_headers(account: Account, function: Function) -> None:
    """A mocked OPTIONS of an imported API, SAM's way to allow CORS, answers with the headers it says."""
    header = "method.response.header.Access-Control-Allow-Origin"
    mock = {
        "type": "mock",
        "requestTemplates": {"application/json": '{"statusCode": 200}'},
        "responses": {"default": {"statusCode": "200", "responseParameters": {header: "'https://example.com'"}}},
    }
    paths = {"/x": {"get": _proxied(function), "options": {f"{_PREFIX}integration": mock}}}
    answer = account.call(_made(account, _template(paths)), "live", method="OPTIONS")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    assert answer.status == 200
    assert headers["access-control-allow-origin"] == "https://example.com"


@case(rule=8, source=_EXTENSIONS, gap=_GAP)
def test_an_imported_validator_validates(account: Account, function: Function) -> None:
    """Required parameters and models of an imported API are validated."""
    schema = {"type": "object", "required": ["qty"], "properties": {"qty": {"type": "integer"}}}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}
    wanted = [{"name": "q", "in": "query", "required": True, "schema": {"type": "string"}}]
    paths = {
        "/x": {
            "get": _proxied(function, parameters=wanted),
            "post": _proxied(function, requestBody={"content": content}),
        }
    }
    more: dict[str, Any] = {
        "components": {"schemas": {"Order": schema}},
        f"{_PREFIX}request-validators": {"all": {"validateRequestBody": True, "validateRequestParameters": True}},
        f"{_PREFIX}request-validator": "all",
    }
    api = _made(account, _template(paths, **more))
    assert [account.call(api, "live", path).status for path in ("/x", "/x?q=1")] == [400, 200]
    bodies: list[Any] = [{"qty": "many"}, {"qty": 1}]
    assert [account.call(api, "live", method="POST", body=body).status for body in bodies] == [400, 200]


@case(rule=8, source=_EXTENSIONS, gap=_GAP)
def test_an_imported_gateway_response_is_answered(account: Account, function: Function) -> None:
    """Gateway responses of an imported API are answered."""
    responses = {"MISSING_AUTHENTICATION_TOKEN": {"statusCode": 404}}
    more: dict[str, Any] = {f"{_PREFIX}gateway-responses": responses}
    api = _made(account, _template({"/x": {"get": _proxied(function)}}, **more))
    assert account.call(api, "live", "/nothing").status == 404
