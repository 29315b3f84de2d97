"""Permission to call a function: an API has it for a function, or for one qualifier of it, or not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.account import Account, Api, Function, answering, unique
from tests.conformance.cases import case

_PERMISSION = "https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html"
_FROM_APIS = "https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html"
_VARIABLE = "https://repost.aws/knowledge-center/api-gateway-lambda-stage-variable-500"
_HTTP = "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html"
_GAP = "invoke_permission"


@pytest.fixture
def function(account: Account) -> Function:
    """A function that nobody may call yet."""
    return account.function(answering("one"))


def _allow(account: Account, function: Function, **more: Any) -> str:
    """Add a permission for API Gateway; returns its id."""
    statement = unique("apis")
    account.client("lambda").add_permission(
        **{
            "FunctionName": function.name,
            "StatementId": statement,
            "Action": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
            **more,
        }
    )
    return statement


def _deployed(account: Account, function: Function, qualifier: str | None = None, **more: Any) -> Api:
    api = account.rest_api(function.uri(qualifier), **more)
    account.deploy(api, "live")
    return api


def _source(account: Account, api: Api, rest: str) -> str:
    return f"arn:aws:execute-api:{account.endpoint.region}:{account.endpoint.account_id}:{api.id}/{rest}"


@case(rule=4, source=_FROM_APIS, gap=_GAP)
def test_an_api_without_permission_answers_500(account: Account, function: Function) -> None:
    """An API that may not call its function answers 500, until it may."""
    api = _deployed(account, function)
    answer = account.call(api, "live")
    assert (answer.status, answer.json()) == (500, {"message": "Internal server error"})
    _allow(account, function)
    assert account.call(api, "live").body == b"one"


@case(rule=4, source=_VARIABLE, gap=_GAP)
def test_a_permission_for_the_function_is_none_for_an_alias(account: Account, function: Function) -> None:
    """A permission without a qualifier does not let an API call an alias."""
    account.alias(function, "prod", account.publish(function))
    _allow(account, function)
    api = _deployed(account, function, "prod")
    assert account.call(api, "live").status == 500
    _allow(account, function, Qualifier="prod")
    assert account.call(api, "live").body == b"one"


@case(rule=4, source=_PERMISSION, gap=_GAP)
def test_a_permission_for_an_alias_is_for_no_other(account: Account, function: Function) -> None:
    """A permission with a qualifier allows that qualifier only."""
    version = account.publish(function)
    for alias in ("blue", "green"):
        account.alias(function, alias, version)
    _allow(account, function, Qualifier="blue")
    apis = [_deployed(account, function, qualifier) for qualifier in ("blue", "green", version, None)]
    assert [account.call(api, "live").status for api in apis] == [200, 500, 500, 500]


@case(rule=4, source="https://docs.aws.amazon.com/lambda/latest/api/API_RemovePermission.html", gap=_GAP)
def test_removing_a_permission_stops_the_calls(account: Account, function: Function) -> None:
    """After a permission was removed the API answers 500 at once."""
    api, statement = _deployed(account, function), _allow(account, function)
    assert account.call(api, "live").status == 200
    account.client("lambda").remove_permission(FunctionName=function.name, StatementId=statement)
    assert account.call(api, "live").status == 500


@pytest.mark.parametrize(
    ("pattern", "status"),
    [
        ("*/GET/x", 200),
        ("live/GET/x", 200),
        ("live/*/*", 200),
        ("*", 200),
        ("live/???/x", 200),
        ("test/GET/x", 500),
        ("test-invoke-stage/GET/x", 500),
        ("*/POST/x", 500),
        ("*/GET/y", 500),
    ],
)
@case(
    rule=4,
    source="https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-invoke-api.html",
    gap=_GAP,
)
def test_a_permissions_source_is_a_pattern(account: Account, function: Function, pattern: str, status: int) -> None:
    """A permission's SourceArn names stage, method and path of the calls it allows, with wildcards."""
    api = _deployed(account, function)
    assert account.call(api, "live").status == 500
    _allow(account, function, SourceArn=_source(account, api, pattern))
    assert account.call(api, "live").status == status


@case(rule=4, source=_PERMISSION, gap=_GAP)
def test_a_permission_for_another_api_is_none(account: Account, function: Function) -> None:
    """A permission for one API does not let another call."""
    first, second = _deployed(account, function), _deployed(account, function)
    _allow(account, function, SourceArn=_source(account, first, "*/*/*"))
    assert [account.call(api, "live").status for api in (first, second)] == [200, 500]


