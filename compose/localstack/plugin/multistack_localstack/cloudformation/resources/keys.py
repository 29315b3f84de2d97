"""
``AWS::KMS::Key`` and ``AWS::KMS::Alias``: changed in place, so that what is encrypted stays readable.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kms-key.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kms-alias.html
"""

from __future__ import annotations

import json
from typing import Any

from localstack.services.cloudformation.resource_provider import ProgressEvent
from localstack.services.kms.resource_providers.aws_kms_alias import KMSAliasProvider
from localstack.services.kms.resource_providers.aws_kms_key import KMSKeyProvider

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.parts import Request, before, has_changed, selected, tag_changes


class Key(KMSKeyProvider):
    """Keys."""

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Change policy, description, rotation and tags of a key, and whether it can be used."""
        model, kms = request.desired_state, request.aws_client_factory.kms
        model |= selected(before(request), "KeyId", "Arn")
        key = {"KeyId": model["KeyId"]}
        # Nothing of a disabled key can be changed.
        kms.enable_key(**key)
        kms.update_key_description(**key, Description=model.get("Description") or "")
        if model.get("KeyPolicy") and has_changed(request, "KeyPolicy"):
            kms.put_key_policy(**key, PolicyName="default", Policy=json.dumps(model["KeyPolicy"]))
        (kms.enable_key_rotation if model.get("EnableKeyRotation") else kms.disable_key_rotation)(**key)
        wanted, dropped = tag_changes(request)
        if wanted:
            kms.tag_resource(**key, Tags=[{"TagKey": name, "TagValue": value} for name, value in wanted.items()])
        if dropped:
            kms.untag_resource(**key, TagKeys=dropped)
        if not model.get("Enabled", True):
            kms.disable_key(**key)
        return done(model)


class Alias(KMSAliasProvider):
    """Aliases of keys."""

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Let the alias stand for another key."""
        model = request.desired_state
        request.aws_client_factory.kms.update_alias(AliasName=model["AliasName"], TargetKeyId=model["TargetKeyId"])
        return done(model)
