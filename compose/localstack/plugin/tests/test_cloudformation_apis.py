"""REST APIs of stacks on a running LocalStack: what callers see after an update, and after one that failed."""

from __future__ import annotations

from typing import Any

import pytest
from cloudformation_account import Account, Stack, failing, resource, running, template

_API = {"Ref": "Api"}
_X = "x-amazon-apigateway-"


@pytest.fixture(scope="module")
def account() -> Account:
    return running()


def _says(text: str) -> dict[str, Any]:
    """An integration that answers *text*, with the stage's variable ``who``."""
    said = f"{text} $stageVariables.who"
    return {
        "type": "mock",
        "requestTemplates": {"application/json": '{"statusCode": 200}'},
        "responses": {"default": {"statusCode": "200", "responseTemplates": {"application/json": said}}},
    }


def _body(paths: dict[str, str], **more: Any) -> dict[str, Any]:
    operations = {
        path: {"get": {"responses": {"200": {"description": "ok"}}, f"{_X}integration": _says(text)}}
        for path, text in paths.items()
    }
    return {"openapi": "3.0.1", "info": {"title": "orders", "version": "1"}, "paths": operations, **more}


def _imported(paths: dict[str, str], deployment: str, **stage: Any) -> dict[str, Any]:
    properties = {"RestApiId": _API, "StageName": "live", "DeploymentId": {"Ref": deployment}}
    return {
        "Api": resource("ApiGateway::RestApi", {"Body": _body(paths)}),
        deployment: resource("ApiGateway::Deployment", {"RestApiId": _API}),
        "Stage": resource("ApiGateway::Stage", {**properties, "Variables": {"who": "one"}, **stage}),
    }


def _answers(account: Account, stack: Stack, *paths: str) -> list[str | int]:
    """The body of each path that answers 200, or its status."""
    found = (account.call(stack.resources["Api"], path) for path in paths)
    return [body if status == 200 else status for status, body in found]


def test_a_new_path_answers_after_an_update(account: Account) -> None:
    """A changed definition with a new deployment is what callers see; the API and its stage stay the same ones."""
    stack = account.stack()
    assert stack.deploy(template(_imported({"/a": "a"}, "First"))) == "CREATE_COMPLETE", stack.told
    ids = stack.resources
    assert _answers(account, stack, "/a", "/b") == ["a one", 403]
    second = _imported({"/a": "A", "/b": "b"}, "Second", Variables={"who": "two"})
    failed = template({**second, "Wrong": failing("Stage")})
    assert stack.deploy(failed) == "UPDATE_ROLLBACK_COMPLETE", stack.told
    assert _answers(account, stack, "/a", "/b") == ["a one", 403]
    assert stack.deploy(template(second)) == "UPDATE_COMPLETE", stack.told
    assert _answers(account, stack, "/a", "/b") == ["A two", "b two"]
    assert (stack.resources["Api"], stack.resources["Stage"]) == (ids["Api"], ids["Stage"])
    deployments = account.client("apigateway").get_deployments(restApiId=ids["Api"])["items"]
    assert [one["id"] for one in deployments] == [stack.resources["Second"]]
    assert stack.deploy(template(_imported({"/b": "b"}, "Third"))) == "UPDATE_COMPLETE", stack.told
    assert _answers(account, stack, "/a", "/b") == [403, "b one"]
    assert stack.delete() == "DELETE_COMPLETE", stack.told


def test_a_change_waits_for_a_deployment(account: Account) -> None:
    """As on AWS callers see a changed API only once a template has a deployment of another name."""
    stack = account.stack()
    assert stack.deploy(template(_imported({"/a": "a"}, "First"))) == "CREATE_COMPLETE", stack.told
    assert stack.deploy(template(_imported({"/a": "changed"}, "First"))) == "UPDATE_COMPLETE", stack.told
    assert _answers(account, stack, "/a") == ["a one"]


