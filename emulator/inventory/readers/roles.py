"""IAM: what a role may do, and who may take it."""

from __future__ import annotations

from emulator.inventory.account import Account, document, given, tags_in
from emulator.inventory.resource import Properties


def role(account: Account, name: str, _parent: str) -> Properties | None:
    """A role with its inline policies."""
    found = account.roles().get(name)
    if found is None:
        return None
    boundary = found.get("PermissionsBoundary") or {}
    return given(
        {
            "AssumeRolePolicyDocument": document(found.get("AssumeRolePolicyDocument")),
            "ManagedPolicyArns": sorted(one["PolicyArn"] for one in found.get("AttachedManagedPolicies") or ()),
            "Path": found.get("Path"),
            "PermissionsBoundary": boundary.get("PermissionsBoundaryArn"),
            "Policies": {
                one["PolicyName"]: document(one["PolicyDocument"]) for one in found.get("RolePolicyList") or ()
            },
            "Tags": tags_in(found.get("Tags") or []),
        }
    )


def managed_policy(account: Account, arn: str, _parent: str) -> Properties:
    """A managed policy's default version."""
    aws = account.client("iam")
    default = aws.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found = aws.get_policy_version(PolicyArn=arn, VersionId=default)["PolicyVersion"]
    return {"PolicyDocument": document(found["Document"])}


READERS = {"AWS::IAM::Role": role, "AWS::IAM::ManagedPolicy": managed_policy}
