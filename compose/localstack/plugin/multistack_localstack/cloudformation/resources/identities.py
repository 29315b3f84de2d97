"""
Roles and policies: changed where they are, so that what uses them goes on.

LocalStack deletes a role and makes it again, under another name when the template gives none.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-policy.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-managedpolicy.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from localstack.services.cloudformation.provider_utils import generate_default_name
from localstack.services.cloudformation.resource_provider import ProgressEvent
from localstack.services.iam.resource_providers.aws_iam_managedpolicy import IAMManagedPolicyProvider
from localstack.services.iam.resource_providers.aws_iam_policy import IAMPolicyProvider
from localstack.services.iam.resource_providers.aws_iam_role import IAMRoleProvider

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.parts import (
    Properties,
    Request,
    before,
    has_changed,
    like,
    selected,
    tag_changes,
    tag_map,
    taken_back,
)

_BOUNDARY = "PermissionsBoundary"
# Property to the kind of principal, and the parameter that names one.
_PRINCIPALS: Mapping[str, tuple[str, str]] = {
    "Groups": ("group", "GroupName"),
    "Roles": ("role", "RoleName"),
    "Users": ("user", "UserName"),
}


class Role(IAMRoleProvider):
    """Roles."""

    COMPARED = frozenset(
        {"RoleName", "Path", "Description", "AssumeRolePolicyDocument", "ManagedPolicyArns", "Policies"}
    )

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Make a role with its policies."""
        model, iam = request.desired_state, request.aws_client_factory.iam
        model.setdefault("RoleName", generate_default_name(request.stack_name, request.logical_resource_id)[:64])
        tags = [{"Key": key, "Value": value} for key, value in tag_map(model).items()]
        made = iam.create_role(
            **selected(model, "RoleName", "Path", "Description", "MaxSessionDuration", _BOUNDARY),
            AssumeRolePolicyDocument=_document(model["AssumeRolePolicyDocument"]),
            Tags=tags,
        )["Role"]
        model |= {"Arn": made["Arn"], "RoleId": made["RoleId"]}
        with taken_back(lambda: self.delete(_about(request, model))):
            _put_policies(request)
        return done(model)

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Change a role in place; its ARN stays."""
        model, iam, was = request.desired_state, request.aws_client_factory.iam, before(request)
        model |= selected(was, "RoleName", "Arn", "RoleId")
        name = model["RoleName"]
        iam.get_role(RoleName=name)
        if has_changed(request, "AssumeRolePolicyDocument"):
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=_document(model["AssumeRolePolicyDocument"]))
        session = int(model.get("MaxSessionDuration") or 3600)
        iam.update_role(RoleName=name, Description=model.get("Description", ""), MaxSessionDuration=session)
        if model.get(_BOUNDARY):
            iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=model[_BOUNDARY])
        elif was.get(_BOUNDARY):
            iam.delete_role_permissions_boundary(RoleName=name)
        _put_policies(request)
        wanted, dropped = tag_changes(request)
        if wanted:
            iam.tag_role(RoleName=name, Tags=[{"Key": key, "Value": value} for key, value in wanted.items()])
        if dropped:
            iam.untag_role(RoleName=name, TagKeys=dropped)
        return done(model)

    def read(self, request: Request) -> ProgressEvent[Any]:
        """What the role is like."""
        expected, iam = request.desired_state, request.aws_client_factory.iam
        name = expected["RoleName"]
        role = iam.get_role(RoleName=name)["Role"]
        inline = [
            {"PolicyName": policy, "PolicyDocument": _parsed(_inline(iam, name, policy))}
            for policy in _inline_names(iam, name)
        ]
        return done(
            {
                **selected(role, "RoleName", "Path", "Description"),
                "AssumeRolePolicyDocument": _parsed(role["AssumeRolePolicyDocument"]),
                "ManagedPolicyArns": sorted(_attached(iam, name), key=_rank(expected.get("ManagedPolicyArns") or [])),
                "Policies": like(inline, expected.get("Policies") or [], "PolicyName"),
            }
        )


def _rank(expected: list[str]) -> Callable[[str], int]:
    """Sorts as *expected*, others after these: who attached policies in which order says nothing."""
    return lambda arn: expected.index(arn) if arn in expected else len(expected)


def _about(request: Request, model: Properties) -> Request:
    request.previous_state = dict(model)
    return request


def _document(document: Any) -> str:
    # IAM takes a document without a version for one of 2008, which moto refuses.
    return document if isinstance(document, str) else json.dumps({"Version": "2012-10-17", **document})


def _parsed(document: Any) -> Any:
    return json.loads(unquote(document)) if isinstance(document, str) else document


def _inline_names(iam: Any, role: str) -> list[str]:
    names: list[str] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return names


def _inline(iam: Any, role: str, policy: str) -> Any:
    return iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]


def _attached(iam: Any, role: str) -> list[str]:
    found = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    return [policy["PolicyArn"] for policy in found]


def _put_policies(request: Request) -> None:
    """Bring a role's policies to what the template says; those that other resources gave it stay."""
    model, iam, was = request.desired_state, request.aws_client_factory.iam, before(request)
    name = model["RoleName"]
    wanted = {policy["PolicyName"]: _document(policy["PolicyDocument"]) for policy in model.get("Policies") or []}
    for policy, document in wanted.items():
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document)
    dropped = {policy["PolicyName"] for policy in was.get("Policies") or []} - wanted.keys()
    for policy in sorted(dropped & set(_inline_names(iam, name))):
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    arns, there = list(model.get("ManagedPolicyArns") or []), _attached(iam, name)
    for arn in arns:
        if arn not in there:
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    for arn in was.get("ManagedPolicyArns") or []:
        if arn not in arns and arn in there:
            iam.detach_role_policy(RoleName=name, PolicyArn=arn)


