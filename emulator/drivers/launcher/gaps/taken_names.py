"""
Gap: in MiniStack 1.5.33 a stack takes over a resource that has the name it wants, and empties it.

On AWS the creation fails, and the resource stays with whoever made it. That is how two environments whose templates
fix a name collide in one account.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_REASON = "Resource of type '{kind}' with identifier '{name}' already exists. (HandlerErrorCode: AlreadyExists)"
# The property that fixes a resource's name. Buckets and parameters are refused by MiniStack itself.
_NAMES = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SecretsManager::Secret": "Name",
}

Properties = Mapping[str, Any]


def apply() -> None:
    """Refuse a taken name where a stack makes what it doesn't have yet."""
    from ministack.services.cloudformation import stacks

    provisioned = stacks._provision_resource

    def provision(kind: str, logical_id: str, properties: Properties, stack_name: str) -> Any:
        name = properties.get(_NAMES.get(kind, ""))
        if name and _is_taken(kind, str(name)):
            raise ValueError(_REASON.format(kind=kind, name=name))
        return provisioned(kind, logical_id, properties, stack_name)

    stacks._provision_resource = provision


def _is_taken(kind: str, name: str) -> bool:
    from ministack.services import cloudwatch_logs, dynamodb, iam, lambda_svc, secretsmanager, sns, sqs

    stores: Mapping[str, Callable[[], Mapping[str, Any]]] = {
        "AWS::DynamoDB::Table": lambda: dynamodb._tables,
        "AWS::IAM::Role": lambda: iam._roles,
        "AWS::Lambda::Function": lambda: lambda_svc._functions,
        "AWS::Logs::LogGroup": lambda: cloudwatch_logs._log_groups,
        "AWS::SNS::Topic": lambda: {topic["name"]: topic for topic in sns._topics.values()},
        "AWS::SQS::Queue": lambda: sqs._queue_name_to_url,
        "AWS::SecretsManager::Secret": lambda: secretsmanager._secrets,
    }
    return name in stores[kind]()
