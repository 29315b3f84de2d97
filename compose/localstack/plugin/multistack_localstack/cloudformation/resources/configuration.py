"""
Parameters and secrets: all of their properties, and a generated value that stays until its rule changes.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ssm-parameter.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html
"""

from __future__ import annotations

from typing import Any

from localstack.services.cloudformation.provider_utils import generate_default_name
from localstack.services.cloudformation.resource_provider import ProgressEvent
from localstack.services.secretsmanager.resource_providers.aws_secretsmanager_secret import SecretsManagerSecretProvider
from localstack.services.ssm.resource_providers.aws_ssm_parameter import SSMParameterProvider

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.parts import (
    Request,
    before,
    has_changed,
    selected,
    tag_changes,
    tag_map,
)

_PARAMETER = ("AllowedPattern", "DataType", "Description", "Name", "Policies", "Tier", "Type")


class Parameter(SSMParameterProvider):
    """Parameters."""

    COMPARED = frozenset({"Name", "Type", "Value", "DataType"})

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Put a parameter with its tags; one that is there already isn't overwritten."""
        model, ssm = request.desired_state, request.aws_client_factory.ssm
        model.setdefault("Name", generate_default_name(request.stack_name, request.logical_resource_id))
        tags = [{"Key": key, "Value": value} for key, value in tag_map(model).items()]
        ssm.put_parameter(**selected(model, *_PARAMETER), Value=str(model["Value"]), **({"Tags": tags} if tags else {}))
        return done(model)

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Put a new value; a parameter that somebody deleted isn't made again in silence."""
        model, ssm = request.desired_state, request.aws_client_factory.ssm
        model["Name"] = before(request)["Name"]
        ssm.get_parameter(Name=model["Name"])
        given = {**selected(model, *_PARAMETER), "Description": model.get("Description", "")}
        ssm.put_parameter(**given, Value=str(model["Value"]), Overwrite=True)
        wanted, dropped = tag_changes(request)
        there = {"ResourceType": "Parameter", "ResourceId": model["Name"]}
        if wanted:
            ssm.add_tags_to_resource(**there, Tags=[{"Key": key, "Value": value} for key, value in wanted.items()])
        if dropped:
            ssm.remove_tags_from_resource(**there, TagKeys=dropped)
        return done(model)

    def read(self, request: Request) -> ProgressEvent[Any]:
        """What the parameter is like."""
        found = request.aws_client_factory.ssm.get_parameter(Name=request.desired_state["Name"])["Parameter"]
        return done(selected(found, "Name", "Type", "Value", "DataType"))


class Secret(SecretsManagerSecretProvider):
    """Secrets."""

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Change a secret; a new value only when the template gives one, or changes how it is generated."""
        model, aws, was = request.desired_state, request.aws_client_factory.secretsmanager, before(request)
        model |= {"Name": was["Name"], "Id": was["Id"]}
        changed: dict[str, Any] = {"Description": model.get("Description", "")}
        changed |= selected(model, "KmsKeyId")
        if model.get("SecretString") is not None and has_changed(request, "SecretString"):
            changed["SecretString"] = model["SecretString"]
        # Only a changed rule: an update that broke off must not lose the value that others use.
        elif model.get("GenerateSecretString") is not None and model["GenerateSecretString"] != was.get(
            "GenerateSecretString"
        ):
            rule = model["GenerateSecretString"]
            value = self._get_secret_value(rule)
            if template := rule.get("SecretStringTemplate"):
                value = self._modify_secret_template(template, value, rule)
            changed["SecretString"] = value
        aws.update_secret(SecretId=model["Id"], **changed)
        wanted, dropped = tag_changes(request)
        if wanted:
            aws.tag_resource(SecretId=model["Id"], Tags=[{"Key": key, "Value": value} for key, value in wanted.items()])
        if dropped:
            aws.untag_resource(SecretId=model["Id"], TagKeys=dropped)
        return done(model)

    def delete(self, request: Request) -> ProgressEvent[Any]:
        """Delete a secret at once, so that its name is free."""
        model = request.desired_state
        request.aws_client_factory.secretsmanager.delete_secret(SecretId=model["Id"], ForceDeleteWithoutRecovery=True)
        return done(model)
