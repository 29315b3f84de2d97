"""
``AWS::CloudFormation::Stack``: a stack in a stack, updated with it.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stack.html
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError
from localstack.services.cloudformation.provider_utils import generate_default_name
from localstack.services.cloudformation.resource_provider import ProgressEvent
from localstack.services.cloudformation.resource_providers.aws_cloudformation_stack import CloudFormationStackProvider

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.parts import Request, before, failed, is_first, not_yet, selected

_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


class NestedStack(CloudFormationStackProvider):
    """Nested stacks."""

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Make the stack and wait for its end; one that failed goes."""
        model, aws = request.desired_state, request.aws_client_factory.cloudformation
        if is_first(request):
            name = generate_default_name(request.stack_name, request.logical_resource_id)
            model["Id"] = aws.create_stack(StackName=name, OnFailure="ROLLBACK", **_given(request))["StackId"]
        found = _described(request)
        if found["StackStatus"] == "CREATE_COMPLETE":
            return done(_with_outputs(request, found))
        if found["StackStatus"].endswith("_IN_PROGRESS"):
            return not_yet(model)
        aws.delete_stack(StackName=model["Id"])
        return failed(model, f"Embedded stack {model['Id']} was not successfully created: {found['StackStatus']}")

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Update the stack and wait for its end."""
        model, aws = request.desired_state, request.aws_client_factory.cloudformation
        model["Id"] = before(request)["Id"]
        if is_first(request):
            try:
                aws.update_stack(StackName=model["Id"], **_given(request))
            except ClientError as error:
                if "No updates are to be performed" not in str(error):
                    raise
                # So it is when this takes back an update that the stack itself has taken back already.
                return done(_with_outputs(request, _described(request)))
        found = _described(request)
        if found["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            return done(_with_outputs(request, found))
        if found["StackStatus"].endswith("_IN_PROGRESS"):
            return not_yet(model)
        return failed(model, f"Embedded stack {model['Id']} was not successfully updated: {found['StackStatus']}")

    def delete(self, request: Request) -> ProgressEvent[Any]:
        """Delete the stack and wait until it is gone."""
        model, aws = request.desired_state, request.aws_client_factory.cloudformation
        if is_first(request):
            aws.delete_stack(StackName=model["Id"])
        found = _described(request)
        if found["StackStatus"] == "DELETE_COMPLETE":
            return done(model)
        if found["StackStatus"].endswith("_IN_PROGRESS"):
            return not_yet(model)
        return failed(model, f"Embedded stack {model['Id']} was not deleted: {found['StackStatus']}")


def _given(request: Request) -> dict[str, Any]:
    model = request.desired_state
    values = {key: _text(value) for key, value in (model.get("Parameters") or {}).items()}
    return {
        **selected(model, "TemplateURL", "NotificationARNs", "Tags"),
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
        "Capabilities": _CAPABILITIES,
    }


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _described(request: Request) -> dict[str, Any]:
    aws = request.aws_client_factory.cloudformation
    return dict(aws.describe_stacks(StackName=request.desired_state["Id"])["Stacks"][0])


def _with_outputs(request: Request, found: dict[str, Any]) -> dict[str, Any]:
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
    return {**request.desired_state, "Outputs": outputs}