def test_resources_and_methods_are_changed(account: Account) -> None:
    """An API of resources and methods gets new ones, changed integrations, and loses others."""
    stack = account.stack()

    def made(deployment: str, **paths: str) -> dict[str, Any]:
        parts: dict[str, Any] = {"Api": resource("ApiGateway::RestApi", {"Name": "orders"})}
        for path, text in paths.items():
            said = _says(text)
            integration = {
                "Type": "MOCK",
                "RequestTemplates": said["requestTemplates"],
                "IntegrationResponses": [
                    {"StatusCode": "200", "ResponseTemplates": said["responses"]["default"]["responseTemplates"]}
                ],
            }
            parts[f"{path}Path"] = resource(
                "ApiGateway::Resource",
                {"RestApiId": _API, "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]}, "PathPart": path},
            )
            parts[f"{path}Get"] = resource(
                "ApiGateway::Method",
                {
                    "RestApiId": _API,
                    "ResourceId": {"Ref": f"{path}Path"},
                    "HttpMethod": "GET",
                    "AuthorizationType": "NONE",
                    "Integration": integration,
                    "MethodResponses": [{"StatusCode": "200"}],
                },
            )
        needs = [f"{path}Get" for path in paths]
        parts[deployment] = resource("ApiGateway::Deployment", {"RestApiId": _API}, DependsOn=needs)
        stage = {"RestApiId": _API, "StageName": "live", "DeploymentId": {"Ref": deployment}}
        parts["Stage"] = resource("ApiGateway::Stage", {**stage, "Variables": {"who": "me"}})
        return parts

    assert stack.deploy(template(made("First", a="a", b="b"))) == "CREATE_COMPLETE", stack.told
    ids = stack.resources
    changed = made("Second", a="changed", c="c")
    assert stack.deploy(template({**changed, "Wrong": failing("Stage")})) == "UPDATE_ROLLBACK_COMPLETE", stack.told
    assert _answers(account, stack, "/a", "/b", "/c") == ["a me", "b me", 403]
    assert stack.deploy(template(changed)) == "UPDATE_COMPLETE", stack.told
    # As on AWS: what the template drops is deleted last, so the deployment was made while it was there.
    assert _answers(account, stack, "/a", "/b", "/c") == ["changed me", "b me", "c me"]
    kept = ("Api", "aPath", "aGet")
    assert [stack.resources[name] for name in kept] == [ids[name] for name in kept]
    paths = {one["path"] for one in account.client("apigateway").get_resources(restApiId=ids["Api"])["items"]}
    assert paths == {"/", "/a", "/c"}
    assert stack.deploy(template(made("Third", a="changed", c="c"))) == "UPDATE_COMPLETE", stack.told
    assert _answers(account, stack, "/a", "/b", "/c") == ["changed me", 403, "c me"]


def test_a_stage_follows_its_template(account: Account) -> None:
    """Variables, description and settings of a stage are set, changed and taken away in place."""
    stack, gateway = account.stack(), account.client("apigateway")
    setting = {"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingBurstLimit": 7}
    first = {"Variables": {"who": "me", "old": "1"}, "Description": "d", "MethodSettings": [setting]}
    assert stack.deploy(template(_imported({"/a": "a"}, "First", **first))) == "CREATE_COMPLETE", stack.told

    def seen() -> Any:
        found = gateway.get_stage(restApiId=stack.resources["Api"], stageName="live")
        burst = found["methodSettings"].get("*/*", {}).get("throttlingBurstLimit")
        return found["variables"], found.get("description", ""), burst

    assert seen() == ({"who": "me", "old": "1"}, "d", 7)
    second = {"Variables": {"who": "you", "new": "2"}, "MethodSettings": [{**setting, "ThrottlingBurstLimit": 9}]}
    assert stack.deploy(template(_imported({"/a": "a"}, "First", **second))) == "UPDATE_COMPLETE", stack.told
    assert seen() == ({"who": "you", "new": "2"}, "", 9)
    assert _answers(account, stack, "/a") == ["a you"]


def test_a_deployment_with_a_stage_of_its_own(account: Account) -> None:
    """A deployment that names a stage makes it, hands it over to the next one, and takes it along when deleted."""
    stack, gateway = account.stack(), account.client("apigateway")

    def made(deployment: str, text: str) -> dict[str, Any]:
        stage = {"StageName": "live", "StageDescription": {"Variables": {"who": text}}}
        return {
            "Api": resource("ApiGateway::RestApi", {"Body": _body({"/a": text})}),
            deployment: resource("ApiGateway::Deployment", {"RestApiId": _API, **stage}),
        }

    assert stack.deploy(template(made("First", "one"))) == "CREATE_COMPLETE", stack.told
    assert _answers(account, stack, "/a") == ["one one"]
    assert stack.deploy(template(made("Second", "two"))) == "UPDATE_COMPLETE", stack.told
    assert _answers(account, stack, "/a") == ["two two"]
    del (last := made("Second", "two"))["Second"]
    assert stack.deploy(template(last)) == "UPDATE_COMPLETE", stack.told
    assert gateway.get_stages(restApiId=stack.resources["Api"])["item"] == []


def test_the_parts_of_an_api_are_changed(account: Account) -> None:
    """Authorizers, models, validators and gateway responses are changed in place."""
    stack, gateway = account.stack(), account.client("apigateway")

    def made(ttl: int, kind: str, validates: bool, status: str) -> dict[str, Any]:
        token = {"Type": "TOKEN", "Name": "a", "IdentitySource": "method.request.header.Auth"}
        uri = {"AuthorizerUri": "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/f/invocations"}
        return {
            "Api": resource("ApiGateway::RestApi", {"Name": "orders"}),
            "Authorizer": resource(
                "ApiGateway::Authorizer", {"RestApiId": _API, **token, **uri, "AuthorizerResultTtlInSeconds": ttl}
            ),
            "Model": resource(
                "ApiGateway::Model",
                {"RestApiId": _API, "Name": "M", "ContentType": "application/json", "Schema": {"type": kind}},
            ),
            "Validator": resource(
                "ApiGateway::RequestValidator", {"RestApiId": _API, "Name": "v", "ValidateRequestBody": validates}
            ),
            "Response": resource(
                "ApiGateway::GatewayResponse",
                {"RestApiId": _API, "ResponseType": "MISSING_AUTHENTICATION_TOKEN", "StatusCode": status},
            ),
        }

    def seen() -> Any:
        ids = stack.resources
        api = {"restApiId": ids["Api"]}
        response = gateway.get_gateway_response(**api, responseType="MISSING_AUTHENTICATION_TOKEN")
        return (
            gateway.get_authorizer(**api, authorizerId=ids["Authorizer"])["authorizerResultTtlInSeconds"],
            gateway.get_model(**api, modelName="M")["schema"],
            gateway.get_request_validator(**api, requestValidatorId=ids["Validator"])["validateRequestBody"],
            response["statusCode"],
        )

    assert stack.deploy(template(made(10, "object", True, "404"))) == "CREATE_COMPLETE", stack.told
    ids = stack.resources
    assert seen() == (10, '{"type": "object"}', True, "404")
    changed = made(20, "array", False, "410")
    assert stack.deploy(template({**changed, "Wrong": failing(*changed)})) == "UPDATE_ROLLBACK_COMPLETE", stack.told
    assert seen() == (10, '{"type": "object"}', True, "404")
    assert stack.deploy(template(changed)) == "UPDATE_COMPLETE", stack.told
    assert (stack.resources, seen()) == (ids, (20, '{"type": "array"}', False, "410"))
    assert stack.delete() == "DELETE_COMPLETE", stack.told


def test_a_usage_plan_keeps_its_keys(account: Account) -> None:
    """A changed plan and key stay the same ones, and the key stays in the plan."""
    stack, gateway = account.stack(), account.client("apigateway")

    def made(burst: int, description: str) -> dict[str, Any]:
        stage = {"ApiId": _API, "Stage": {"Ref": "Stage"}}
        return {
            **_imported({"/a": "a"}, "First"),
            "Key": resource("ApiGateway::ApiKey", {"Enabled": True, "Description": description}),
            "Plan": resource(
                "ApiGateway::UsagePlan",
                {"ApiStages": [stage], "Throttle": {"BurstLimit": burst, "RateLimit": 5}},
            ),
            "Member": resource(
                "ApiGateway::UsagePlanKey",
                {"KeyId": {"Ref": "Key"}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": "Plan"}},
            ),
        }

    def seen() -> Any:
        ids = stack.resources
        plan = gateway.get_usage_plan(usagePlanId=ids["Plan"])
        keys = [one["id"] for one in gateway.get_usage_plan_keys(usagePlanId=ids["Plan"])["items"]]
        description = gateway.get_api_key(apiKey=ids["Key"])["description"]
        stages = [one["stage"] for one in plan["apiStages"]]
        return plan["throttle"]["burstLimit"], description, keys == [ids["Key"]], stages

    assert stack.deploy(template(made(7, "one"))) == "CREATE_COMPLETE", stack.told
    ids = stack.resources
    assert seen() == (7, "one", True, ["live"])
    assert stack.deploy(template(made(9, "two"))) == "UPDATE_COMPLETE", stack.told
    assert (stack.resources, seen()) == (ids, (9, "two", True, ["live"]))
