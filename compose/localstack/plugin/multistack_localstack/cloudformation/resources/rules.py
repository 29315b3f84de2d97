"""
``AWS::Events::Rule``: changed in place, with the targets that the template lists and no others.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-rule.html
"""

from __future__ import annotations

import json
from typing import Any

from localstack.services.cloudformation.provider_utils import convert_request_kwargs, generate_default_name
from localstack.services.cloudformation.resource_provider import ProgressEvent
from localstack.services.events.resource_providers.aws_events_rule import EventsRuleProvider

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.parts import Properties, Request, before, selected, taken_back

_RULE = ("Description", "EventBusName", "RoleArn", "ScheduleExpression", "State")


class Rule(EventsRuleProvider):
    """Rules."""

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Make a rule; EventBridge would change one that has the name already."""
        model, events = request.desired_state, request.aws_client_factory.events
        name = model.get("Name") or generate_default_name(request.stack_name, request.logical_resource_id)
        try:
            events.describe_rule(Name=name, **selected(model, "EventBusName"))
        except events.exceptions.ResourceNotFoundException:
            pass
        else:
            raise ValueError(f"{name} already exists")
        bus = model.get("EventBusName")
        model["Id"] = f"{bus}|{name}" if bus else name
        with taken_back(lambda: self.delete(request)):
            self._put(request)
        return done(model)

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Put the rule anew under its name, and let go of the targets that the template dropped."""
        model, events = request.desired_state, request.aws_client_factory.events
        model |= selected(before(request), "Id", "Arn")
        events.describe_rule(Name=_name(model), **selected(model, "EventBusName"))
        self._put(request)
        return done(model)

    def delete(self, request: Request) -> ProgressEvent[Any]:
        """Delete a rule and its targets, on its own bus."""
        model, events = request.desired_state, request.aws_client_factory.events
        bus = selected(model, "EventBusName")
        try:
            targets = events.list_targets_by_rule(Rule=_name(model), **bus)["Targets"]
            if targets:
                events.remove_targets(Rule=_name(model), Ids=[one["Id"] for one in targets], **bus, Force=True)
            events.delete_rule(Name=_name(model), **bus)
        except events.exceptions.ResourceNotFoundException:
            pass
        return done(model)

    def _put(self, request: Request) -> None:
        model, events = request.desired_state, request.aws_client_factory.events
        bus = selected(model, "EventBusName")
        pattern = {"EventPattern": json.dumps(model["EventPattern"])} if model.get("EventPattern") else {}
        put = events.put_rule(Name=_name(model), **selected(model, *_RULE), **pattern)
        model["Arn"] = put["RuleArn"]
        wanted = {target["Id"] for target in model.get("Targets") or []}
        there = {target["Id"] for target in events.list_targets_by_rule(Rule=_name(model), **bus)["Targets"]}
        if dropped := sorted(there - wanted):
            events.remove_targets(Rule=_name(model), Ids=dropped, **bus)
        if wanted:
            shape = events.meta.service_model.operation_model("PutTargets").input_shape
            asked = {"Rule": _name(model), "Targets": model["Targets"], **bus}
            events.put_targets(**convert_request_kwargs(asked, shape))


def _name(model: Properties) -> str:
    return str(model["Id"]).rpartition("|")[2]