class Policy(IAMPolicyProvider):
    """Inline policies of several principals."""

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Put the policy to all that it is for, and take it from those that it was for."""
        model, iam, was = request.desired_state, request.aws_client_factory.iam, before(request)
        model["Id"] = was["Id"]
        if not any(model.get(kind) for kind in _PRINCIPALS):
            raise ValueError("At least one of [Groups,Roles,Users] must be non-empty.")
        for kind, parameter, one in _principals(model):
            put = getattr(iam, f"put_{kind}_policy")
            put(**{parameter: one}, PolicyName=model["PolicyName"], PolicyDocument=_document(model["PolicyDocument"]))
        is_renamed = was["PolicyName"] != model["PolicyName"]
        kept = set() if is_renamed else set(_principals(model))
        for kind, parameter, one in set(_principals(was)) - kept:
            try:
                getattr(iam, f"delete_{kind}_policy")(**{parameter: one}, PolicyName=was["PolicyName"])
            except iam.exceptions.NoSuchEntityException:
                # Who had it is gone.
                continue
        return done(model)


class ManagedPolicy(IAMManagedPolicyProvider):
    """Managed policies."""

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Make a policy with its path and description, and attach it."""
        model, iam = request.desired_state, request.aws_client_factory.iam
        model.setdefault("ManagedPolicyName", generate_default_name(request.stack_name, request.logical_resource_id))
        made = iam.create_policy(
            PolicyName=model["ManagedPolicyName"],
            PolicyDocument=_document(model["PolicyDocument"]),
            **selected(model, "Path", "Description"),
        )["Policy"]
        model |= {"Id": made["Arn"], "PolicyArn": made["Arn"], "PolicyId": made["PolicyId"]}
        with taken_back(lambda: self.delete(_about(request, model))):
            for kind, parameter, one in _principals(model):
                getattr(iam, f"attach_{kind}_policy")(**{parameter: one}, PolicyArn=made["Arn"])
        return done(model)

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Make a new version of the policy the one in force, and attach it to whom it is for now."""
        model, iam, was = request.desired_state, request.aws_client_factory.iam, before(request)
        arn = was["Id"]
        model |= selected(was, "Id", "PolicyArn", "PolicyId", "ManagedPolicyName")
        if has_changed(request, "PolicyDocument"):
            versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
            spare = sorted((one for one in versions if not one["IsDefaultVersion"]), key=lambda one: one["CreateDate"])
            # IAM keeps five.
            if len(versions) > 4:
                iam.delete_policy_version(PolicyArn=arn, VersionId=spare[0]["VersionId"])
            document = _document(model["PolicyDocument"])
            iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
        for kind, parameter, one in _principals(model):
            getattr(iam, f"attach_{kind}_policy")(**{parameter: one}, PolicyArn=arn)
        for kind, parameter, one in set(_principals(was)) - set(_principals(model)):
            try:
                getattr(iam, f"detach_{kind}_policy")(**{parameter: one}, PolicyArn=arn)
            except iam.exceptions.NoSuchEntityException:
                continue
        return done(model)

    def delete(self, request: Request) -> ProgressEvent[Any]:
        """Take the policy from everybody, also from whom the stack didn't give it to, and delete all versions."""
        model, iam = request.desired_state, request.aws_client_factory.iam
        arn = model["Id"]
        found = iam.list_entities_for_policy(PolicyArn=arn)
        for kind, parameter in _PRINCIPALS.values():
            for one in found.get(f"Policy{kind.title()}s", []):
                getattr(iam, f"detach_{kind}_policy")(**{parameter: one[parameter]}, PolicyArn=arn)
        for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
        iam.delete_policy(PolicyArn=arn)
        return done(model)


def _principals(model: Properties) -> Iterator[tuple[str, str, str]]:
    for name, (kind, parameter) in _PRINCIPALS.items():
        for one in model.get(name) or []:
            yield kind, parameter, str(one)
