"""
Gap: a stage of a REST API in MiniStack 1.5.33 serves the API as it is being edited; on AWS it serves a deployment.

A deployment freezes resources, methods, integrations, authorizers, validators, models, the resource policy and the
binary media types (MiniStack freezes only gateway responses). A stage can be pointed back to an earlier one. A stage
whose deployment was made before this was filled in serves the API as it is.

Source:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-deploy-api.html
    https://docs.aws.amazon.com/apigateway/latest/api/API_CreateDeployment.html
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from emulator.drivers.launcher.deployed import FROZEN, show, showing_stores

# By API id in MiniStack: all of it is what a deployment freezes.
_STORES = ("_resources", "_authorizers_v1", "_request_validators", "_models")
# Of the record of the API itself.
_FIELDS = ("policy", "binaryMediaTypes", "minimumCompressionSize")

Answer = tuple[int, Mapping[str, str], bytes]


def apply() -> None:
    """Freeze at CreateDeployment, and serve what is frozen."""
    from ministack.services import apigateway_v1 as v1
    from ministack.services.cloudformation import provisioners

    showing_stores(v1, (*_STORES, "_rest_apis", "_stages_v1"))
    _freeze_deployments(v1)
    _check_deployments(v1)
    _serve_deployments(v1)
    _refuse_stages(v1, provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::Stage"])


def _freeze_deployments(v1: Any) -> None:
    create = v1._create_deployment

    @functools.wraps(create)
    def create_deployment(api_id: str, data: Mapping[str, Any]) -> Answer:
        problem = _nothing_to_deploy(v1._resources.get(api_id, {}).values()) if api_id in v1._rest_apis else ""
        if problem:
            return v1._v1_error("BadRequestException", problem, 400)  # type: ignore[no-any-return]
        answer: Answer = create(api_id, data)
        if answer[0] < 400:
            api = v1._rest_apis.get(api_id)
            frozen = {name: getattr(v1, name).get(api_id, {}) for name in _STORES}
            frozen["_rest_apis"] = {field: api.get(field) for field in _FIELDS}
            kept = v1._deployed_gateway_responses.setdefault(api_id, {})
            kept.setdefault(json.loads(answer[2])["id"], {})[FROZEN] = copy.deepcopy(frozen)
        return answer

    v1._create_deployment = create_deployment


def _nothing_to_deploy(resources: Iterator[Mapping[str, Any]]) -> str:
    """Why AWS would not make a deployment of *resources*; empty when it would."""
    methods = [method for resource in resources for method in (resource.get("resourceMethods") or {}).values()]
    if not methods:
        return "The REST API doesn't contain any methods"
    return "" if all(method.get("methodIntegration") for method in methods) else "No integration defined for method"


def _check_deployments(v1: Any) -> None:
    """A stage has a deployment that is there, and a deployment that a stage has stays."""
    create_stage, update_stage, delete = v1._create_stage, v1._update_stage, v1._delete_deployment

    def unknown(api_id: str, deployment: str) -> Answer | None:
        if api_id not in v1._rest_apis or deployment in v1._deployments_v1.get(api_id, {}):
            return None
        return v1._v1_error("NotFoundException", "Invalid Deployment identifier specified", 404)  # type: ignore[no-any-return]

    @functools.wraps(create_stage)
    def checked_create(api_id: str, data: Mapping[str, Any]) -> Answer:
        if api_id in v1._rest_apis and data.get("stageName") in v1._stages_v1.get(api_id, {}):
            return v1._v1_error("ConflictException", "Stage already exists", 409)  # type: ignore[no-any-return]
        return unknown(api_id, data.get("deploymentId", "")) or create_stage(api_id, data)

    @functools.wraps(update_stage)
    def checked_update(api_id: str, stage_name: str, data: Mapping[str, Any]) -> Answer:
        for operation in data.get("patchOperations", []):
            if operation.get("path") == "/deploymentId" and operation.get("value") is not None:
                refused = unknown(api_id, operation["value"])
                if refused:
                    return refused
        return update_stage(api_id, stage_name, data)  # type: ignore[no-any-return]

    @functools.wraps(delete)
    def checked_delete(api_id: str, deployment_id: str) -> Answer:
        if any(stage.get("deploymentId") == deployment_id for stage in v1._stages_v1.get(api_id, {}).values()):
            message = "Active stages pointing to this deployment must be moved or deleted"
            return v1._v1_error("BadRequestException", message, 400)  # type: ignore[no-any-return]
        return delete(api_id, deployment_id)  # type: ignore[no-any-return]

    v1._create_stage, v1._update_stage, v1._delete_deployment = checked_create, checked_update, checked_delete


def _refuse_stages(v1: Any, handlers: dict[str, Any]) -> None:
    """Let a template's stage fail where CreateStage is refused: MiniStack's handler does not look at the answer."""
    create = handlers["create"]

    def checked(logical_id: str, properties: Mapping[str, Any], stack_name: str) -> Any:
        api_id, name = properties.get("RestApiId", ""), properties.get("StageName", "")
        if name in v1._stages_v1.get(api_id, {}):
            raise ValueError(f"stage {name} of API {api_id} already exists")
        result = create(logical_id, properties, stack_name)
        if name not in v1._stages_v1.get(api_id, {}):
            raise ValueError("Invalid Deployment identifier specified")
        return result

    handlers["create"] = checked


def _serve_deployments(v1: Any) -> None:
    serve, authorization_type, policy = (
        v1._execute_in_scope,
        v1.method_authorization_type,
        v1.rest_api_policy_for_arn,
    )

    @functools.wraps(serve)
    async def execute_in_scope(request: Any, api_id: str, stage_name: str, *rest: Any) -> Any:
        with show(api_id, _frozen(v1, api_id, v1._stages_v1.get(api_id, {}).get(stage_name))):
            return await serve(request, api_id, stage_name, *rest)

    @functools.wraps(authorization_type)
    def method_authorization_type(api_id: str, stage_name: str, *rest: Any) -> Any:
        with show(api_id, _frozen_anywhere(v1, api_id, stage_name)):
            return authorization_type(api_id, stage_name, *rest)

    @functools.wraps(policy)
    def rest_api_policy_for_arn(arn: str) -> Any:
        api_id, _, rest = arn.rpartition(":")[2].partition("/")
        with show(api_id, _frozen_anywhere(v1, api_id, rest.partition("/")[0])):
            return policy(arn)

    v1._execute_in_scope = execute_in_scope
    v1.method_authorization_type = method_authorization_type
    v1.rest_api_policy_for_arn = rest_api_policy_for_arn


def _frozen(v1: Any, api_id: str, stage: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What the deployment of *stage* froze, by the name of the store that answers with it."""
    if stage is None:
        return {}
    kept = v1._deployed_gateway_responses.get(api_id, {}).get(stage.get("deploymentId")) or {}
    return kept.get(FROZEN) or {}


def _frozen_anywhere(v1: Any, api_id: str, stage_name: str) -> Mapping[str, Any]:
    """As :func:`_frozen`, outside of a request: in whichever region the API is."""
    scope = v1.find_api_scope(api_id)
    if scope is None:
        return {}
    stage = v1._stages_v1.get_scoped(*scope, api_id, {}).get(stage_name) or {}
    kept = v1._deployed_gateway_responses.get_scoped(*scope, api_id, {}).get(stage.get("deploymentId")) or {}
    return kept.get(FROZEN) or {}
