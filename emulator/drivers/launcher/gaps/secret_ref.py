"""
Gap: MiniStack 1.5.33 gives a secret's name where a template's ``Ref`` of it gives its ARN.

A function that gets the ``Ref`` may then be allowed nothing: policies name secrets by ARN.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPE = "AWS::SecretsManager::Secret"

Properties = Mapping[str, Any]
Made = tuple[str, Mapping[str, Any]]


def apply() -> None:
    """Let CloudFormation know a secret by its ARN, while MiniStack's own code finds it by its name."""
    from ministack.services.cloudformation import drift, provisioners

    handlers = provisioners._RESOURCE_HANDLERS[_TYPE]
    created, updated, deleted = handlers["create"], handlers["update"], handlers["delete"]
    read, compared = drift._DRIFT_READERS[_TYPE]

    def create(*arguments: Any) -> Made:
        return _by_arn(created(*arguments))

    def update(physical_id: str, *arguments: Any) -> Made:
        made: Made = updated(_name(physical_id), *arguments)
        # Another id would be a replacement to CloudFormation: a name from an older state stays.
        return made if made[0] == physical_id else _by_arn(made)

    def delete(physical_id: str, properties: Properties) -> None:
        deleted(_name(physical_id), properties)

    handlers.update(create=create, update=update, delete=delete)
    drift._DRIFT_READERS[_TYPE] = (lambda physical_id, properties: read(_name(physical_id), properties), compared)


def _by_arn(made: Made) -> Made:
    _, attributes = made
    return str(attributes["Arn"]), attributes


def _name(physical_id: str) -> str:
    """The name of the secret with an ARN; a name stays, as older states have it."""
    from ministack.services import secretsmanager

    if not physical_id.startswith("arn:"):
        return physical_id
    found = (name for name, secret in secretsmanager._secrets.items() if secret["ARN"] == physical_id)
    return next(found, physical_id)
