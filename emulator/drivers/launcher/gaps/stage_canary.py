"""
Gap: MiniStack 1.5.33 drops the ``canarySettings`` of a REST API's stage; on AWS a share of its calls goes to them.

A canary is a second deployment of a stage, with variables of its own over the stage's. It begins with CreateDeployment
(the stage keeps its deployment), CreateStage or UpdateStage, and is promoted by copying it over the stage.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/canary-release.html
    https://docs.aws.amazon.com/apigateway/latest/api/API_CanarySettings.html
    https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Mapping
from typing import Any

from emulator.drivers.launcher.deployed import show, showing_stores

_SETTINGS = "canarySettings"
_EMPTY: dict[str, Any] = {"percentTraffic": 0.0, "stageVariableOverrides": {}, "useStageCache": False}

Answer = tuple[int, Mapping[str, str], bytes]


def apply() -> None:
    """Keep canary settings, and let them take their share of the calls."""
    from ministack.services import apigateway_v1 as v1
    from ministack.services.cloudformation import provisioners

    showing_stores(v1, ("_stages_v1",))
    _keep_settings(v1)
    _patch_settings(v1)
    _divert_calls(v1)
    _take_from_templates(v1, provisioners._RESOURCE_HANDLERS)


def _settings(given: Mapping[str, Any], deployment: str | None) -> dict[str, Any]:
    """The settings as a stage keeps them."""
    kept = {
        "percentTraffic": float(given.get("percentTraffic") or 0),
        "stageVariableOverrides": dict(given.get("stageVariableOverrides") or {}),
        "useStageCache": str(given.get("useStageCache", False)).lower() == "true",
    }
    return {**kept, "deploymentId": deployment} if deployment else kept


def _keep_settings(v1: Any) -> None:
    create_deployment, create_stage = v1._create_deployment, v1._create_stage

    @functools.wraps(create_deployment)
    def canary_deployment(api_id: str, data: Mapping[str, Any]) -> Answer:
        given, name = data.get(_SETTINGS), data.get("stageName")
        stage = v1._stages_v1.get(api_id, {}).get(name) if given and name else None
        if stage is None:
            return create_deployment(api_id, data)  # type: ignore[no-any-return]
        answer: Answer = create_deployment(api_id, {**data, "stageName": None})
        if answer[0] < 400:
            stage[_SETTINGS] = _settings(given or {}, json.loads(answer[2])["id"])
        return answer

    @functools.wraps(create_stage)
    def stage_with_canary(api_id: str, data: Mapping[str, Any]) -> Answer:
        answer: Answer = create_stage(api_id, data)
        if answer[0] < 400 and data.get(_SETTINGS):
            return _set(v1, api_id, data["stageName"], data[_SETTINGS], answer)
        return answer

    v1._create_deployment, v1._create_stage = canary_deployment, stage_with_canary


def _set(v1: Any, api_id: str, stage_name: str, given: Mapping[str, Any], answer: Answer) -> Answer:
    stage = v1._stages_v1[api_id][stage_name]
    stage[_SETTINGS] = _settings(given, given.get("deploymentId"))
    return v1._v1_response(stage, answer[0])  # type: ignore[no-any-return]


def _patch_settings(v1: Any) -> None:
    patch_stage = v1._apply_stage_patch

    @functools.wraps(patch_stage)
    def patch(stage: dict[str, Any], operations: list[Mapping[str, Any]]) -> None:
        others = []
        for operation in operations:
            if operation.get("op") == "copy":
                _copy(stage, operation)
            elif str(operation.get("path", "")).startswith(f"/{_SETTINGS}"):
                _patch(stage, operation)
            else:
                others.append(operation)
        patch_stage(stage, others)

    v1._apply_stage_patch = patch


def _copy(stage: dict[str, Any], operation: Mapping[str, Any]) -> None:
    """Promote a part of the canary, as patch operations say it."""
    canary = stage.get(_SETTINGS) or {}
    match operation.get("from"), operation.get("path"):
        case "/canarySettings/deploymentId", "/deploymentId" if canary.get("deploymentId"):
            stage["deploymentId"] = canary["deploymentId"]
        case "/canarySettings/stageVariableOverrides", "/variables":
            stage["variables"] = {**(stage.get("variables") or {}), **(canary.get("stageVariableOverrides") or {})}


def _patch(stage: dict[str, Any], operation: Mapping[str, Any]) -> None:
    name, _, variable = str(operation["path"]).removeprefix(f"/{_SETTINGS}").lstrip("/").partition("/")
    is_removal = operation.get("op") == "remove"
    if not name:
        if is_removal:
            stage.pop(_SETTINGS, None)
        return
    canary = stage.setdefault(
        _SETTINGS, {**_EMPTY, "stageVariableOverrides": {}, "deploymentId": stage["deploymentId"]}
    )
    if variable and is_removal:
        canary[name].pop(variable, None)
    elif variable:
        canary[name][variable] = operation["value"]
    elif is_removal:
        canary.pop(name, None)
    elif name == "deploymentId":
        canary[name] = operation["value"]
    else:
        canary[name] = _settings({name: operation["value"]}, None)[name]


def _divert_calls(v1: Any) -> None:
    serve = v1._execute_in_scope

    @functools.wraps(serve)
    async def execute_in_scope(request: Any, api_id: str, stage_name: str, *rest: Any) -> Any:
        stage = v1._stages_v1.get(api_id, {}).get(stage_name)
        canary = stage.get(_SETTINGS) if stage is not None else None
        if not canary or not canary.get("deploymentId") or random.random() * 100 >= canary["percentTraffic"]:  # noqa: S311
            return await serve(request, api_id, stage_name, *rest)
        variables = {**(stage.get("variables") or {}), **(canary.get("stageVariableOverrides") or {})}
        diverted = {**stage, "deploymentId": canary["deploymentId"], "variables": variables}
        with show(api_id, {"_stages_v1": {stage_name: diverted}}):
            return await serve(request, api_id, stage_name, *rest)

    v1._execute_in_scope = execute_in_scope


def _take_from_templates(v1: Any, handlers: Mapping[str, dict[str, Any]]) -> None:
    """``CanarySetting`` of a stage, and ``DeploymentCanarySettings`` of a deployment."""
    stages, deployments = handlers["AWS::ApiGateway::Stage"], handlers["AWS::ApiGateway::Deployment"]
    create_stage, update_stage, create_deployment = stages["create"], stages["update"], deployments["create"]

    def settle(properties: Mapping[str, Any], result: Any) -> Any:
        stage = v1._stages_v1.get(properties.get("RestApiId"), {}).get(properties.get("StageName"))
        given = _lower_first(properties.get("CanarySetting") or {})
        if stage is not None and given:
            stage[_SETTINGS] = _settings(given, given.get("deploymentId"))
        elif stage is not None:
            stage.pop(_SETTINGS, None)
        return result

    def created_deployment(logical_id: str, properties: Mapping[str, Any], stack_name: str) -> Any:
        given, name = properties.get("DeploymentCanarySettings"), properties.get("StageName")
        stage = v1._stages_v1.get(properties.get("RestApiId"), {}).get(name)
        if not given or stage is None:
            return create_deployment(logical_id, properties, stack_name)
        result = create_deployment(logical_id, {**properties, "StageName": None}, stack_name)
        stage[_SETTINGS] = _settings(_lower_first(given), result[0])
        return result

    stages["create"] = lambda name, new, *rest: settle(new, create_stage(name, new, *rest))
    stages["update"] = lambda stage, old, new, *rest: settle(new, update_stage(stage, old, new, *rest))
    deployments["create"] = created_deployment


def _lower_first(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties of a template under the names that the API has for them."""
    return {name[0].lower() + name[1:]: value for name, value in properties.items()}
