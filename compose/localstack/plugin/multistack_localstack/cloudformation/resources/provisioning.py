"""
Copies of a function that are kept warm, which a version or an alias of it may ask for.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-lambda-version-provisionedconcurrencyconfiguration.html
"""

from __future__ import annotations

from multistack_localstack.cloudformation.resources.parts import Request, before

PROVISIONED = "ProvisionedConcurrencyConfig"
_CONCURRENCY = "ProvisionedConcurrentExecutions"


def provision(request: Request, qualifier: str) -> None:
    """Ask for the copies that the template wants of the version or alias *qualifier*, or for none any more."""
    model, aws = request.desired_state, request.aws_client_factory.lambda_
    function = {"FunctionName": model["FunctionName"], "Qualifier": qualifier}
    if wanted := model.get(PROVISIONED):
        aws.put_provisioned_concurrency_config(**function, ProvisionedConcurrentExecutions=int(wanted[_CONCURRENCY]))
    elif before(request).get(PROVISIONED):
        aws.delete_provisioned_concurrency_config(**function)


def is_warming(request: Request, qualifier: str) -> bool:
    """Whether some of these copies are not warm yet."""
    model, aws = request.desired_state, request.aws_client_factory.lambda_
    if not model.get(PROVISIONED):
        return False
    found = aws.get_provisioned_concurrency_config(FunctionName=model["FunctionName"], Qualifier=qualifier)
    return bool(found["Status"] == "IN_PROGRESS")
