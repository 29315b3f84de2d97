"""
Drift detection, done at once when it is asked for.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DetectStackDrift.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DetectStackResourceDrift.html
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from localstack.aws.api import RequestContext, handler
from localstack.aws.api.cloudformation import (
    DescribeStackDriftDetectionStatusOutput,
    DescribeStackResourceDriftsOutput,
    DetectStackDriftOutput,
    DetectStackResourceDriftOutput,
)
from localstack.services.cloudformation.engine.validations import ValidationError
from localstack.services.cloudformation.v2.entities import Stack

from multistack_localstack.cloudformation.api.lookup import stack_of, store_of
from multistack_localstack.cloudformation.engine.drift import can_compare, drift_of
from multistack_localstack.cloudformation.engine.records import records_of

_DRIFTED = ("MODIFIED", "DELETED")


class Drift:
    """The operations that look for drift."""

    @handler("DetectStackDrift")
    def detect_stack_drift(
        self,
        context: RequestContext,
        stack_name: str,
        logical_resource_ids: Sequence[str] | None = None,
        **_others: Any,
    ) -> DetectStackDriftOutput:
        """Compare all resources of a stack, or those named."""
        stack = stack_of(context, stack_name)
        drifts = {
            name: drift_of(stack, record)
            for name, record in records_of(stack).items()
            if can_compare(record.kind) and (not logical_resource_ids or name in logical_resource_ids)
        }
        _keep(stack, drifts)
        drifted = [one for one in drifts.values() if one["StackResourceDriftStatus"] in _DRIFTED]
        status = "DRIFTED" if drifted else "IN_SYNC"
        now = datetime.now(UTC)
        found = vars(stack)
        found["drift"] = {"StackDriftStatus": status, "LastCheckTimestamp": now}
        found["drift_detection"] = {
            "StackId": stack.stack_id,
            "StackDriftDetectionId": str(uuid.uuid4()),
            "StackDriftStatus": status,
            "DetectionStatus": "DETECTION_COMPLETE",
            "DriftedStackResourceCount": len(drifted),
            "Timestamp": now,
        }
        return DetectStackDriftOutput(StackDriftDetectionId=found["drift_detection"]["StackDriftDetectionId"])

    @handler("DescribeStackDriftDetectionStatus")
    def describe_stack_drift_detection_status(
        self, context: RequestContext, stack_drift_detection_id: str, **_others: Any
    ) -> DescribeStackDriftDetectionStatusOutput:
        """What a detection found; a stack remembers its last one."""
        for stack in store_of(context).stacks_v2.values():
            found = getattr(stack, "drift_detection", {})
            if found.get("StackDriftDetectionId") == stack_drift_detection_id:
                return DescribeStackDriftDetectionStatusOutput(**found)
        raise ValidationError(f"Drift detection [{stack_drift_detection_id}] does not exist")

    @handler("DescribeStackResourceDrifts")
    def describe_stack_resource_drifts(
        self,
        context: RequestContext,
        stack_name: str,
        stack_resource_drift_status_filters: Sequence[str] | None = None,
        **_others: Any,
    ) -> DescribeStackResourceDriftsOutput:
        """What was found of each resource."""
        wanted = stack_resource_drift_status_filters
        drifts = getattr(stack_of(context, stack_name), "resource_drifts", {}).values()
        shown = [one for one in drifts if not wanted or one["StackResourceDriftStatus"] in wanted]
        return DescribeStackResourceDriftsOutput(StackResourceDrifts=shown)

    @handler("DetectStackResourceDrift")
    def detect_stack_resource_drift(
        self, context: RequestContext, stack_name: str, logical_resource_id: str, **_others: Any
    ) -> DetectStackResourceDriftOutput:
        """Compare one resource."""
        stack = stack_of(context, stack_name)
        record = records_of(stack).get(logical_resource_id)
        if record is None:
            raise ValidationError(f"Resource {logical_resource_id} does not exist for stack {stack.stack_name}")
        if not can_compare(record.kind):
            raise ValidationError(f"Drift detection is not supported for resource type {record.kind}")
        found = drift_of(stack, record)
        _keep(stack, {logical_resource_id: found})
        return DetectStackResourceDriftOutput(StackResourceDrift=found)


def _keep(stack: Stack, drifts: dict[str, dict[str, Any]]) -> None:
    vars(stack)["resource_drifts"] = {**getattr(stack, "resource_drifts", {}), **drifts}
