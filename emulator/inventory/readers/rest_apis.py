"""REST APIs: routes with what answers them, and stages with what they serve."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from emulator.inventory.account import Account, document, given, tags_in
from emulator.inventory.resource import Properties

# Ids that are made anew at every import of a definition.
_VOLATILE = ("cacheNamespace", "id", "authorizerId")
_STAGE = {
    "DeploymentId": "deploymentId",
    "Description": "description",
    "Variables": "variables",
    "TracingEnabled": "tracingEnabled",
    "CacheClusterEnabled": "cacheClusterEnabled",
    "CanarySetting": "canarySettings",
    "MethodSettings": "methodSettings",
    "AccessLogSetting": "accessLogSettings",
}


def rest_api(account: Account, api: str, _parent: str) -> Properties:
    """A REST API with its routes, and the stages that are no resources of the stack."""
    aws = account.client("apigateway")
    found = aws.get_rest_api(restApiId=api)
    own = account.in_stack("AWS::ApiGateway::Stage")
    return given(
        {
            "Name": found.get("name"),
            "Description": found.get("description"),
            "ApiKeySourceType": found.get("apiKeySource"),
            "BinaryMediaTypes": sorted(found.get("binaryMediaTypes") or ()),
            "DisableExecuteApiEndpoint": bool(found.get("disableExecuteApiEndpoint")),
            "EndpointConfiguration": {"Types": (found.get("endpointConfiguration") or {}).get("types")},
            "MinimumCompressionSize": found.get("minimumCompressionSize"),
            "Policy": document(found.get("policy")),
            "Routes": _routes(account, aws, api),
            "Authorizers": _authorizers(account, aws, api),
            "Stages": {
                name: stage_properties(account, one) for name, one in account.stages(api).items() if name not in own
            },
            "Tags": tags_in(found.get("tags") or {}),
        }
    )


def _routes(account: Account, aws: Any, api: str) -> Mapping[str, Properties]:
    """Path to method to what answers it; a path without methods is there as well."""
    call = functools.partial(aws.get_resources, restApiId=api, embed=["methods"], limit=500)
    return {
        one["path"]: {name: _method(method) for name, method in (one.get("resourceMethods") or {}).items()}
        for one in account.all_of(call, "items", next_as="position", next_in="position")
    }


def _method(found: Mapping[str, Any]) -> Properties:
    shown = {key: value for key, value in found.items() if key not in ("methodIntegration", "httpMethod")}
    integration = found.get("methodIntegration") or {}
    return {**_stable(shown), "Integration": _stable(integration)}


def _stable(found: Mapping[str, Any]) -> Properties:
    """Named as in a template, and without ids."""
    return given({key[:1].upper() + key[1:]: value for key, value in found.items() if key not in _VOLATILE})


def _authorizers(account: Account, aws: Any, api: str) -> Mapping[str, Properties]:
    found = account.optional(lambda: aws.get_authorizers(restApiId=api).get("items") or [], [])
    return {one["name"]: _stable({key: value for key, value in one.items() if key != "name"}) for one in found}


def stage(account: Account, name: str, parent: str) -> Properties | None:
    """A stage: the deployment that it serves, its variables."""
    found = account.stages(parent).get(name)
    return found and stage_properties(account, found)


def stage_properties(account: Account, found: Mapping[str, Any]) -> Properties:
    """What *found*, a stage as the API shows it, is set to."""
    shown = given({name: found.get(key) for name, key in _STAGE.items()})
    variables = found.get("variables")
    return {**shown, **({"Variables": account.hiding.variables(variables)} if variables else {})}


def deployment(account: Account, deployment_id: str, parent: str) -> Properties:
    """A deployment, which nobody can edit."""
    found = account.client("apigateway").get_deployment(restApiId=parent, deploymentId=deployment_id)
    return given({"Description": found.get("description")})


READERS = {
    "AWS::ApiGateway::RestApi": rest_api,
    "AWS::ApiGateway::Stage": stage,
    "AWS::ApiGateway::Deployment": deployment,
}
