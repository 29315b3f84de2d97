"""
``AWS::Scheduler::Schedule``, changed in place.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-scheduler-schedule.html
"""

from __future__ import annotations

from typing import Any

from localstack.services.cloudformation.resource_provider import ProgressEvent
from localstack.services.scheduler.resource_providers.aws_scheduler_schedule import SchedulerScheduleProvider

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.parts import Request, before, selected

_SCHEDULE = (
    "Description",
    "EndDate",
    "FlexibleTimeWindow",
    "GroupName",
    "KmsKeyArn",
    "Name",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "State",
    "Target",
)


class Schedule(SchedulerScheduleProvider):
    """Schedules."""

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Put all of it: what the template drops is what it is without then."""
        model = request.desired_state
        model |= selected(before(request), "Name", "Arn")
        request.aws_client_factory.scheduler.update_schedule(**selected(model, *_SCHEDULE))
        return done(model)
