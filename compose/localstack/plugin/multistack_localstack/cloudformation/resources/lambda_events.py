"""
What calls a function, and where its results go: event source mappings and ``AWS::Lambda::EventInvokeConfig``.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventsourcemapping.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventinvokeconfig.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localstack.services.cloudformation.resource_provider import ProgressEvent
from localstack.services.lambda_.resource_providers.aws_lambda_eventinvokeconfig import LambdaEventInvokeConfigProvider
from localstack.services.lambda_.resource_providers.aws_lambda_eventsourcemapping import (
    LambdaEventSourceMappingProvider,
)

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.parts import (
    Request,
    before,
    has_changed,
    is_first,
    not_yet,
    selected,
    tag_changes,
)

# What to send when the template drops the property; None where LocalStack takes nothing.
_DROPPED: Mapping[str, Any] = {
    "BatchSize": None,
    "BisectBatchOnFunctionError": False,
    "DestinationConfig": {},
    "DocumentDBEventSourceConfig": None,
    "Enabled": True,
    "FilterCriteria": {},
    "FunctionName": None,
    "FunctionResponseTypes": [],
    "MaximumBatchingWindowInSeconds": 0,
    "MaximumRecordAgeInSeconds": None,
    "MaximumRetryAttempts": None,
    "ParallelizationFactor": None,
    "ScalingConfig": {},
    "SourceAccessConfigurations": None,
    "TumblingWindowInSeconds": None,
}
_MOVING = {"Creating", "Enabling", "Disabling", "Updating"}
_INVOKE = ("DestinationConfig", "FunctionName", "MaximumEventAgeInSeconds", "MaximumRetryAttempts", "Qualifier")


class EventSourceMapping(LambdaEventSourceMappingProvider):
    """Event source mappings."""

    COMPARED = frozenset(_DROPPED.keys() - {"FunctionName"} | {"EventSourceArn"})

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Change a mapping; what the template drops goes back to what it is without."""
        model, aws = request.desired_state, request.aws_client_factory.lambda_
        model |= selected(before(request), "Id", "EventSourceMappingArn")
        if _is_moving(request):
            return not_yet(model)
        if not is_first(request):
            return done(model)
        changed = {name: model.get(name, default) for name, default in _DROPPED.items() if has_changed(request, name)}
        known = model.keys() | before(request).keys() | {"Enabled"}
        if sent := {name: value for name, value in changed.items() if value is not None and name in known}:
            aws.update_event_source_mapping(UUID=model["Id"], **sent)
        wanted, dropped = tag_changes(request)
        if wanted and has_changed(request, "Tags"):
            aws.tag_resource(Resource=model["EventSourceMappingArn"], Tags=wanted)
        if dropped:
            aws.untag_resource(Resource=model["EventSourceMappingArn"], TagKeys=dropped)
        return not_yet(model)

    def delete(self, request: Request) -> ProgressEvent[Any]:
        """Delete a mapping, and wait until nothing polls its source any more."""
        model, aws = request.desired_state, request.aws_client_factory.lambda_
        try:
            if is_first(request):
                aws.delete_event_source_mapping(UUID=model["Id"])
            aws.get_event_source_mapping(UUID=model["Id"])
        except aws.exceptions.ResourceNotFoundException:
            return done(model)
        return not_yet(model)

    def read(self, request: Request) -> ProgressEvent[Any]:
        """What the mapping is like."""
        model = request.desired_state
        found = request.aws_client_factory.lambda_.get_event_source_mapping(UUID=model["Id"])
        names = _DROPPED.keys() - {"FunctionName", "Enabled"}
        properties = selected(found, "EventSourceArn", *names)
        properties["Enabled"] = found["State"] in ("Enabled", "Enabling", "Creating")
        return done(properties)


def _is_moving(request: Request) -> bool:
    model = request.desired_state
    found = request.aws_client_factory.lambda_.get_event_source_mapping(UUID=model["Id"])
    return found["State"] in _MOVING


class EventInvokeConfig(LambdaEventInvokeConfigProvider):
    """What happens to asynchronous calls."""

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Make it; without a function there is nothing to set."""
        model, aws = request.desired_state, request.aws_client_factory.lambda_
        aws.put_function_event_invoke_config(**selected(model, *_INVOKE))
        model["Id"] = f"{model['FunctionName']}|{model['Qualifier']}"
        return done(model)

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Put it anew: what the template drops is gone then."""
        model, aws = request.desired_state, request.aws_client_factory.lambda_
        aws.put_function_event_invoke_config(**selected(model, *_INVOKE))
        model["Id"] = before(request)["Id"]
        return done(model)
