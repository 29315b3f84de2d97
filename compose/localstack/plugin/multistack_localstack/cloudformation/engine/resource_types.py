"""
What there is to know of a resource type: who makes its resources, and which changes need a new one.

Source:
    https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
    "Update requires" on each type's page of
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localstack import config
from localstack.services.cloudformation.resource_provider import (
    ResourceProvider,
    ResourceProviderExecutor,
    plugin_manager,
)

from multistack_localstack.cloudformation.resources import MENDED, Ignored

Path = tuple[str, ...]

# Where the schemas in LocalStack say too little.
_CREATE_ONLY: Mapping[str, tuple[str, ...]] = {
    "AWS::DynamoDB::Table": ("KeySchema", "LocalSecondaryIndexes"),
    "AWS::Lambda::Version": ("CodeSha256", "Description", "RuntimePolicy"),
    "AWS::SQS::QueueInlinePolicy": ("Queue",),
}
# Where what names a resource isn't what `Ref` gives, or the schema's identifier says something else.
_NAMES: Mapping[str, str] = {
    "AWS::Events::Rule": "Name",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::Lambda::LayerVersion": "",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
}
_IGNORE = "CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """
    How resources of one type change.

    Attributes:
        create_only: Paths of properties whose change needs a new resource.
        read_only: Paths of what only `Fn::GetAtt` gives.
        name: The property by which somebody may name the resource; empty when there is none.
    """

    create_only: tuple[Path, ...]
    read_only: frozenset[Path]
    name: str


@functools.cache
def provider_for(kind: str) -> ResourceProvider[Any] | None:
    """Who makes resources of the type *kind*: this package's class, LocalStack's, or nobody."""
    if kind in MENDED:
        module, _, name = MENDED[kind].partition(":")
        made_by = getattr(importlib.import_module(f"multistack_localstack.cloudformation.resources.{module}"), name)
        # One class for several types has to be told which.
        return made_by(kind) if module == "again" else made_by()
    if plugin_manager.exists(kind):
        return ResourceProviderExecutor.try_load_resource_provider(kind)
    return Ignored(kind) if _is_ignored(kind) else None


def _is_ignored(kind: str) -> bool:
    """Whether somebody asked for a type that isn't there to be passed over; LocalStack itself does so unasked."""
    listed = {*config.CFN_IGNORE_UNSUPPORTED_TYPE_CREATE, *config.CFN_IGNORE_UNSUPPORTED_TYPE_UPDATE}
    return kind in listed or os.environ.get(_IGNORE, "").lower() in ("1", "true")


def is_known(kind: str) -> bool:
    """Whether resources of the type *kind* can be made."""
    return kind in MENDED or plugin_manager.exists(kind) or _is_ignored(kind)


@functools.cache
def rules_for(kind: str) -> Rules:
    """How resources of the type *kind* change; nothing is fixed for a type that nobody knows."""
    schema = schema_of(kind)
    create_only = [*map(_path, schema.get("createOnlyProperties", [])), *((p,) for p in _CREATE_ONLY.get(kind, ()))]
    read_only = frozenset(map(_path, schema.get("readOnlyProperties", [])))
    return Rules(create_only=tuple(create_only), read_only=read_only, name=_name(kind, schema, create_only, read_only))


def _name(kind: str, schema: Mapping[str, Any], create_only: list[Path], read_only: frozenset[Path]) -> str:
    if kind in _NAMES:
        return _NAMES[kind]
    identifier = list(map(_path, schema.get("primaryIdentifier", [])))
    if len(identifier) != 1 or len(identifier[0]) != 1:
        return ""
    return identifier[0][0] if identifier[0] in create_only and identifier[0] not in read_only else ""


def schema_of(kind: str) -> Mapping[str, Any]:
    """The schema of a resource type; empty for a type that nobody knows."""
    schema: Mapping[str, Any] = getattr(provider_for(kind), "SCHEMA", {})
    return schema


def _path(pointer: str) -> Path:
    # What is in each entry of a list can't be told apart from the list.
    parts = pointer.removeprefix("/properties/").split("/")
    return tuple(parts[: parts.index("*")] if "*" in parts else parts)


def physical_id(kind: str, model: Mapping[str, Any]) -> str:
    """What `Ref` of a resource with the properties *model* gives."""
    executor = ResourceProviderExecutor(stack_name="", stack_id="")
    return str(executor.extract_physical_resource_id_from_model_with_schema(model, kind, schema_of(kind)))


def at(properties: Any, path: Path) -> Any:
    """What lies at *path*; None when there is nothing."""
    for part in path:
        properties = properties.get(part) if isinstance(properties, Mapping) else None
    return properties
