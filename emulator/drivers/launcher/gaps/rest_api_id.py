"""
Gap: CloudFormation in MiniStack 1.5.33 makes a new REST API when the ``Body`` of one changes, so its URL changes.

On AWS the API is overwritten in place (PutRestApi) and keeps its id, stages and deployments; what its stages serve
changes with their next deployment.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-restapi.html
    https://docs.aws.amazon.com/apigateway/latest/api/API_PutRestApi.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OVERWRITTEN = ("_authorizers_v1", "_models", "_gateway_responses", "_request_validators")

Properties = Mapping[str, Any]


def apply() -> None:
    """Import the changed ``Body`` beside the API, and move it over."""
    from ministack.services import apigateway_v1 as v1
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]
    created, updated = handlers["create"], handlers["update"]

    def update(
        api_id: str, old: Properties, new: Properties, stack_name: str, logical_id: str | None = None
    ) -> tuple[str, Any]:
        is_import = isinstance(new.get("Body"), Mapping) and new["Body"] != old.get("Body")
        if not is_import or api_id not in v1._rest_apis:
            return updated(api_id, old, new, stack_name, logical_id)  # type: ignore[no-any-return]
        beside, _ = created(logical_id or api_id, new, stack_name)
        _overwrite(v1, api_id, beside)
        return api_id, provisioners._apigw_rest_api_attrs(api_id)

    handlers["update"] = update
    handlers["update_with_logical_id"] = True


def _overwrite(v1: Any, api_id: str, beside: str) -> None:
    """Give an API what another one has, and remove that one."""
    root = next(key for key, resource in v1._resources[api_id].items() if resource["path"] == "/")
    v1._resources[api_id] = _with_root(v1._resources[beside], root)
    for name in _OVERWRITTEN:
        store = getattr(v1, name)
        store[api_id] = store.get(beside, {})
    kept = {"id": api_id, "createdDate": v1._rest_apis[api_id]["createdDate"]}
    v1._rest_apis[api_id] = {**v1._rest_apis[beside], **kept}
    v1._v1_tags[v1._rest_api_arn(api_id)] = v1._v1_tags.get(v1._rest_api_arn(beside), {})
    v1._delete_rest_api(beside)


def _with_root(resources: Mapping[str, dict[str, Any]], root: str) -> dict[str, dict[str, Any]]:
    """*resources* under a root resource with the id *root*: on AWS it stays the same, too."""
    replaced = next(key for key, resource in resources.items() if resource["path"] == "/")

    def named(key: str | None) -> str | None:
        return root if key == replaced else key

    return {
        str(named(key)): {**resource, "id": named(resource["id"]), "parentId": named(resource.get("parentId"))}
        for key, resource in resources.items()
    }
