"""
Who may call a function: ``AWS::Lambda::Permission``, ``AWS::Lambda::Url`` and ``AWS::Lambda::LayerVersionPermission``.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-permission.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-url.html
"""

from __future__ import annotations

import json
from typing import Any

from localstack.services.cloudformation.provider_utils import generate_default_name
from localstack.services.cloudformation.resource_provider import ProgressEvent
from localstack.services.lambda_.resource_providers.aws_lambda_permission import LambdaPermissionProvider
from localstack.services.lambda_.resource_providers.aws_lambda_url import LambdaUrlProvider

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.parts import Request, before, selected

_PERMISSION = (
    "Action",
    "EventSourceToken",
    "FunctionName",
    "FunctionUrlAuthType",
    "InvokedViaFunctionUrl",
    "Principal",
    "PrincipalOrgID",
    "SourceAccount",
    "SourceArn",
)


class Permission(LambdaPermissionProvider):
    """Permissions: a change of any property needs a new one."""

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Add the statement with all of its conditions."""
        model = request.desired_state
        made = request.aws_client_factory.lambda_.add_permission(
            StatementId=generate_default_name(request.stack_name, request.logical_resource_id),
            **selected(model, *_PERMISSION),
        )
        model["Id"] = json.loads(made["Statement"])["Sid"]
        return done(model)

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Put the statement again: an update that broke off may have lost it."""
        model, aws = request.desired_state, request.aws_client_factory.lambda_
        model["Id"] = before(request)["Id"]
        self.delete(request)
        aws.add_permission(StatementId=model["Id"], **selected(model, *_PERMISSION))
        return done(model)


class Url(LambdaUrlProvider):
    """Function URLs."""

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Change how the URL is called; the URL stays."""
        model = request.desired_state
        changed = request.aws_client_factory.lambda_.update_function_url_config(
            FunctionName=model["TargetFunctionArn"],
            AuthType=model["AuthType"],
            Cors=model.get("Cors") or {},
            InvokeMode=model.get("InvokeMode", "BUFFERED"),
            **selected(model, "Qualifier"),
        )
        model |= {"FunctionArn": changed["FunctionArn"], "FunctionUrl": changed["FunctionUrl"]}
        return done(model)
