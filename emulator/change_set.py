"""Asking for a change set, and what a refusal of it means."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from emulator.endpoint import client
from emulator.errors import DeployError
from emulator.model import Endpoint
from emulator.template import Template

# CloudFormation takes a longer template only from a bucket. Source: AWS CloudFormation quotas, "Template body size".
_BODY_LIMIT = 51_200
_UNRECOGNIZED = re.compile(r"Unrecognized resource types: \[([^\]]*)\]")


class UnsupportedTypes(DeployError):
    """
    The emulator knows some resource types of the template not.

    Attributes:
        types: Their names, sorted.
    """

    def __init__(self, types: Sequence[str], *, environment: str) -> None:
        super().__init__(
            f"environment {environment}: its emulator does not know {', '.join(types)}",
            hint=f"deploy the rest with `multistack deploy {environment} --skip-unsupported`",
        )
        self.types = tuple(types)


def create(
    endpoint: Endpoint,
    name: str,
    template: Template,
    *,
    kind: str,
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
    bucket: str,
) -> str:
    """
    Ask for a change set of the stack *name*, which the emulator then makes; returns its name.

    Args:
        kind: ``CREATE`` or ``UPDATE``.
        bucket: Where a template longer than CloudFormation's limit goes.

    Raises:
        UnsupportedTypes: The emulator does not know a resource type.
        DeployError: It refuses the template.
    """
    from botocore.exceptions import ClientError

    change_set = f"multistack-{uuid.uuid4().hex[:12]}"
    try:
        client(endpoint, "cloudformation").create_change_set(
            StackName=name,
            ChangeSetName=change_set,
            ChangeSetType=kind,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            **_template_argument(endpoint, name, template, bucket=bucket),
        )
    except ClientError as error:
        raise deploy_error(endpoint, error) from error
    return change_set


def is_long(template: Template) -> bool:
    """Whether CloudFormation takes *template* only from a bucket."""
    return len(_body(template)) > _BODY_LIMIT


def _body(template: Template) -> bytes:
    return json.dumps(template, separators=(",", ":")).encode()


def _template_argument(endpoint: Endpoint, name: str, template: Template, *, bucket: str) -> Mapping[str, str]:
    body = _body(template)
    if not is_long(template):
        return {"TemplateBody": body.decode()}
    key = f"templates/{name}.json"
    client(endpoint, "s3").put_object(Bucket=bucket, Key=key, Body=body)
    return {"TemplateURL": f"{endpoint.url}/{bucket}/{key}"}


def deploy_error(endpoint: Endpoint, error: Any) -> DeployError:
    """The refusal of the emulator at *endpoint*, botocore's ``ClientError``, in our words."""
    message = error.response.get("Error", {}).get("Message", str(error))
    if match := _UNRECOGNIZED.search(message):
        return UnsupportedTypes(sorted(match[1].split(", ")), environment=endpoint.environment)
    hint = f"correct the template or [environments.{endpoint.environment}.config]" if "arameter" in message else None
    return DeployError(f"environment {endpoint.environment}: {message}", hint=hint)
