"""HTTP and WebSocket APIs: routes with what answers them, and stages."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from emulator.inventory.account import Account, given, tags_in
from emulator.inventory.resource import Properties

_API = (
    "CorsConfiguration",
    "Description",
    "DisableExecuteApiEndpoint",
    "Name",
    "ProtocolType",
    "RouteSelectionExpression",
    "Version",
)
_STAGE = (
    "AccessLogSettings",
    "AutoDeploy",
    "DefaultRouteSettings",
    "Description",
    "RouteSettings",
)
_IDS = ("RouteId", "RouteKey", "Target", "IntegrationId", "AuthorizerId", "Name", "ApiGatewayManaged")


def http_api(account: Account, api: str, _parent: str) -> Properties:
    """An API with its routes, and the stages that are no resources of the stack."""
    found = account.client("apigatewayv2").get_api(ApiId=api)
    stages = {one["StageName"]: one for one in _items(account, "get_stages", api)}
    own = account.in_stack("AWS::ApiGatewayV2::Stage")
    return given(
        {
            **{key: found.get(key) for key in _API},
            "Routes": _routes(account, api),
            "Authorizers": {one["Name"]: _without_ids(one) for one in _items(account, "get_authorizers", api)},
            "Stages": {name: _stage(account, one) for name, one in stages.items() if name not in own},
            "Tags": tags_in(found.get("Tags") or {}),
        }
    )


def _items(account: Account, operation: str, api: str) -> Sequence[Mapping[str, Any]]:
    call = functools.partial(getattr(account.client("apigatewayv2"), operation), ApiId=api)
    return account.all_of(call, "Items", next_as="NextToken", next_in="NextToken")


def _routes(account: Account, api: str) -> Mapping[str, Properties]:
    """Route key, such as ``GET /orders``, to its settings and its integration."""
    integrations = {one["IntegrationId"]: _without_ids(one) for one in _items(account, "get_integrations", api)}
    return {
        one["RouteKey"]: {
            **_without_ids(one),
            "Integration": integrations.get(str(one.get("Target", "")).rpartition("/")[2], {}),
        }
        for one in _items(account, "get_routes", api)
    }


def _without_ids(found: Mapping[str, Any]) -> Properties:
    return given({key: value for key, value in found.items() if key not in _IDS})


def stage(account: Account, name: str, parent: str) -> Properties:
    """A stage with its variables."""
    return _stage(account, account.client("apigatewayv2").get_stage(ApiId=parent, StageName=name))


def _stage(account: Account, found: Mapping[str, Any]) -> Properties:
    """Which deployment it serves is nobody's setting where the API deploys by itself."""
    deployment = None if found.get("AutoDeploy") else found.get("DeploymentId")
    variables = account.hiding.variables(found.get("StageVariables") or {})
    return given({**{key: found.get(key) for key in _STAGE}, "DeploymentId": deployment, "StageVariables": variables})


READERS = {"AWS::ApiGatewayV2::Api": http_api, "AWS::ApiGatewayV2::Stage": stage}
