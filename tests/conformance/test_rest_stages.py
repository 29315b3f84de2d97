"""Stages of a REST API: each serves a deployment, whatever is being edited."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance.account import Account, Api, Function, answering
from tests.conformance.cases import case

_UPDATE = "https://docs.aws.amazon.com/apigateway/latest/developerguide/updating-api.html"
_DEPLOY = "https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-deployments.html"
_CREATE = "https://docs.aws.amazon.com/apigateway/latest/api/API_CreateDeployment.html"
_TEMPLATE = (
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-deployment.html"
)
_GAP = "stage_snapshot"


@pytest.fixture
def function(account: Account) -> Function:
    """A function that APIs may call and that answers "one"."""
    made = account.function(answering("one"))
    account.allow_apis(made)
    return made


@pytest.fixture
def api(account: Account, function: Function) -> Api:
    """A REST API of that function, deployed to ``live``."""
    made = account.rest_api(function.uri())
    account.deploy(made, "live")
    return made


def _where(api: Api) -> dict[str, Any]:
    return {"restApiId": api.id, "resourceId": api.resources["/x"], "httpMethod": "GET"}


def _mock(account: Account, where: dict[str, Any], text: str) -> None:
    """Let a method answer *text* without a function."""
    gateway = account.client("apigateway")
    gateway.put_integration(**where, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    gateway.put_integration_response(**where, statusCode="200", responseTemplates={"application/json": text})


@case(rule=8, source=_UPDATE, gap=_GAP)
def test_a_new_route_waits_for_a_deployment(account: Account, api: Api, function: Function) -> None:
    """A route that was added is served only after the next deployment."""
    account.add_path(api, "/y", function.uri())
    assert account.call(api, "live", "/y").status == 403
    account.deploy(api, "live")
    assert account.call(api, "live", "/y").status == 200


@case(rule=8, source=_UPDATE, gap=_GAP)
def test_a_deleted_route_is_served_until_a_deployment(account: Account, api: Api, function: Function) -> None:
    """A route that was deleted is served until the next deployment."""
    edited = account.add_path(api, "/y", function.uri())
    account.client("apigateway").delete_resource(restApiId=api.id, resourceId=edited.resources["/x"])
    assert account.call(api, "live").status == 200
    account.deploy(api, "live")
    assert account.call(api, "live").status == 403


@case(rule=8, source=_UPDATE, gap=_GAP)
def test_an_edited_integration_waits_for_a_deployment(account: Account, api: Api) -> None:
    """An integration that was changed is used only after the next deployment."""
    _mock(account, _where(api), "mocked")
    assert account.call(api, "live").body == b"one"
    account.deploy(api, "live")
    assert account.call(api, "live").body == b"mocked"


@case(rule=8, source=_UPDATE, gap=_GAP)
def test_an_api_key_is_required_from_the_next_deployment_on(account: Account, api: Api) -> None:
    """A method that was told to require an API key requires it after the next deployment."""
    account.client("apigateway").update_method(
        **_where(api), patchOperations=[{"op": "replace", "path": "/apiKeyRequired", "value": "true"}]
    )
    assert account.call(api, "live").status == 200
    account.deploy(api, "live")
    assert account.call(api, "live").status == 403


@case(rule=8, source=_UPDATE, gap=_GAP)
def test_an_edited_authorizer_waits_for_a_deployment(account: Account, api: Api) -> None:
    """An authorizer that was changed decides as before until the next deployment."""
    gateway = account.client("apigateway")
    verdict = "def handler(event, context):\n    return {{'principalId': 'me', 'policyDocument': {{'Statement': [{{"
    verdict += "'Effect': '{}', 'Action': '*', 'Resource': '*'}}]}}}}\n"
    allowing, denying = (account.function(verdict.format(effect)) for effect in ("Allow", "Deny"))
    account.allow_apis(allowing)
    account.allow_apis(denying)
    authorizer = gateway.create_authorizer(
        restApiId=api.id,
        name="a",
        type="TOKEN",
        authorizerUri=allowing.uri(),
        identitySource="method.request.header.Authorization",
        authorizerResultTtlInSeconds=0,
    )["id"]
    patch = [{"op": "replace", "path": "/authorizationType", "value": "CUSTOM"}]
    patch += [{"op": "replace", "path": "/authorizerId", "value": authorizer}]
    gateway.update_method(**_where(api), patchOperations=patch)
    account.deploy(api, "live")
    gateway.update_authorizer(
        restApiId=api.id,
        authorizerId=authorizer,
        patchOperations=[{"op": "replace", "path": "/authorizerUri", "value": denying.uri()}],
    )
    assert account.call(api, "live", headers={"Authorization": "token"}).status == 200
    account.deploy(api, "live")
    assert account.call(api, "live", headers={"Authorization": "token"}).status == 403


@case(rule=8, source=_UPDATE, gap=_GAP)
def test_request_validation_waits_for_a_deployment(account: Account, api: Api) -> None:
    """A request validator put on a method validates from the next deployment on."""
    gateway = account.client("apigateway")
    validator = gateway.create_request_validator(restApiId=api.id, name="v", validateRequestParameters=True)["id"]
    patch = [{"op": "replace", "path": "/requestValidatorId", "value": validator}]
    patch += [{"op": "add", "path": "/requestParameters/method.request.querystring.q", "value": "true"}]
    gateway.update_method(**_where(api), patchOperations=patch)
    assert account.call(api, "live").status == 200
    account.deploy(api, "live")
    assert account.call(api, "live").status == 400


@case(rule=8, source=_UPDATE)
def test_a_gateway_response_waits_for_a_deployment(account: Account, api: Api) -> None:
    """A gateway response that was changed is answered from the next deployment on."""
    account.client("apigateway").put_gateway_response(
        restApiId=api.id, responseType="MISSING_AUTHENTICATION_TOKEN", statusCode="404"
    )
    assert account.call(api, "live", "/nothing").status == 403
    account.deploy(api, "live")
    assert account.call(api, "live", "/nothing").status == 404


@case(rule=8, source=_UPDATE, gap=_GAP)
def test_a_resource_policy_waits_for_a_deployment(enforcing_account: Account) -> None:
    """A resource policy that was changed holds from the next deployment on."""
    account = enforcing_account
    function = account.function(answering("one"))
    account.allow_apis(function)
    api = account.rest_api(function.uri())
    account.deploy(api, "live")
    statement = {"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.client("apigateway").update_rest_api(
        restApiId=api.id, patchOperations=[{"op": "replace", "path": "/policy", "value": policy}]
    )
    assert account.call(api, "live").status == 200
    account.deploy(api, "live")
    assert account.call(api, "live").status == 403


@case(rule=8, source=_DEPLOY, gap=_GAP)
def test_a_stage_goes_back_to_an_earlier_deployment(account: Account, api: Api) -> None:
    """A stage that is pointed at an earlier deployment serves it again."""
    gateway = account.client("apigateway")
    first = gateway.get_stage(restApiId=api.id, stageName="live")["deploymentId"]
    _mock(account, _where(api), "mocked")
    account.deploy(api, "live")
    assert account.call(api, "live").body == b"mocked"
    gateway.update_stage(
        restApiId=api.id,
        stageName="live",
        patchOperations=[{"op": "replace", "path": "/deploymentId", "value": first}],
    )
    assert account.call(api, "live").body == b"one"


@case(rule=8, source=_DEPLOY, gap=_GAP)
def test_stages_serve_different_deployments(account: Account, api: Api) -> None:
    """A deployment to one stage leaves the other stages at theirs."""
    _mock(account, _where(api), "mocked")
    account.deploy(api, "test")
    assert account.call(api, "test").body == b"mocked"
    assert account.call(api, "live").body == b"one"


def _refused(call: Callable[[], Any]) -> tuple[str, str]:
    """Code and message of the error that a call ends in."""
    with pytest.raises(ClientError) as refused:
        call()
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


@case(rule=8, source=_CREATE, gap=_GAP)
def test_an_api_without_methods_can_not_be_deployed(account: Account) -> None:
    """Deploying an API without a method is refused."""
    gateway = account.client("apigateway")
    empty = gateway.create_rest_api(name="empty")["id"]
    code, message = _refused(lambda: gateway.create_deployment(restApiId=empty))
    assert code == "BadRequestException"
    assert message == "The REST API doesn't contain any methods"


@case(rule=8, source="https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteDeployment.html", gap=_GAP)
def test_a_deployment_that_a_stage_serves_can_not_be_deleted(account: Account, api: Api) -> None:
    """Deleting the deployment of a stage is refused."""
    gateway = account.client("apigateway")
    deployment = gateway.get_stage(restApiId=api.id, stageName="live")["deploymentId"]
    code, _ = _refused(lambda: gateway.delete_deployment(restApiId=api.id, deploymentId=deployment))
    assert code == "BadRequestException"
    assert account.call(api, "live").status == 200


@case(rule=8, source="https://docs.aws.amazon.com/apigateway/latest/api/API_CreateStage.html", gap=_GAP)
def test_a_stage_needs_a_deployment_that_exists(account: Account, api: Api) -> None:
    """A stage of an unknown deployment is refused."""
    gateway = account.client("apigateway")
    code, _ = _refused(lambda: gateway.create_stage(restApiId=api.id, stageName="test", deploymentId="nothing"))
    assert code == "NotFoundException"


def _template(uri: str, *, parts: tuple[str, ...], deployment: str) -> dict[str, Any]:
    """An API with a GET of each of *parts*, and its stage ``live`` at *deployment*."""
    api = {"Ref": "Api"}
    integration = {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": uri}
    resources: dict[str, Any] = {
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "api"}},
        deployment: {
            "Type": "AWS::ApiGateway::Deployment",
            "DependsOn": [f"{part}Method" for part in parts],
            "Properties": {"RestApiId": api},
        },
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {"RestApiId": api, "StageName": "live", "DeploymentId": {"Ref": deployment}},
        },
    }
    for part in parts:
        parent = {"Fn::GetAtt": ["Api", "RootResourceId"]}
        resources[f"{part}Resource"] = {
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {"RestApiId": api, "ParentId": parent, "PathPart": part},
        }
        resources[f"{part}Method"] = {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                "RestApiId": api,
                "ResourceId": {"Ref": f"{part}Resource"},
                "HttpMethod": "GET",
                "AuthorizationType": "NONE",
                "Integration": integration,
            },
        }
    return {"Resources": resources}


@case(rule=8, source=_TEMPLATE, gap=_GAP)
def test_a_template_with_the_same_deployment_serves_the_old_routes(account: Account, function: Function) -> None:
    """A stack update that adds a method but no new deployment does not change what the stage serves."""
    stack = account.create_stack(_template(function.uri(), parts=("x",), deployment="First"))
    api = Api(account.physical_id(stack, "Api"))
    assert account.call(api, "live").status == 200
    account.update_stack(stack, _template(function.uri(), parts=("x", "y"), deployment="First"))
    assert account.call(api, "live", "/y").status == 403
    assert account.call(api, "live").status == 200


@case(rule=8, source=_TEMPLATE)
def test_a_template_with_a_new_deployment_serves_the_new_routes(account: Account, function: Function) -> None:
    """A stack update that replaces the deployment, as SAM does, moves the stage to it."""
    stack = account.create_stack(_template(function.uri(), parts=("x",), deployment="First"))
    api = Api(account.physical_id(stack, "Api"))
    account.update_stack(stack, _template(function.uri(), parts=("x", "y"), deployment="Second"))
    assert account.call(api, "live", "/y").status == 200
    assert account.call(api, "live").status == 200
