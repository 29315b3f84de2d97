"""
``AWS::Lambda::Version``: a snapshot that never changes, and goes without its function.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-version.html
"""

from __future__ import annotations

from typing import Any

from localstack.services.cloudformation.resource_provider import ProgressEvent
from localstack.services.lambda_.resource_providers.aws_lambda_version import LambdaVersionProvider

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.parts import (
    Request,
    before,
    failed,
    has_changed,
    is_first,
    not_yet,
    selected,
    taken_back,
)
from multistack_localstack.cloudformation.resources.provisioning import PROVISIONED, is_warming, provision


class Version(LambdaVersionProvider):
    """Versions."""

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Publish a version and wait until it can be called."""
        model, aws = request.desired_state, request.aws_client_factory.lambda_
        if is_first(request):
            there = _versions(request)
            made = aws.publish_version(**selected(model, "FunctionName", "CodeSha256", "Description"))
            # Lambda answers with the version that is like the function already; two resources can't be one version.
            if made["Version"] in there:
                raise ValueError(
                    f"A version for this Lambda function exists ( {made['Version']} ). Modify the function to create a "
                    "new version."
                )
            model |= {"Version": made["Version"], "Id": made["FunctionArn"], "FunctionArn": made["FunctionArn"]}
            with taken_back(lambda: self.delete(request)):
                provision(request, model["Version"])
        found = aws.get_function_configuration(FunctionName=model["Id"])
        if found["State"] == "Failed":
            return failed(model, found.get("StateReason", "the version's state is Failed"))
        return not_yet(model) if found["State"] == "Pending" or is_warming(request, model["Version"]) else done(model)

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Change how many copies are kept warm; nothing else of a version can change."""
        model = request.desired_state
        model |= selected(before(request), "Version", "Id", "FunctionArn")
        if is_first(request) and has_changed(request, PROVISIONED):
            provision(request, model["Version"])
        return not_yet(model) if is_warming(request, model["Version"]) else done(model)

    def delete(self, request: Request) -> ProgressEvent[Any]:
        """Delete a version; it is gone as well when its function is."""
        model, aws = request.desired_state, request.aws_client_factory.lambda_
        aws.delete_function(FunctionName=model["Id"].rpartition(":")[0], Qualifier=model["Version"])
        return done(model)


def _versions(request: Request) -> set[str]:
    pages = request.aws_client_factory.lambda_.get_paginator("list_versions_by_function").paginate(
        FunctionName=request.desired_state["FunctionName"]
    )
    return {version["Version"] for page in pages for version in page["Versions"]}
