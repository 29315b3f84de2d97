"""
``AWS::ApiGateway::UsagePlan`` and ``AWS::ApiGateway::ApiKey``: who may call an API how often.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-usageplan.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-apikey.html
"""

from __future__ import annotations

from typing import Any

from localstack.services.apigateway.resource_providers.aws_apigateway_apikey import ApiGatewayApiKeyProvider
from localstack.services.apigateway.resource_providers.aws_apigateway_usageplan import ApiGatewayUsagePlanProvider
from localstack.services.cloudformation.resource_provider import ProgressEvent

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.parts import Properties, Request, before, tag_changes

_LIMITS = ("Quota", "Throttle")


class UsagePlan(ApiGatewayUsagePlanProvider):
    """Usage plans."""

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Change a plan in place: its keys stay in it."""
        model, gateway, was = request.desired_state, request.aws_client_factory.apigateway, before(request)
        model["Id"] = was["Id"]
        model.setdefault("UsagePlanName", was["UsagePlanName"])
        found = gateway.get_usage_plan(usagePlanId=model["Id"])
        operations = [
            {"op": "replace", "path": "/name", "value": model["UsagePlanName"]},
            {"op": "replace", "path": "/description", "value": model.get("Description") or ""},
        ]
        wanted, there = (
            _stages(model.get("ApiStages") or [], "ApiId", "Stage"),
            _stages(found.get("apiStages") or [], "apiId", "stage"),
        )
        operations += [{"op": "remove", "path": "/apiStages", "value": one} for one in sorted(there - wanted)]
        operations += [{"op": "add", "path": "/apiStages", "value": one} for one in sorted(wanted - there)]
        for name in _LIMITS:
            key = name.lower()
            if model.get(name):
                operations += [
                    {"op": "replace", "path": f"/{key}/{part[0].lower()}{part[1:]}", "value": str(value)}
                    for part, value in model[name].items()
                ]
            elif found.get(key):
                operations.append({"op": "remove", "path": f"/{key}"})
        gateway.update_usage_plan(usagePlanId=model["Id"], patchOperations=operations)
        _put_tags(request, f"arn:aws:apigateway:{request.region_name}::/usageplans/{model['Id']}")
        return done(model)


class ApiKey(ApiGatewayApiKeyProvider):
    """API keys."""

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Change what is said of a key, and whether it is good; its value stays."""
        model, gateway = request.desired_state, request.aws_client_factory.apigateway
        model["APIKeyId"] = before(request)["APIKeyId"]
        operations = [
            {"op": "replace", "path": "/description", "value": model.get("Description") or ""},
            {"op": "replace", "path": "/enabled", "value": "true" if model.get("Enabled") else "false"},
            {"op": "replace", "path": "/customerId", "value": model.get("CustomerId") or ""},
        ]
        gateway.update_api_key(apiKey=model["APIKeyId"], patchOperations=operations)
        _put_tags(request, f"arn:aws:apigateway:{request.region_name}::/apikeys/{model['APIKeyId']}")
        return done(model)


def _stages(stages: list[Properties], api: str, stage: str) -> set[str]:
    return {f"{one[api]}:{one[stage]}" for one in stages}


def _put_tags(request: Request, arn: str) -> None:
    wanted, dropped = tag_changes(request)
    gateway = request.aws_client_factory.apigateway
    if wanted:
        gateway.tag_resource(resourceArn=arn, tags=wanted)
    if dropped:
        gateway.untag_resource(resourceArn=arn, tagKeys=dropped)
