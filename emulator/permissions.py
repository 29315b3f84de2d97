"""What a plain template lets whom do, and what a newer one lets them do beyond that."""

from __future__ import annotations

import json
import re
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
# Policies of their own, and which properties say whose they are.
_HELD = {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"}
_HELD_BY = ("Roles", "Users", "Groups")
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9]+)\}")
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


def widening(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    *,
    old_parameters: Mapping[str, str] = {},
    new_parameters: Mapping[str, str] = {},
) -> list[str]:
    """
    What *new* lets somebody do that *old* does not, a line each: gained actions and resources, lost denials.

    Args:
        old: A plain template, and *new* a later one.
        old_parameters: Values to read references to parameters by, and *new_parameters* those of *new*.
    """
    before = set(grants(_with_values(old, old_parameters)))
    after = set(grants(_with_values(new, new_parameters)))
    gained = [one for one in after if one.allows and not any(other.covers(one) for other in before)]
    lost = [one for one in before if not one.allows and not any(other.covers(one) for other in after)]
    return sorted([f"{one}" for one in gained] + [f"no longer: {one}" for one in lost])


def _with_values(node: Any, parameters: Mapping[str, str]) -> Any:
    """*node* with the values of *parameters* where it refers to them."""
    if isinstance(node, list):
        return [_with_values(one, parameters) for one in node]
    if not isinstance(node, dict):
        return node
    if node.keys() == {"Ref"} and node["Ref"] in parameters:
        return parameters[node["Ref"]]
    if node.keys() == {"Fn::Sub"} and isinstance(node["Fn::Sub"], str):
        text = _VARIABLE.sub(lambda match: parameters.get(match[1], match[0]), node["Fn::Sub"])
        return {"Fn::Sub": text} if "${" in text else text
    return {key: _with_values(value, parameters) for key, value in node.items()}


def grants(template: Mapping[str, Any]) -> Iterator[Grant]:
    """Every grant and denial in the policies of a plain template; of a condition, both ways it can go."""
    for name, resource in template.get("Resources", {}).items():
        properties, kind = resource.get("Properties") or {}, resource.get("Type")
        if kind in _DOCUMENTS:
            yield from _of_document(name, properties.get(_DOCUMENTS[kind]))
        if kind in _HOLDERS:
            for policy in _many(properties.get("Policies")):
                yield from _of_document(
                    name, policy.get("PolicyDocument", policy) if isinstance(policy, dict) else policy
                )
            for managed in _many(properties.get("ManagedPolicyArns")):
                yield Grant(owner=name, allows=True, action=f"all of {shown(managed)}")
        for holder in (one for key in _HELD_BY for one in _many(properties.get(key))) if kind in _HELD else ():
            yield Grant(owner=shown(holder), allows=True, action=f"all of {name}")
        if kind == "AWS::Lambda::Function" and "Role" in properties:
            yield Grant(owner=name, allows=True, action=f"all of {shown(properties['Role'])}")
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
    for one in _many(document):
        inner = one.get("PolicyDocument", one) if isinstance(one, dict) else one  # DynamoDB's has one more level
        if not isinstance(inner, dict) or "Statement" not in inner:
            yield from _of_anything(owner, inner)
            continue
        for statement in _many(inner["Statement"]):
            if isinstance(statement, dict) and "Effect" in statement:
                yield from _of_statement(owner, statement)
            else:
                yield from _of_anything(owner, statement)


def _of_anything(owner: str, node: object) -> Iterator[Grant]:
    """What can't be read as a policy may give anything, so a change of it shows."""
    if node:
        yield Grant(owner=owner, allows=True, action=f"what {shown(node)} says")


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
    """A list, or one for what stands alone; instead of a condition, what it can lead to."""
    if value is None or value == {"Ref": "AWS::NoValue"}:
        return []
    if isinstance(value, list):
        return [inner for one in value for inner in (_many(one) if _is_condition(one) else [one])]
    if _is_condition(value):
        return [inner for branch in value["Fn::If"][1:] for inner in _many(branch)]  # type: ignore[index]
    return [value]


def _is_condition(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"Fn::If"} and isinstance(value["Fn::If"], list)


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
