"""HTTP APIs: routes, deployments, limits and errors."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.account import Account, Api, Function, answering, eventually, unique
from tests.conformance.cases import case

_STAGES = "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-stages.html"
_ROUTES = "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html"
_LAMBDA = "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html"
_ERRORS = "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html"
_THROTTLE = "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html"
_GAP = "http_api_deployments"


@pytest.fixture
def function(account: Account) -> Function:
    """A function that APIs may call and that answers "one"."""
    made = account.function(answering("one"))
    account.allow_apis(made)
    return made


def _route(account: Account, api: Api, key: str, function: Function) -> None:
    gateway = account.client("apigatewayv2")
    integration = gateway.create_integration(
        ApiId=api.id, IntegrationType="AWS_PROXY", IntegrationUri=function.arn, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    gateway.create_route(ApiId=api.id, RouteKey=key, Target=f"integrations/{integration}")


def _eventually(account: Account, api: Api, stage: str, path: str, status: int) -> int:
    return eventually(lambda: account.call(api, stage, path).status, lambda now: now == status, timeout=2)


@case(rule=8, source=_STAGES)
def test_automatic_deployment_serves_edits_at_once(account: Account, function: Function) -> None:
    """A stage with automatic deployment serves a new route without a deployment."""
    api = account.http_api(function.arn)
    _route(account, api, "GET /y", function)
    assert _eventually(account, api, "live", "/y", 200) == 200


@case(rule=8, source=_STAGES, gap=_GAP)
def test_a_stage_without_automatic_deployment_waits_for_one(account: Account, function: Function) -> None:
    """A stage without automatic deployment serves a new route after it was deployed."""
    gateway, api = account.client("apigatewayv2"), account.http_api(function.arn)
    gateway.create_stage(ApiId=api.id, StageName="manual")
    assert account.call(api, "manual").status == 404
    gateway.create_deployment(ApiId=api.id, StageName="manual")
    assert _eventually(account, api, "manual", "/x", 200) == 200
    _route(account, api, "GET /y", function)
    assert account.call(api, "manual", "/y").status == 404
    gateway.create_deployment(ApiId=api.id, StageName="manual")
    assert _eventually(account, api, "manual", "/y", 200) == 200


@case(rule=8, source=_STAGES, gap=_GAP)
def test_a_stage_goes_back_to_an_earlier_deployment(account: Account, function: Function) -> None:
    """A stage of an HTTP API that is pointed at an earlier deployment serves it again."""
    gateway, api = account.client("apigatewayv2"), account.http_api(function.arn)
    first = gateway.create_deployment(ApiId=api.id)["DeploymentId"]
    _route(account, api, "GET /y", function)
    second = gateway.create_deployment(ApiId=api.id)["DeploymentId"]
    gateway.create_stage(ApiId=api.id, StageName="manual", DeploymentId=second)
    assert _eventually(account, api, "manual", "/y", 200) == 200
    gateway.update_stage(ApiId=api.id, StageName="manual", DeploymentId=first)
    assert _eventually(account, api, "manual", "/y", 404) == 404
    assert account.call(api, "manual").status == 200


@case(
    rule=8,
    source="https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigatewayv2-deployment.html",
    gap=_GAP,
)
def test_a_template_deploys_to_a_stage(account: Account, function: Function) -> None:
    """A deployment in a template is what its stage serves."""
    api: dict[str, Any] = {"Ref": "Api"}
    target = {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]}
    integration = {"ApiId": api, "IntegrationType": "AWS_PROXY", "IntegrationUri": function.arn}
    stage = {"ApiId": api, "StageName": "live", "DeploymentId": {"Ref": "Deployment"}}
    v2 = "AWS::ApiGatewayV2"
    stack = account.create_stack(
        {
            "Resources": {
                "Api": {"Type": f"{v2}::Api", "Properties": {"Name": "api", "ProtocolType": "HTTP"}},
                "Integration": {
                    "Type": f"{v2}::Integration",
                    "Properties": {**integration, "PayloadFormatVersion": "2.0"},
                },
                "Route": {
                    "Type": f"{v2}::Route",
                    "Properties": {"ApiId": api, "RouteKey": "GET /x", "Target": target},
                },
                "Deployment": {"Type": f"{v2}::Deployment", "DependsOn": "Route", "Properties": {"ApiId": api}},
                "Stage": {"Type": f"{v2}::Stage", "Properties": stage},
            }
        }
    )
    assert account.stack_settled(stack)["StackStatus"] == "CREATE_COMPLETE"
    made = Api(account.physical_id(stack, "Api"))
    assert account.call(made, "live").status == 200
    _route(account, made, "GET /y", function)
    assert account.call(made, "live", "/y").status == 404


@case(rule=5, source=_ROUTES)
def test_an_unknown_route_answers_404(account: Account, function: Function) -> None:
    """A path or method that an HTTP API has no route for answers 404 Not Found."""
    api = account.http_api(function.arn)
    for method, path in (("GET", "/nothing"), ("POST", "/x")):
        answer = account.call(api, "live", path, method=method)
        assert (answer.status, answer.json()) == (404, {"message": "Not Found"})


@case(rule=5, source=_ROUTES)
def test_the_default_route_takes_the_rest(account: Account, function: Function) -> None:
    """The route $default answers what no other route does."""
    api = account.http_api(function.arn)
    other = account.function(answering("rest"))
    account.allow_apis(other)
    _route(account, api, "$default", other)
    assert _eventually(account, api, "live", "/nothing", 200) == 200
    assert account.call(api, "live", "/nothing", method="POST").body == b"rest"
    assert account.call(api, "live").body == b"one"


@case(rule=8, source=_STAGES)
def test_the_default_stage_is_at_the_root(account: Account, function: Function) -> None:
    """The stage $default is served without its name in the path."""
    api = account.http_api(function.arn, stage="$default")
    assert account.call(api, "x", "").body == b"one"


@case(rule=5, source=_ERRORS, gap="gateway_errors")
def test_a_function_that_raises_answers_500(account: Account) -> None:
    """A function of an HTTP API that raises answers 500, and tells the caller nothing else."""
    function = account.function("def handler(e, c):\n    raise ValueError('secret')\n")
    account.allow_apis(function)
    answer = account.call(account.http_api(function.arn), "live")
    assert (answer.status, answer.json()) == (500, {"message": "Internal Server Error"})


@case(rule=4, source=_ERRORS, gap="gateway_errors")
def test_an_alias_that_is_not_there_answers_500(account: Account, function: Function) -> None:
    """An HTTP API whose alias does not exist answers 500."""
    answer = account.call(account.http_api(f"{function.arn}:tset"), "live")
    assert (answer.status, answer.json()) == (500, {"message": "Internal Server Error"})


@case(rule=5, source=_LAMBDA)
def test_an_answer_without_status_is_the_body(account: Account) -> None:
    """A function of an HTTP API that answers JSON without a status code answers 200 with it."""
    function = account.function("def handler(e, c):\n    return {'answer': 1}\n")
    account.allow_apis(function)
    answer = account.call(account.http_api(function.arn), "live")
    assert (answer.status, answer.json()) == (200, {"answer": 1})


@pytest.mark.parametrize("settings", ["default", "route"])
@case(rule=5, source=_THROTTLE, gap="http_api_throttling")
def test_a_stage_that_is_throttled_answers_429(account: Account, function: Function, settings: str) -> None:
    """Calls over the limit of an HTTP API's stage or route answer 429 Too Many Requests."""
    limits = {"ThrottlingRateLimit": 0.01, "ThrottlingBurstLimit": 2}
    more = {"DefaultRouteSettings": limits} if settings == "default" else {"RouteSettings": {"GET /x": limits}}
    api = account.http_api(function.arn, **more)
    assert [account.call(api, "live").status for _ in range(6)] == [200] * 2 + [429] * 4
    assert account.call(api, "live").json() == {"message": "Too Many Requests"}


@case(
    rule=8,
    source="https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-open-api.html",
    gap="http_api_body",
)
def test_routes_of_a_template_change_in_place(account: Account, function: Function) -> None:
    """A stack update that changes the ``Body`` of an HTTP API keeps its id and serves its new routes."""

    def template(path: str) -> dict[str, Any]:
        integration = {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": function.uri(),
            "payloadFormatVersion": "2.0",
        }
        paths = {path: {"get": {"x-amazon-apigateway-integration": integration}}}
        body = {"openapi": "3.0.1", "info": {"title": unique("api"), "version": "1"}, "paths": paths}
        stage = {"ApiId": {"Ref": "Api"}, "StageName": "live", "AutoDeploy": True}
        return {
            "Resources": {
                "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Body": body}},
                "Stage": {"Type": "AWS::ApiGatewayV2::Stage", "Properties": stage},
            }
        }

    stack = account.create_stack(template("/x"))
    api = Api(account.physical_id(stack, "Api"))
    assert account.call(api, "live").status == 200
    account.update_stack(stack, template("/y"))
    assert account.physical_id(stack, "Api") == api.id
    assert [account.call(api, "live", path).status for path in ("/x", "/y")] == [404, 200]
