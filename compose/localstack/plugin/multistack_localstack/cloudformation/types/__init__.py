"""
Resource types whose providers in LocalStack 4.14 can't do all that a stack asks of them; a module per type or two.

Each class takes LocalStack's provider and mends it: an update where AWS updates in place, all properties where
LocalStack leaves some out, and a look at what is there, for drift.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localstack.services.cloudformation.resource_provider import (
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceRequest,
)

# Resource type to "module:class".
MENDED: Mapping[str, str] = {
    "AWS::CDK::Metadata": "metadata:Metadata",
}
# In a request's context: the resource may be other than its last properties say, so all of them must be put.
PUT_ALL = "multistack:put_all"


class Ignored(ResourceProvider[Any]):
    """A type that isn't there, and that somebody asked to be passed over."""

    def __init__(self, kind: str) -> None:
        self.TYPE = kind
        self.SCHEMA = {"typeName": kind, "properties": {}, "primaryIdentifier": ["/properties/Id"]}

    def create(self, request: ResourceRequest[Any]) -> ProgressEvent[Any]:
        """Give it a name, and nothing else."""
        return done({**request.desired_state, "Id": f"{request.stack_name}-{request.logical_resource_id}"})

    def update(self, request: ResourceRequest[Any]) -> ProgressEvent[Any]:
        """Keep its name."""
        return done({**request.desired_state, "Id": (request.previous_state or {})["Id"]})

    def delete(self, request: ResourceRequest[Any]) -> ProgressEvent[Any]:
        """Nothing is there."""
        return done({})


def done(model: Mapping[str, Any]) -> ProgressEvent[Any]:
    """The end of a request that went well."""
    return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=dict(model))
