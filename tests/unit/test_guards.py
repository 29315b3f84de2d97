"""What guards on AWS and not here is told before a deployment, and refused where something would be open."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from emulator.guards import lacking
from emulator.model import DriverName, Environment

_TEST = Environment(name="test", driver=DriverName.EMBEDDED, account_id="111111111111", region="us-east-1")
_STRICT = replace(_TEST, enforce_iam=True)
_DOCKER = replace(_TEST, driver=DriverName.LOCALSTACK)
_REST = "AWS::ApiGateway::RestApi"
_HTTP = "AWS::ApiGatewayV2::Api"
_SIGV4 = {"type": "apiKey", "name": "Authorization", "x-amazon-apigateway-authtype": "awsSigv4"}


def _signed(where: str) -> dict[str, Any]:
    schemes = {"iam": _SIGV4}
    holder = {"securityDefinitions": schemes} if where == _REST else {"components": {"securitySchemes": schemes}}
    return {"Body": {**holder, "paths": {"/": {"get": {"security": [{"iam": []}]}}}}}


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("AWS::ApiGateway::Method", {"AuthorizationType": "NEW"}),
        ("AWS::ApiGateway::Authorizer", {"Type": "JWT"}),
        ("AWS::ApiGatewayV2::Route", {"AuthorizationType": "COGNITO_USER_POOLS"}),
        ("AWS::ApiGatewayV2::Authorizer", {"AuthorizerType": "TOKEN"}),
        ("AWS::Lambda::Url", {"AuthType": "JWT"}),
        (_REST, {"Body": {"paths": {"/": {"get": {"security": [{"gone": []}]}}}}}),
        (_HTTP, {"Body": {"paths": {"/": {"get": {"security": [{"gone": []}]}}}}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_guard_that_the_emulator_does_not_know_is_refused(kind: str, properties: dict[str, Any]) -> None:
    """It would be open."""
    ((lacks, closest, is_refused),) = lacking(kind, properties, _TEST)
    assert "the emulator can't guard" in lacks
    assert closest
    assert is_refused


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("AWS::ApiGateway::Method", {"AuthorizationType": "AWS_IAM"}),
        ("AWS::ApiGatewayV2::Route", {"AuthorizationType": "AWS_IAM"}),
        ("AWS::Lambda::Url", {"AuthType": "AWS_IAM"}),
        (_REST, _signed(_REST)),
        (_HTTP, _signed(_HTTP)),
        (_REST, {"Policy": {"Statement": []}}),
        (_REST, {"Body": {"x-amazon-apigateway-policy": {"Statement": []}}}),
    ],
    ids=["method", "route", "URL", "Swagger", "OpenAPI", "policy", "policy in a body"],
)
def test_what_only_enforced_iam_checks_is_told(kind: str, properties: dict[str, Any]) -> None:
    """With the setting that makes it so; nothing is told where it is set."""
    ((_, closest, is_refused),) = lacking(kind, properties, _TEST)
    assert closest.startswith("enforce_iam = true")
    assert not is_refused
    assert list(lacking(kind, properties, _STRICT)) == []


@pytest.mark.parametrize(
    ("kind", "properties", "said"),
    [
        ("AWS::ApiGatewayV2::Route", {"RouteKey": "$connect", "ApiKeyRequired": True}, "no API key is asked for"),
        (_REST, {"ApiKeySourceType": "AUTHORIZER"}, "API keys are taken from the header x-api-key"),
        (_REST, {"Body": {"x-amazon-apigateway-api-key-source": "AUTHORIZER"}}, "from the header x-api-key"),
        (
            _REST,
            {
                "Body": {
                    "securityDefinitions": {"bearer": {"type": "http"}},
                    "paths": {"/": {"get": {"security": [{"bearer": []}]}}},
                }
            },
            "bearer guards nothing",
        ),
    ],
    ids=["key of a WebSocket", "key from an authorizer", "the same in a body", "scheme without an authorizer"],
)
def test_what_is_not_asked_for_is_told(kind: str, properties: dict[str, Any], said: str) -> None:
    """Nothing is open in silence."""
    ((lacks, closest, is_refused),) = lacking(kind, properties, _STRICT)
    assert said in lacks
    assert closest
    assert not is_refused


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("AWS::ApiGateway::Method", {"AuthorizationType": "CUSTOM", "ApiKeyRequired": True}),
        ("AWS::ApiGateway::Method", {"AuthorizationType": {"Ref": "Kind"}}),
        ("AWS::ApiGateway::Method", {}),
        ("AWS::ApiGateway::Authorizer", {"Type": "COGNITO_USER_POOLS"}),
        ("AWS::ApiGatewayV2::Route", {"AuthorizationType": "JWT", "ApiKeyRequired": False}),
        ("AWS::Lambda::Url", {"AuthType": "NONE"}),
        (_REST, {"Body": 3}),
        ("AWS::SQS::Queue", {"Type": "odd"}),
    ],
    ids=str,
)
def test_what_the_emulator_checks_is_not_told(kind: str, properties: dict[str, Any]) -> None:
    """No line without a reason; what a template's function says is known with the deployment, which then fails."""
    assert list(lacking(kind, properties, _TEST)) == []


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("AWS::ApiGateway::Method", {"AuthorizationType": "CUSTOM"}),
        ("AWS::ApiGateway::Method", {"AuthorizationType": {"Ref": "Kind"}}),
        ("AWS::Lambda::Url", {"AuthType": "AWS_IAM"}),
        (_REST, _signed(_REST)),
        (_REST, {"Policy": {"Statement": []}}),
    ],
    ids=["method", "unknown", "URL", "Swagger", "policy"],
)
def test_what_a_container_leaves_open_is_told(kind: str, properties: dict[str, Any]) -> None:
    """LocalStack's open source asks for API keys, and for nothing else."""
    ((_, closest, is_refused),) = lacking(kind, properties, _DOCKER)
    assert closest.startswith('driver = "embedded"')
    assert not is_refused


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("AWS::ApiGateway::Method", {"AuthorizationType": "NONE", "ApiKeyRequired": True}),
        ("AWS::ApiGateway::Method", {}),
        (_REST, {"Policy": {"Ref": "AWS::NoValue"}}),
        ("AWS::SQS::Queue", {}),
    ],
    ids=["key", "open", "no policy", "queue"],
)
def test_what_is_open_anyway_is_not_told_of_a_container(kind: str, properties: dict[str, Any]) -> None:
    """Nor is what it asks for."""
    assert list(lacking(kind, properties, _DOCKER)) == []