@case(rule=4, source=_PERMISSION, gap=_GAP)
def test_a_permission_of_another_account_is_none(account: Account, function: Function) -> None:
    """A permission for the APIs of another account does not allow this account's."""
    api = _deployed(account, function)
    _allow(account, function, SourceAccount="999999999999")
    assert account.call(api, "live").status == 500
    _allow(account, function, SourceAccount=account.endpoint.account_id)
    assert account.call(api, "live").status == 200


@case(rule=4, source=_PERMISSION, gap=_GAP)
def test_a_permission_of_another_service_is_none(account: Account, function: Function) -> None:
    """A permission for S3 does not let an API call."""
    api = _deployed(account, function)
    _allow(account, function, Principal="s3.amazonaws.com")
    assert account.call(api, "live").status == 500


@case(
    rule=4,
    source="https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-api.html",
)
def test_a_path_parameter_matches_a_wildcard(account: Account, function: Function) -> None:
    """A permission for ``GET /*``, as SAM writes it for ``/{id}``, allows the calls of that route."""
    api = _deployed(account, function, paths=("/{id}",))
    _allow(account, function, SourceArn=_source(account, api, "*/GET/*"))
    assert account.call(api, "live", "/seven").status == 200


@case(rule=4, source="https://docs.aws.amazon.com/apigateway/latest/api/API_PutIntegration.html")
def test_a_role_stands_for_a_permission(account: Account, function: Function) -> None:
    """An integration that names a role needs no permission of the function."""
    gateway, api = account.client("apigateway"), account.rest_api(function.uri())
    gateway.put_integration(
        restApiId=api.id,
        resourceId=api.resources["/x"],
        httpMethod="GET",
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=function.uri(),
        credentials=account.role(),
    )
    account.deploy(api, "live")
    assert account.call(api, "live").status == 200


@case(
    rule=4,
    source="https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-integration.html",
)
def test_a_role_of_an_imported_api_stands_for_a_permission(account: Account, function: Function) -> None:
    """An integration of a template's ``Body`` that names a role needs no permission of the function."""
    integration = {"type": "aws_proxy", "uri": function.uri(), "httpMethod": "POST", "credentials": account.role()}
    paths = {"/x": {"get": {"x-amazon-apigateway-integration": integration}}}
    body = {"openapi": "3.0.1", "info": {"title": "api", "version": "1"}, "paths": paths}
    made = {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": body}}
    stack = account.create_stack({"Resources": {"Api": made}})
    api = Api(account.physical_id(stack, "Api"))
    account.deploy(api, "live")
    assert account.call(api, "live").status == 200


@case(rule=4, source=_HTTP, gap=_GAP)
def test_an_http_api_without_permission_answers_500(account: Account, function: Function) -> None:
    """An HTTP API that may not call its function answers 500."""
    api = account.http_api(function.arn)
    answer = account.call(api, "live")
    assert (answer.status, answer.json()) == (500, {"message": "Internal Server Error"})
    _allow(account, function, SourceArn=_source(account, api, "*/*/x"))
    assert account.call(api, "live").body == b"one"


@case(rule=4, source=_FROM_APIS, gap=_GAP)
def test_an_authorizer_needs_a_permission(account: Account, function: Function) -> None:
    """An API that may not call its authorizer's function answers 500."""
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
    policy = {"principalId": "me", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
    judge = account.function(f"import json\ndef handler(e, c):\n    return json.loads({json.dumps(policy)!r})\n")
    _allow(account, function)
    gateway, api = account.client("apigateway"), account.rest_api(function.uri())
    authorizer = gateway.create_authorizer(
        restApiId=api.id,
        name="judge",
        type="TOKEN",
        authorizerUri=judge.uri(),
        identitySource="method.request.header.Authorization",
    )["id"]
    gateway.update_method(
        restApiId=api.id,
        resourceId=api.resources["/x"],
        httpMethod="GET",
        patchOperations=[
            {"op": "replace", "path": "/authorizationType", "value": "CUSTOM"},
            {"op": "replace", "path": "/authorizerId", "value": authorizer},
        ],
    )
    account.deploy(api, "live")
    assert account.call(api, "live", headers={"Authorization": "t"}).status == 500
    _allow(account, judge, SourceArn=_source(account, api, "authorizers/*"))
    assert account.call(api, "live", headers={"Authorization": "t"}).status == 200
