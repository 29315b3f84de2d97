"""Canaries of a REST API's stage: a share of the calls goes to another deployment."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conformance.account import Account, Api, answering
from tests.conformance.cases import case

_CANARY = "https://docs.aws.amazon.com/apigateway/latest/developerguide/canary-release.html"
_PROMOTE = "https://docs.aws.amazon.com/apigateway/latest/developerguide/promote-canary-deployment.html"
_UPDATE = "https://docs.aws.amazon.com/apigateway/latest/developerguide/update-canary-deployment.html"
_GAP = "stage_canary"
_ECHO = "def handler(e, c):\n    return {'statusCode': 200, 'body': (e['stageVariables'] or {}).get('who', 'none')}\n"
# At half of the traffic, 300 calls give between 100 and 200 but for one run in a hundred million.
_CALLS, _LEAST, _MOST = 300, 100, 200


@pytest.fixture
def api(account: Account) -> Api:
    """A REST API that answers the variable ``who``: "stage" at the stage ``live``."""
    function = account.function(_ECHO)
    account.allow_apis(function)
    made = account.rest_api(function.uri())
    account.deploy(made, "live", variables={"who": "stage"})
    return made


def _share(account: Account, api: Api, body: bytes) -> int:
    """How many of some hundred calls are answered *body*."""
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: account.call(api, "live").body, range(_CALLS)))
    return answers.count(body)


def _all(account: Account, api: Api) -> set[bytes]:
    return {account.call(api, "live").body for _ in range(20)}


def _canary(account: Account, api: Api, percent: float, overrides: Mapping[str, str] | None = None) -> str:
    settings = {"percentTraffic": percent, "stageVariableOverrides": dict(overrides or {}), "useStageCache": False}
    return account.deploy(api, "live", canarySettings=settings)


def _patch(account: Account, api: Api, *operations: Mapping[str, Any]) -> Any:
    return account.client("apigateway").update_stage(
        restApiId=api.id, stageName="live", patchOperations=list(operations)
    )


@case(rule=9, source=_CANARY, gap=_GAP)
def test_a_canary_takes_its_share(account: Account, api: Api) -> None:
    """Half of the calls reach a canary of 50 percent, with its own variables."""
    _canary(account, api, 50.0, {"who": "canary"})
    settings = account.client("apigateway").get_stage(restApiId=api.id, stageName="live")["canarySettings"]
    assert settings["percentTraffic"] == 50.0
    assert _LEAST < _share(account, api, b"canary") < _MOST


@case(rule=9, source=_CANARY, gap=_GAP)
def test_a_canary_has_a_deployment_of_its_own(account: Account, api: Api) -> None:
    """A route that only the canary's deployment has is there for the canary's share of calls only."""
    function = account.function(answering("new"))
    account.allow_apis(function)
    account.add_path(api, "/new", function.uri())
    _canary(account, api, 100.0)
    assert account.call(api, "live", "/new").status == 200
    _patch(account, api, {"op": "replace", "path": "/canarySettings/percentTraffic", "value": "0.0"})
    assert account.call(api, "live", "/new").status == 403
    assert account.call(api, "live").body == b"stage"


@case(rule=9, source=_UPDATE, gap=_GAP)
def test_a_canarys_share_can_be_changed(account: Account, api: Api) -> None:
    """Changing percentTraffic takes effect at once, also to nothing and to everything."""
    _canary(account, api, 0.0, {"who": "canary"})
    assert _all(account, api) == {b"stage"}
    patched = _patch(account, api, {"op": "replace", "path": "/canarySettings/percentTraffic", "value": "100.0"})
    assert patched["canarySettings"]["percentTraffic"] == 100.0
    assert _all(account, api) == {b"canary"}


@case(rule=9, source=_UPDATE, gap=_GAP)
def test_a_canarys_variable_can_be_changed(account: Account, api: Api) -> None:
    """A changed variable of the canary is live, and the stage keeps its own."""
    _canary(account, api, 100.0, {"who": "canary"})
    _patch(account, api, {"op": "replace", "path": "/canarySettings/stageVariableOverrides/who", "value": "other"})
    assert _all(account, api) == {b"other"}
    stage = account.client("apigateway").get_stage(restApiId=api.id, stageName="live")
    assert stage["variables"] == {"who": "stage"}


@case(rule=9, source=_PROMOTE, gap=_GAP)
def test_a_canary_is_promoted_by_copying(account: Account, api: Api) -> None:
    """Copying the canary's deployment and variables over the stage makes them the stage's."""
    deployment = _canary(account, api, 50.0, {"who": "canary"})
    promoted = _patch(
        account,
        api,
        {"op": "replace", "path": "/canarySettings/percentTraffic", "value": "0.0"},
        {"op": "copy", "from": "/canarySettings/stageVariableOverrides", "path": "/variables"},
        {"op": "copy", "from": "/canarySettings/deploymentId", "path": "/deploymentId"},
    )
    assert promoted["deploymentId"] == deployment
    assert _all(account, api) == {b"canary"}


@case(
    rule=9,
    source="https://docs.aws.amazon.com/apigateway/latest/developerguide/delete-canary-deployment.html",
    gap=_GAP,
)
def test_removing_a_canary_leaves_the_stage(account: Account, api: Api) -> None:
    """After canarySettings were removed every call is the stage's."""
    _canary(account, api, 100.0, {"who": "canary"})
    assert _all(account, api) == {b"canary"}
    assert "canarySettings" not in _patch(account, api, {"op": "remove", "path": "/canarySettings"})
    assert _all(account, api) == {b"stage"}


