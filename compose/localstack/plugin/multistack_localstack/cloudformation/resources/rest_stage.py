"""
``AWS::ApiGateway::Stage`` and ``AWS::ApiGateway::Deployment``: what callers of an API see.

A stage is moved to another deployment in place. LocalStack deletes a deployment together with the stages that point to
it; here only the stage goes that the deployment itself made.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-stage.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-deployment.html
    https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateStage-Patch
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from localstack.services.apigateway.resource_providers.aws_apigateway_deployment import ApiGatewayDeploymentProvider
from localstack.services.apigateway.resource_providers.aws_apigateway_stage import ApiGatewayStageProvider
from localstack.services.cloudformation.resource_provider import ProgressEvent

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.parts import (
    Properties,
    Request,
    before,
    has_changed,
    selected,
    tag_changes,
    tag_map,
    taken_back,
)

# Property to the path that changes it, and what it is without a template; None where nothing can be sent then.
_PATCHED: Mapping[str, tuple[str, str | None]] = {
    "CacheClusterEnabled": ("/cacheClusterEnabled", "false"),
    "CacheClusterSize": ("/cacheClusterSize", None),
    "ClientCertificateId": ("/clientCertificateId", None),
    "DeploymentId": ("/deploymentId", None),
    "Description": ("/description", ""),
    "TracingEnabled": ("/tracingEnabled", "false"),
}
_METHOD: Mapping[str, tuple[str, str]] = {
    "CacheDataEncrypted": ("caching/dataEncrypted", "false"),
    "CacheTtlInSeconds": ("caching/ttlInSeconds", "300"),
    "CachingEnabled": ("caching/enabled", "false"),
    "DataTraceEnabled": ("logging/dataTrace", "false"),
    "LoggingLevel": ("logging/loglevel", "OFF"),
    "MetricsEnabled": ("metrics/enabled", "false"),
    "ThrottlingBurstLimit": ("throttling/burstLimit", "-1"),
    "ThrottlingRateLimit": ("throttling/rateLimit", "-1"),
}
_DESCRIBED = "StageDescription"


class Stage(ApiGatewayStageProvider):
    """Stages."""

    COMPARED = frozenset({"StageName", "DeploymentId", "Description", "Variables", "TracingEnabled"})

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Make a stage, and set what can only be set once it is there."""
        model, gateway = request.desired_state, request.aws_client_factory.apigateway
        model.setdefault("StageName", "default")
        stage = {"restApiId": model["RestApiId"], "stageName": model["StageName"]}
        if any(one["stageName"] == stage["stageName"] for one in _stages(gateway, model["RestApiId"])):
            raise ValueError(f"Stage {model['StageName']} already exists")
        gateway.create_stage(
            **stage,
            deploymentId=model["DeploymentId"],
            variables={key: str(value) for key, value in (model.get("Variables") or {}).items()},
            tags=tag_map(model),
            **{
                key[0].lower() + key[1:]: model[key]
                for key in ("Description", "CacheClusterEnabled", "CacheClusterSize", "DocumentationVersion")
                if model.get(key) is not None
            },
        )
        with taken_back(lambda: gateway.delete_stage(**stage)):
            later = {key: model[key] for key in model if key not in ("Description", "DeploymentId", "Variables")}
            _send(gateway, stage, list(_changes({}, later)))
        return done(model)

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Change a stage in place: callers see the new deployment and variables from here on."""
        model, gateway = request.desired_state, request.aws_client_factory.apigateway
        model.setdefault("StageName", before(request)["StageName"])
        stage = {"restApiId": model["RestApiId"], "stageName": model["StageName"]}
        found = gateway.get_stage(**stage)
        was = {**before(request), "Variables": found.get("variables") or {}, "DeploymentId": found["deploymentId"]}
        _send(gateway, stage, list(_changes(was, model)))
        if has_changed(request, "Tags"):
            wanted, dropped = tag_changes(request)
            arn = (
                f"arn:aws:apigateway:{request.region_name}::/restapis/{model['RestApiId']}/stages/{model['StageName']}"
            )
            if wanted:
                gateway.tag_resource(resourceArn=arn, tags=wanted)
            if dropped:
                gateway.untag_resource(resourceArn=arn, tagKeys=dropped)
        return done(model)

    def read(self, request: Request) -> ProgressEvent[Any]:
        """What the stage is like."""
        model = request.desired_state
        stage = {"restApiId": model["RestApiId"], "stageName": model["StageName"]}
        found = request.aws_client_factory.apigateway.get_stage(**stage)
        names = ("StageName", "DeploymentId", "Description", "Variables", "TracingEnabled")
        return done({name: found[name[0].lower() + name[1:]] for name in names if name[0].lower() + name[1:] in found})


class Deployment(ApiGatewayDeploymentProvider):
    """Deployments: snapshots of an API."""

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Take a snapshot; with a stage's name it is what that stage serves from now on."""
        model, gateway = request.desired_state, request.aws_client_factory.apigateway
        canary = _canary(model)
        made = gateway.create_deployment(
            restApiId=model["RestApiId"], description=model.get("Description") or "", **canary
        )
        model["DeploymentId"] = made["id"]
        with taken_back(lambda: self.delete(request)):
            if not canary:
                _put_stage(request)
        return done(model)

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Change what is said of a deployment, and its stage; what it serves never changes."""
        model, gateway = request.desired_state, request.aws_client_factory.apigateway
        model["DeploymentId"] = before(request)["DeploymentId"]
        text = {"op": "replace", "path": "/description", "value": model.get("Description") or ""}
        deployment = {"restApiId": model["RestApiId"], "deploymentId": model["DeploymentId"]}
        gateway.update_deployment(**deployment, patchOperations=[text])
        if not _canary(model):
            _put_stage(request)
            if before(request).get("StageName") != model.get("StageName"):
                _drop_stage(request, before(request))
        return done(model)

    def delete(self, request: Request) -> ProgressEvent[Any]:
        """Delete a deployment and the stage that it made; one that other stages serve stays, and that is an error."""
        model, gateway = request.desired_state, request.aws_client_factory.apigateway
        deployment = {"restApiId": model["RestApiId"], "deploymentId": model["DeploymentId"]}
        try:
            _drop_stage(request, model)
            if any(one["deploymentId"] == model["DeploymentId"] for one in _stages(gateway, model["RestApiId"])):
                raise ValueError("Active stages pointing to this deployment must be moved or deleted")
            gateway.delete_deployment(**deployment)
        except gateway.exceptions.NotFoundException:
            # Its API is gone, and everything with it.
            pass
        return done(model)


def _canary(model: Properties) -> dict[str, Any]:
    """The share of a stage that a deployment takes, where it takes one."""
    settings = model.get("DeploymentCanarySettings")
    if not settings:
        return {}
    overrides = {key: str(value) for key, value in (settings.get("StageVariableOverrides") or {}).items()}
    share = float(settings.get("PercentTraffic") or 0)
    taken = {"percentTraffic": share, "stageVariableOverrides": overrides}
    return {"stageName": model.get("StageName"), "canarySettings": taken}


def _stages(gateway: Any, api: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = gateway.get_stages(restApiId=api).get("item") or []
    return found


def _put_stage(request: Request) -> None:
    """Let the stage that a deployment names serve it."""
    model, gateway = request.desired_state, request.aws_client_factory.apigateway
    if not model.get("StageName"):
        return
    stage = {"restApiId": model["RestApiId"], "stageName": model["StageName"]}
    there = next((one for one in _stages(gateway, model["RestApiId"]) if one["stageName"] == model["StageName"]), None)
    if there is None:
        gateway.create_stage(**stage, deploymentId=model["DeploymentId"])
        there = {}
    described = dict(model.get(_DESCRIBED) or {})
    if settings := selected(described, *_METHOD):
        described["MethodSettings"] = [
            {"ResourcePath": "/*", "HttpMethod": "*", **settings},
            *(described.get("MethodSettings") or []),
        ]
    was = {**(before(request).get(_DESCRIBED) or {}), "Variables": there.get("variables") or {}}
    if _DESCRIBED not in model:
        described["Variables"] = was["Variables"]
    _send(gateway, stage, list(_changes(was, {**described, "DeploymentId": model["DeploymentId"]})))


def _drop_stage(request: Request, model: Properties) -> None:
    """Delete the stage that a deployment made, and end its canaries, unless they have moved on."""
    gateway = request.aws_client_factory.apigateway
    for one in _stages(gateway, model["RestApiId"]):
        stage = {"restApiId": model["RestApiId"], "stageName": one["stageName"]}
        if one["stageName"] == model.get("StageName") and one["deploymentId"] == model["DeploymentId"]:
            gateway.delete_stage(**stage)
        elif (one.get("canarySettings") or {}).get("deploymentId") == model["DeploymentId"]:
            _send(gateway, stage, [{"op": "remove", "path": "/canarySettings"}])


def _send(gateway: Any, stage: Mapping[str, str], operations: list[dict[str, str]]) -> None:
    if operations:
        gateway.update_stage(**stage, patchOperations=operations)


def _changes(was: Properties, wanted: Properties) -> Iterator[dict[str, str]]:
    """What makes a stage that *was* so as it is *wanted*."""
    for name, (path, default) in _PATCHED.items():
        if wanted.get(name) is not None and wanted[name] != was.get(name):
            yield {"op": "replace", "path": path, "value": _text(wanted[name])}
        elif wanted.get(name) is None and was.get(name) is not None and default is not None:
            yield {"op": "replace", "path": path, "value": default}
    if "Variables" in wanted or "Variables" in was:
        yield from _variable_changes(was.get("Variables") or {}, wanted.get("Variables") or {})
    yield from _method_changes(was.get("MethodSettings") or [], wanted.get("MethodSettings") or [])
    yield from _log_changes(was.get("AccessLogSetting") or {}, wanted.get("AccessLogSetting") or {})
    yield from _canary_changes(was.get("CanarySetting") or {}, wanted.get("CanarySetting") or {})


def _variable_changes(was: Properties, wanted: Properties) -> Iterator[dict[str, str]]:
    for name, value in wanted.items():
        if str(value) != str(was.get(name)):
            yield {"op": "replace", "path": f"/variables/{name}", "value": str(value)}
    for name in was.keys() - wanted.keys():
        yield {"op": "remove", "path": f"/variables/{name}"}


def _method_changes(was: list[Properties], wanted: list[Properties]) -> Iterator[dict[str, str]]:
    there, asked = ({_method_path(one): one for one in settings} for settings in (was, wanted))
    for path in [*asked, *(path for path in there if path not in asked)]:
        before_, after = there.get(path, {}), asked.get(path, {})
        for name, (key, default) in _METHOD.items():
            if after.get(name, default) != before_.get(name, default):
                yield {"op": "replace", "path": f"/{path}/{key}", "value": _text(after.get(name, default))}


def _method_path(setting: Properties) -> str:
    """E.g. ``~1orders/GET``; all methods are ``*/*``."""
    path = str(setting.get("ResourcePath") or "/*")
    return f"{'*' if path == '/*' else path.replace('/', '~1')}/{setting.get('HttpMethod') or '*'}"


def _log_changes(was: Properties, wanted: Properties) -> Iterator[dict[str, str]]:
    if was and not wanted:
        yield {"op": "remove", "path": "/accessLogSettings"}
    for name, key in (("DestinationArn", "destinationArn"), ("Format", "format")):
        if wanted.get(name) is not None and wanted[name] != was.get(name):
            yield {"op": "replace", "path": f"/accessLogSettings/{key}", "value": str(wanted[name])}


def _canary_changes(was: Properties, wanted: Properties) -> Iterator[dict[str, str]]:
    if was and not wanted:
        yield {"op": "remove", "path": "/canarySettings"}
    for name, key in (
        ("DeploymentId", "deploymentId"),
        ("PercentTraffic", "percentTraffic"),
        ("UseStageCache", "useStageCache"),
    ):
        if wanted.get(name) is not None and wanted[name] != was.get(name):
            yield {"op": "replace", "path": f"/canarySettings/{key}", "value": _text(wanted[name])}
    overrides = wanted.get("StageVariableOverrides") or {}
    for name, value in overrides.items():
        if value != (was.get("StageVariableOverrides") or {}).get(name):
            yield {"op": "replace", "path": f"/canarySettings/stageVariableOverrides/{name}", "value": str(value)}
    for name in (was.get("StageVariableOverrides") or {}).keys() - overrides.keys() if wanted else ():
        yield {"op": "remove", "path": f"/canarySettings/stageVariableOverrides/{name}"}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
