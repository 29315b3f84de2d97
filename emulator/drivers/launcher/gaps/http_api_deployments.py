"""
Gap: every stage of an HTTP API in MiniStack 1.5.33 serves the API as it is being edited.

On AWS only a stage with automatic deployment does; any other serves the deployment it was given, and 404 before that.
CloudFormation's ``AWS::ApiGatewayV2::Deployment`` is missing as well.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-stages.html
    https://docs.aws.amazon.com/apigateway/latest/api-reference/apigatewayv2/apis-apiid-deployments.html
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Mapping
from typing import Any

from emulator.drivers.launcher.deployed import FROZEN, show, showing_stores

_STORES = ("_routes", "_integrations", "_authorizers")

Answer = tuple[int, Mapping[str, str], bytes]
Properties = Mapping[str, Any]


def apply() -> None:
    """Freeze at CreateDeployment, and serve what is frozen."""
    from ministack.services import apigateway as v2
    from ministack.services.cloudformation import provisioners

    showing_stores(v2, _STORES)
    _freeze_deployments(v2)
    _serve_deployments(v2)
    provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Deployment"] = _template_handlers(v2)


def _freeze_deployments(v2: Any) -> None:
    create, respond = v2._create_deployment, v2._apigw_response

    @functools.wraps(create)
    def create_deployment(api_id: str, data: Properties) -> Answer:
        name = data.get("stageName")
        stage = v2._stages.get(api_id, {}).get(name)
        if name and stage is None and api_id in v2._apis:
            return v2._apigw_error("NotFoundException", "Invalid stage identifier specified", 404)  # type: ignore[no-any-return]
        answer: Answer = create(api_id, data)
        if answer[0] < 400:
            deployment = json.loads(answer[2])["deploymentId"]
            frozen = {store: getattr(v2, store).get(api_id, {}) for store in _STORES}
            v2._deployments[api_id][deployment][FROZEN] = copy.deepcopy(frozen)
            if stage is not None:
                stage["deploymentId"] = deployment
        return answer

    @functools.wraps(respond)
    def without_frozen(data: Properties, status: int = 200) -> Answer:
        if FROZEN in data:
            data = _plain(data)
        elif any(FROZEN in item for item in data.get("items") or () if isinstance(item, Mapping)):
            data = {**data, "items": [_plain(item) for item in data["items"]]}
        return respond(data, status)  # type: ignore[no-any-return]

    v2._create_deployment, v2._apigw_response = create_deployment, without_frozen


def _plain(deployment: Properties) -> Properties:
    return {name: value for name, value in deployment.items() if name != FROZEN}


def _serve_deployments(v2: Any) -> None:
    serve, authorization_type = v2._handle_execute_in_scope, v2.route_authorization_type

    @functools.wraps(serve)
    async def execute_in_scope(api_id: str, stage_name: str, *rest: Any) -> Any:
        stage = v2._stages.get(api_id, {}).get(stage_name)
        if stage is None or stage.get("autoDeploy"):
            return await serve(api_id, stage_name, *rest)
        deployment = v2._deployments.get(api_id, {}).get(stage.get("deploymentId"))
        if deployment is None:
            return v2._http_api_not_found()
        with show(api_id, deployment.get(FROZEN) or {}):
            return await serve(api_id, stage_name, *rest)

    @functools.wraps(authorization_type)
    def route_authorization_type(api_id: str, stage_name: str, *rest: Any) -> Any:
        scope = v2.find_api_scope(api_id)
        stage = v2._stages.get_scoped(*scope, api_id, {}).get(stage_name) if scope else None
        if stage is None or stage.get("autoDeploy"):
            return authorization_type(api_id, stage_name, *rest)
        deployment = v2._deployments.get_scoped(*scope, api_id, {}).get(stage.get("deploymentId")) or {}
        with show(api_id, deployment.get(FROZEN) or {}):
            return authorization_type(api_id, stage_name, *rest)

    v2._handle_execute_in_scope, v2.route_authorization_type = execute_in_scope, route_authorization_type


def _template_handlers(v2: Any) -> dict[str, Any]:
    def create(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Any]:
        data = {"stageName": properties.get("StageName"), "description": properties.get("Description", "")}
        status, _, answer = v2._create_deployment(properties.get("ApiId", ""), data)
        if status >= 400:
            raise ValueError(json.loads(answer)["message"])
        deployment = json.loads(answer)["deploymentId"]
        return deployment, {"DeploymentId": deployment}

    def update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> tuple[str, Any]:
        if new.get("ApiId") != old.get("ApiId"):
            return create(physical_id, new, stack_name)
        stage = v2._stages.get(new["ApiId"], {}).get(new.get("StageName"))
        if stage is not None and new.get("StageName") != old.get("StageName"):
            stage["deploymentId"] = physical_id
        return physical_id, {"DeploymentId": physical_id}

    def delete(physical_id: str, properties: Properties) -> None:
        v2._deployments.get(properties.get("ApiId", ""), {}).pop(physical_id, None)

    return {"create": create, "update": update, "delete": delete}
