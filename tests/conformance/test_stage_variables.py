"""Stage variables: one API, and each stage with targets of its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.account import Account, Function, answering, eventually
from tests.conformance.cases import case
from tests.conftest import http

_VARIABLES = (
    "https://docs.aws.amazon.com/apigateway/latest/developerguide/aws-api-gateway-stage-variables-reference.html"
)
_HTTP = "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-stages.stage-variables.html"
_ALIAS = "${stageVariables.alias}"
_GAP = "stage_variables"


def _two_aliases(account: Account) -> Function:
    """A function whose alias ``blue`` answers "one" and ``green`` "two", callable through both."""
    function = account.function(answering("one"))
    account.alias(function, "blue", account.publish(function))
    account.update_code(function, answering("two"))
    account.alias(function, "green", account.publish(function))
    for alias in ("blue", "green"):
        account.allow_apis(function, alias)
    return function


def _set(account: Account, api_id: str, stage: str, **variables: str) -> None:
    """Edit variables of a REST API's stage."""
    account.client("apigateway").update_stage(
        restApiId=api_id,
        stageName=stage,
        patchOperations=[
            {"op": "replace", "path": f"/variables/{name}", "value": value} for name, value in variables.items()
        ],
    )


@case(rule=8, source=_VARIABLES, gap=_GAP)
def test_a_variable_names_the_alias(account: Account) -> None:
    """Stages of one REST API call different aliases of one function, and a variable's change is live."""
    function = _two_aliases(account)
    api = account.rest_api(function.uri(_ALIAS))
    account.deploy(api, "test", variables={"alias": "green"})
    account.deploy(api, "prod", variables={"alias": "blue"})
    assert account.call(api, "test").body == b"two"
    assert account.call(api, "prod").body == b"one"
    _set(account, api.id, "prod", alias="green")
    assert account.call(api, "prod").body == b"two"


@case(rule=8, source=_VARIABLES, gap=_GAP)
def test_a_variable_names_the_function(account: Account) -> None:
    """A stage variable can stand for the whole name of the function."""
    functions = [account.function(answering(text)) for text in ("one", "two")]
    for function in functions:
        account.allow_apis(function)
    uri = functions[0].uri().replace(functions[0].name, "${stageVariables.name}")
    api = account.rest_api(uri)
    for stage, function in zip(("a", "b"), functions, strict=True):
        account.deploy(api, stage, variables={"name": function.name})
    assert [account.call(api, stage).body for stage in ("a", "b")] == [b"one", b"two"]


@case(rule=8, source=_VARIABLES)
def test_a_function_sees_the_variables(account: Account) -> None:
    """The stage's variables are in the event of a function."""
    function = account.function(
        "def handler(e, c):\n    return {'statusCode': 200, 'body': e['stageVariables']['t']}\n"
    )
    account.allow_apis(function)
    api = account.rest_api(function.uri())
    account.deploy(api, "prod", variables={"t": "orders-prod"})
    assert account.call(api, "prod").body == b"orders-prod"
    _set(account, api.id, "prod", t="orders-test")
    assert account.call(api, "prod").body == b"orders-test"


@case(rule=8, source=_VARIABLES, gap=_GAP)
def test_a_variable_is_part_of_a_url(account: Account) -> None:
    """A stage variable can stand in the URL that an HTTP integration calls."""
    function = account.function(answering("behind"))
    account.allow_apis(function)
    behind = account.rest_api(function.uri())
    account.deploy(behind, "live")
    gateway, front = account.client("apigateway"), account.rest_api(function.uri(), paths=("/front",))
    gateway.put_integration(
        restApiId=front.id,
        resourceId=front.resources["/front"],
        httpMethod="GET",
        type="HTTP_PROXY",
        integrationHttpMethod="GET",
        uri=f"{account.endpoint.url}/_aws/execute-api/{behind.id}/" + "${stageVariables.where}/x",
    )
    account.deploy(front, "live", variables={"where": "live"})
    assert account.call(front, "live", "/front").body == b"behind"


@pytest.mark.parametrize("alias", ["tset", ""])
@case(rule=4, source="https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway-errors.html")
def test_a_variable_that_names_nothing_answers_500(account: Account, alias: str) -> None:
    """A stage variable that names no alias of the function answers 500."""
    api = account.rest_api(_two_aliases(account).uri(_ALIAS))
    account.deploy(api, "prod", variables={"alias": alias})
    answer = account.call(api, "prod")
    assert (answer.status, answer.json()) == (500, {"message": "Internal server error"})


@case(rule=8, source=_HTTP, gap=_GAP)
def test_an_http_apis_variable_names_the_alias(account: Account) -> None:
    """A stage variable in an HTTP API's integration names the alias, and its change is live."""
    api = account.http_api(_two_aliases(account).uri(_ALIAS), StageVariables={"alias": "blue"})
    assert account.call(api, "live").body == b"one"
    account.client("apigatewayv2").update_stage(ApiId=api.id, StageName="live", StageVariables={"alias": "green"})
    assert eventually(lambda: account.call(api, "live").body, lambda body: body == b"two", timeout=2) == b"two"


@case(
    rule=8,
    source="https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html",
    gap=_GAP,
)
def test_a_function_of_an_http_api_sees_the_variables(account: Account) -> None:
    """The stage's variables are in the event of an HTTP API's function."""
    function = account.function("def handler(e, c):\n    return e['stageVariables']['t']\n")
    account.allow_apis(function)
    api = account.http_api(function.arn, StageVariables={"t": "orders-prod"})
    assert account.call(api, "live").body == b"orders-prod"


@case(
    rule=8,
    source="https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-stage.html",
    gap=_GAP,
)
def test_a_template_sets_the_variables(account: Account) -> None:
    """The variables of a stage in a template name the alias; a stack update of them is live."""
    function = _two_aliases(account)

    def template(alias: str) -> dict[str, Any]:
        path = {"get": {"x-amazon-apigateway-integration": {"type": "aws_proxy", "uri": function.uri(_ALIAS)}}}
        path["get"]["x-amazon-apigateway-integration"]["httpMethod"] = "POST"
        body = {"openapi": "3.0.1", "info": {"title": "api", "version": "1"}, "paths": {"/x": path}}
        stage = {"StageName": "live", "RestApiId": {"Ref": "Api"}, "DeploymentId": {"Ref": "Deployment"}}
        return {
            "Resources": {
                "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": body}},
                "Deployment": {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": {"Ref": "Api"}}},
                "Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": {**stage, "Variables": {"alias": alias}}},
            }
        }

    stack = account.create_stack(template("blue"))
    api = account.physical_id(stack, "Api")
    url = f"{account.endpoint.url}/_aws/execute-api/{api}/live/x"
    assert http("GET", url).body == b"one"
    account.update_stack(stack, template("green"))
    assert http("GET", url).body == b"two"
