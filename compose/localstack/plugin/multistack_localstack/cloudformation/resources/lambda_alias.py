"""
``AWS::Lambda::Alias``: moved in place, with the weights that the template lists.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-alias.html
"""

from __future__ import annotations

from typing import Any

from localstack.services.cloudformation.resource_provider import ProgressEvent
from localstack.services.lambda_.resource_providers.lambda_alias import LambdaAliasProvider

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.parts import (
    Properties,
    Request,
    before,
    has_changed,
    is_first,
    not_yet,
    selected,
    taken_back,
)
from multistack_localstack.cloudformation.resources.provisioning import PROVISIONED, is_warming, provision

_WEIGHTS = "AdditionalVersionWeights"


class Alias(LambdaAliasProvider):
    """Aliases."""

    COMPARED = frozenset({"FunctionVersion", "Name", "Description", "RoutingConfig"})

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Make an alias with its weights, and wait for the copies that it keeps warm."""
        model, aws = request.desired_state, request.aws_client_factory.lambda_
        if is_first(request):
            named = selected(model, "FunctionName", "FunctionVersion", "Name", "Description")
            made = aws.create_alias(
                **named, **({"RoutingConfig": _routing(model)} if _routing(model)[_WEIGHTS] else {})
            )
            model |= {"Id": made["AliasArn"], "AliasArn": made["AliasArn"]}
            with taken_back(lambda: self.delete(request)):
                provision(request, model["Name"])
        return not_yet(model) if is_warming(request, model["Name"]) else done(model)

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Move an alias; dropped weights and descriptions go."""
        model, aws = request.desired_state, request.aws_client_factory.lambda_
        model |= {"Id": before(request)["Id"], "AliasArn": before(request)["Id"]}
        if is_first(request):
            aws.update_alias(
                FunctionName=model["FunctionName"],
                Name=model["Name"],
                FunctionVersion=model["FunctionVersion"],
                Description=model.get("Description", ""),
                RoutingConfig=_routing(model),
            )
            if has_changed(request, PROVISIONED):
                provision(request, model["Name"])
        return not_yet(model) if is_warming(request, model["Name"]) else done(model)

    def read(self, request: Request) -> ProgressEvent[Any]:
        """Where the alias points, and with which weights."""
        model = request.desired_state
        found = request.aws_client_factory.lambda_.get_alias(FunctionName=model["FunctionName"], Name=model["Name"])
        weights = (found.get("RoutingConfig") or {}).get(_WEIGHTS) or {}
        listed = [{"FunctionVersion": version, "FunctionWeight": weight} for version, weight in sorted(weights.items())]
        named = selected(found, "FunctionVersion", "Name", "Description")
        return done({**named, "RoutingConfig": {_WEIGHTS: listed}})


def _routing(model: Properties) -> dict[str, dict[str, float]]:
    """A template lists what the API has as a map."""
    listed = (model.get("RoutingConfig") or {}).get(_WEIGHTS) or []
    return {_WEIGHTS: {str(one["FunctionVersion"]): float(one["FunctionWeight"]) for one in listed}}
