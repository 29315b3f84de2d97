"""What a service is told: parameters and secrets. Of a secret only whether it is still the same."""

from __future__ import annotations

from emulator.inventory.account import Account, document, given, tags_in
from emulator.inventory.resource import Properties


def parameter(account: Account, name: str, _parent: str) -> Properties:
    """A parameter of SSM; a SecureString is hidden."""
    found = account.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
    value = found["Value"]
    kind = found.get("Type", "String")
    return {"Type": kind, "Value": account.hiding.hide(value) if kind == "SecureString" else value}


def secret(account: Account, arn: str, _parent: str) -> Properties:
    """A secret of Secrets Manager: the hash of its value, and who may read it."""
    aws = account.client("secretsmanager")
    found = aws.describe_secret(SecretId=arn)
    if found.get("DeletedDate"):
        return {"Deleted": True}
    value = account.optional(lambda: aws.get_secret_value(SecretId=arn), {})
    text = value.get("SecretString")
    hidden = account.hiding.hide(text if text is not None else repr(value.get("SecretBinary", b"")))
    policy = account.optional(lambda: aws.get_resource_policy(SecretId=arn).get("ResourcePolicy"), None)
    return given(
        {
            "SecretString": hidden,
            "Description": found.get("Description"),
            "KmsKeyId": found.get("KmsKeyId"),
            "RotationRules": found.get("RotationRules") if found.get("RotationEnabled") else None,
            "ResourcePolicy": document(policy),
            "Tags": tags_in(found.get("Tags") or []),
        }
    )


READERS = {"AWS::SSM::Parameter": parameter, "AWS::SecretsManager::Secret": secret}