@case(rule=9, source="https://docs.aws.amazon.com/apigateway/latest/api/API_CreateStage.html", gap=_GAP)
def test_a_stage_begins_with_a_canary(account: Account, api: Api) -> None:
    """A stage can be made with a canary: two deployments of one API."""
    gateway = account.client("apigateway")
    first = gateway.get_stage(restApiId=api.id, stageName="live")["deploymentId"]
    second = gateway.create_deployment(restApiId=api.id)["id"]
    gateway.delete_stage(restApiId=api.id, stageName="live")
    overrides = {"who": "canary"}
    settings = {"percentTraffic": 50.0, "deploymentId": second, "stageVariableOverrides": overrides}
    made = gateway.create_stage(
        restApiId=api.id, stageName="live", deploymentId=first, variables={"who": "stage"}, canarySettings=settings
    )
    assert made["canarySettings"]["deploymentId"] == second
    assert _LEAST < _share(account, api, b"canary") < _MOST


def _template(uri: str, stage: Mapping[str, Any], **resources: Any) -> dict[str, Any]:
    """An API with the stage ``live`` at a first deployment; *stage* and *resources* go on from there."""
    api = {"Ref": "Api"}
    integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": uri}
    paths = {"/x": {"get": {"x-amazon-apigateway-integration": integration}}}
    body = {"openapi": "3.0.1", "info": {"title": "api", "version": "1"}, "paths": paths}
    properties = {"RestApiId": api, "StageName": "live", "DeploymentId": {"Ref": "First"}}
    properties["Variables"] = {"who": "stage"}
    return {
        "Resources": {
            "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": body}},
            "First": {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": api}},
            "Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": {**properties, **stage}},
            **resources,
        }
    }


_STAGE_TEMPLATE = (
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-stage.html"
)
_DEPLOYMENT_TEMPLATE = (
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-deployment.html"
)


@case(rule=9, source=_STAGE_TEMPLATE, gap=_GAP)
def test_a_template_gives_a_stage_a_canary(account: Account) -> None:
    """A stage's CanarySetting diverts its share, and an update of the stack without it ends that."""
    function = account.function(_ECHO)
    account.allow_apis(function)
    second = {"Second": {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": {"Ref": "Api"}}}}
    setting = {"PercentTraffic": 100, "DeploymentId": {"Ref": "Second"}, "StageVariableOverrides": {"who": "canary"}}
    stack = account.create_stack(_template(function.uri(), {"CanarySetting": setting}, **second))
    api = Api(account.physical_id(stack, "Api"))
    assert _all(account, api) == {b"canary"}
    account.update_stack(stack, _template(function.uri(), {}, **second))
    assert _all(account, api) == {b"stage"}


@case(rule=9, source=_DEPLOYMENT_TEMPLATE, gap=_GAP)
def test_a_template_deploys_a_canary(account: Account) -> None:
    """A deployment with DeploymentCanarySettings to a stage that is there becomes its canary."""
    function = account.function(_ECHO)
    account.allow_apis(function)
    settings = {"PercentTraffic": 100, "StageVariableOverrides": {"who": "canary"}}
    properties = {"RestApiId": {"Ref": "Api"}, "StageName": "live", "DeploymentCanarySettings": settings}
    second = {"Type": "AWS::ApiGateway::Deployment", "DependsOn": "Stage", "Properties": properties}
    api = Api(account.physical_id(account.create_stack(_template(function.uri(), {}, Second=second)), "Api"))
    assert _all(account, api) == {b"canary"}
