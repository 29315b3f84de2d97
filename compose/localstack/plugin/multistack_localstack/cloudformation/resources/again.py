"""
Types whose resources are put: making one under the identity that is there changes it.

LocalStack knows no update of them, and takes that for a success.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localstack.services.cloudformation.resource_provider import (
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    plugin_manager,
)

from multistack_localstack.cloudformation.resources.parts import Request, before

# The type, and what keeps its identity.
KEPT: Mapping[str, tuple[str, ...]] = {
    "AWS::ApiGateway::Account": ("Id",),
    "AWS::CloudFormation::Macro": ("Id",),
    "AWS::CloudWatch::Alarm": ("Id", "Arn", "AlarmName"),
    "AWS::CloudWatch::CompositeAlarm": ("Id", "Arn", "AlarmName"),
    "AWS::Events::EventBusPolicy": ("Id",),
    "AWS::Logs::SubscriptionFilter": ("FilterName",),
    "AWS::S3::BucketPolicy": ("Id",),
    "AWS::SNS::TopicPolicy": ("Id",),
    "AWS::SecretsManager::ResourcePolicy": ("Id",),
}


class PutAgain(ResourceProvider[Any]):
    """A provider of LocalStack's that puts, with an update."""

    def __init__(self, kind: str) -> None:
        self.TYPE = kind
        self._provider: ResourceProvider[Any] = plugin_manager.load(kind).factory()
        self.SCHEMA = self._provider.SCHEMA

    def create(self, request: Request) -> ProgressEvent[Any]:
        """As LocalStack does."""
        return self._provider.create(request)

    def delete(self, request: Request) -> ProgressEvent[Any]:
        """As LocalStack does."""
        return self._provider.delete(request)

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Put it again where it is."""
        kept = {name: before(request)[name] for name in KEPT[self.TYPE] if name in before(request)}
        named = {name: value for name, value in kept.items() if name not in ("Id", "Arn")}
        request.desired_state.update(named)
        event = self._provider.create(request)
        if event.status is OperationStatus.SUCCESS:
            event.resource_model = {**(event.resource_model or {}), **kept}
        return event
