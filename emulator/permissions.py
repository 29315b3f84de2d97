"""What a plain template lets whom do, and what a newer one lets them do beyond that."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

# Which property of which type is a policy document. Source: CloudFormation's resource reference.
_DOCUMENTS = {
    "AWS::IAM::Policy": "PolicyDocument",
    "AWS::IAM::ManagedPolicy": "PolicyDocument",
    "AWS::IAM::RolePolicy": "PolicyDocument",
    "AWS::IAM::UserPolicy": "PolicyDocument",
    "AWS::IAM::GroupPolicy": "PolicyDocument",
    "AWS::IAM::Role": "AssumeRolePolicyDocument",
    "AWS::S3::BucketPolicy": "PolicyDocument",
    "AWS::SNS::TopicPolicy": "PolicyDocument",
    "AWS::SQS::QueuePolicy": "PolicyDocument",
    "AWS::SecretsManager::ResourcePolicy": "ResourcePolicy",
    "AWS::KMS::Key": "KeyPolicy",
    "AWS::ApiGateway::RestApi": "Policy",
    "AWS::DynamoDB::Table": "ResourcePolicy",
}
_HOLDERS = {"AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group"}
_ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """
    One action on one resource.

    Attributes:
        owner: Logical id of what holds the policy.
        allows: False for a ``Deny``.
        principal: Who is meant, for policies that say so.
        condition: JSON; empty for none.
    """

    owner: str
    allows: bool
    action: str
    resource: str = _ANY
    principal: str = ""
    condition: str = ""

    def __str__(self) -> str:
        verb = "may" if self.allows else "may not"
        who = f" by {self.principal}" if self.principal else ""
        only = f" if {self.condition}" if self.condition else ""
        return f"{self.owner} {verb} {self.action} on {self.resource}{who}{only}"

    def covers(self, other: Grant) -> bool:
        """Whether whoever has this needs no *other*."""
        return (
            (self.owner, self.allows) == (other.owner, other.allows)
            and fnmatchcase(other.action.lower(), self.action.lower())
            and self.resource in (_ANY, other.resource)
            and self.principal in (_ANY, other.principal)
            and self.condition in ("", other.condition)
        )


def widening(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """
    What *new* lets somebody do that *old* does not, a line each: gained actions and resources, lost denials.

    Args:
        old: A plain template, and *new* a later one.
    """
    before, after = set(grants(old)), set(grants(new))
    gained = [one for one in after if one.allows and not any(other.covers(one) for other in before)]
    lost = [one for one in before if not one.allows and not any(other.covers(one) for other in after)]
    return sorted([f"{one}" for one in gained] + [f"no longer: {one}" for one in lost])


def grants(template: Mapping[str, Any]) -> Iterator[Grant]:
    """Every grant and denial in the policies of a plain template."""
    for name, resource in template.get("Resources", {}).items():
        properties, kind = resource.get("Properties") or {}, resource.get("Type")
        if kind in _DOCUMENTS:
            yield from _of_document(name, properties.get(_DOCUMENTS[kind]))
        if kind in _HOLDERS:
            for policy in _many(properties.get("Policies")):
                yield from _of_document(name, policy.get("PolicyDocument") if isinstance(policy, dict) else None)
            for managed in _many(properties.get("ManagedPolicyArns")):
                yield Grant(owner=name, allows=True, action=f"all of {shown(managed)}")
        if kind == "AWS::Lambda::Permission":
            yield _of_permission(properties)


def _of_permission(properties: Mapping[str, Any]) -> Grant:
    condition = {key: properties[key] for key in sorted(properties.keys() - {"Action", "FunctionName", "Principal"})}
    return Grant(
        owner=shown(properties.get("FunctionName", "")),
        allows=True,
        action=shown(properties.get("Action", "")),
        principal=shown(properties.get("Principal", "")),
        condition=_json(condition) if condition else "",
    )


def _of_document(owner: str, document: object) -> Iterator[Grant]:
    if not isinstance(document, dict):
        return
    inner = document.get("PolicyDocument", document)  # DynamoDB's has one more level
    if not isinstance(inner, dict):
        return
    for statement in _many(inner.get("Statement")):
        if isinstance(statement, dict):
            yield from _of_statement(owner, statement)


def _of_statement(owner: str, statement: Mapping[str, Any]) -> Iterator[Grant]:
    actions = [*map(shown, _many(statement.get("Action"))), *_but(statement.get("NotAction"))]
    resources = [*map(shown, _many(statement.get("Resource"))), *_but(statement.get("NotResource"))] or [_ANY]
    principal = statement.get("Principal", "")
    principals = [shown(principal)] if principal else _but(statement.get("NotPrincipal")) or [""]
    condition = statement.get("Condition")
    for action in actions:
        for resource in resources:
            for who in principals:
                yield Grant(
                    owner=owner,
                    allows=statement.get("Effect") == "Allow",
                    action=action,
                    resource=resource,
                    principal=who,
                    condition=_json(condition) if condition else "",
                )


def _but(value: object) -> list[str]:
    """``NotAction`` and its like cover all but what they name: as one, since a longer list means less."""
    return [f"all but {', '.join(sorted(map(shown, _many(value))))}"] if value else []


def _many(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def shown(value: object) -> str:
    """A value of a template as a person reads it: references as in ``Fn::Sub``."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and len(value) == 1:
        ((kind, content),) = value.items()
        if kind == "Ref":
            return f"${{{content}}}"
        if kind == "Fn::GetAtt":
            return f"${{{content if isinstance(content, str) else '.'.join(map(str, content))}}}"
        if kind == "Fn::Sub":
            return shown(content[0] if isinstance(content, list) else content)
        if kind == "Fn::Join" and isinstance(content, list) and len(content) == 2 and isinstance(content[1], list):
            return str(content[0]).join(map(shown, content[1]))
    return _json(value)


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)
