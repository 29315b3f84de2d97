"""Takes an inventory: reads every resource of a stack through AWS's APIs, whatever emulates them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from emulator import secret_delivery
from emulator.endpoint import client
from emulator.inventory.account import Account, is_absent
from emulator.inventory.hiding import Hiding, new_salt
from emulator.inventory.readers import PARENTS, PARTS, READERS, SERVICES
from emulator.inventory.resource import Inventory, Properties, Resource
from emulator.model import Endpoint, Release
from emulator.template import Template

# An emulator answers one after the other; what it answered can be read meanwhile.
_WORKERS = 2
_OF_CONFIG = "AWS::SecretsManager::Secret"
Found = Mapping[str, Mapping[str, Any]]


def prepare(endpoint: Endpoint, template: Template) -> None:
    """Make the clients that :func:`take` will need: descriptions of services take a while to load."""
    types = {resource["Type"] for resource in template["Resources"].values()}
    for service in sorted({SERVICES[kind] for kind in types if kind in SERVICES}):
        client(endpoint, service)


def take(endpoint: Endpoint, stack: str, template: Template, release: Release) -> Inventory:
    """
    The inventory of *release*, which was just deployed as *template*.

    A resource that can't be read is in it, with the reason.
    """
    parameters = template.get("Parameters") or {}
    begun = Inventory(
        release=release.id,
        at=datetime.now(UTC),
        salt=new_salt(),
        hidden_parameters=tuple(
            name for name, one in parameters.items() if str(one.get("NoEcho", "")).lower() == "true"
        ),
        secrets=tuple(secret_delivery.name_of(stack, key) for key in release.secrets),
        stack={},
        resources={},
    )
    found = _listed(endpoint, stack)
    return _read(endpoint, stack, found, {name: _parent(template, name, found) for name in found}, begun)


def take_again(endpoint: Endpoint, stack: str, before: Inventory) -> Inventory:
    """What stands there now, to be compared with *before*."""
    found = _listed(endpoint, stack)
    physical = {
        one.physical_id: found[name]["PhysicalResourceId"] for name, one in before.resources.items() if name in found
    }
    parents = {name: physical.get(one.parent, one.parent) for name, one in before.resources.items()}
    return _read(endpoint, stack, found, parents, before)


def _listed(endpoint: Endpoint, stack: str) -> Found:
    """The stack's resources by logical id."""
    pages = client(endpoint, "cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    listed = (one for page in pages for one in page["StackResourceSummaries"])
    return {one["LogicalResourceId"]: one for one in listed if one.get("PhysicalResourceId")}


def _parent(template: Template, logical_id: str, found: Found) -> str:
    """Physical id of what *logical_id* is a part of, as its template names it; empty when that can't be told."""
    resource = template["Resources"].get(logical_id, {})
    value = (resource.get("Properties") or {}).get(PARENTS.get(resource.get("Type", ""), ""))
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        named = value.get("Ref") or value.get("Fn::GetAtt") or ""
        name = str(named[0] if isinstance(named, list) else named).split(".")[0]
        return str(found.get(name, {}).get("PhysicalResourceId", ""))
    return ""


def _read(endpoint: Endpoint, stack: str, listed: Found, parents: Mapping[str, str], begun: Inventory) -> Inventory:
    """All of *listed*, and the secrets delivered beside the stack, hidden with the salt of *begun*."""
    delivered = {name: {"ResourceType": _OF_CONFIG, "PhysicalResourceId": name} for name in begun.secrets}
    found = {**listed, **delivered}
    of_type: dict[str, set[str]] = {}
    for one in found.values():
        of_type.setdefault(one["ResourceType"], set()).add(one["PhysicalResourceId"])
    hiding = Hiding(begun.salt)
    read = functools.partial(_resource, Account(endpoint, hiding, of_type), parents)
    with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
        # Secrets are read like all others, so what they hide in others is hidden afterwards.
        resources = dict(zip(found, pool.map(read, found.items()), strict=True))
    given = _stack(endpoint, stack, hiding, begun.hidden_parameters)
    return replace(
        begun,
        at=datetime.now(UTC),
        stack=hiding.everywhere(given),
        resources={
            name: replace(one, properties=hiding.everywhere(one.properties)) for name, one in sorted(resources.items())
        },
    )


def _stack(endpoint: Endpoint, stack: str, hiding: Hiding, hidden: tuple[str, ...]) -> Properties:
    found = client(endpoint, "cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    parameters = {one["ParameterKey"]: one.get("ParameterValue", "") for one in found.get("Parameters") or ()}
    return {
        "Parameters": {key: hiding.hide(value) if key in hidden else value for key, value in parameters.items()},
        "Tags": {one["Key"]: one["Value"] for one in found.get("Tags") or ()},
    }


def _resource(account: Account, parents: Mapping[str, str], item: tuple[str, Mapping[str, Any]]) -> Resource:
    from botocore.exceptions import ClientError

    logical_id, listed = item
    kind, physical_id = listed["ResourceType"], listed["PhysicalResourceId"]
    parent = parents.get(logical_id, "")
    make = functools.partial(Resource, type=kind, physical_id=physical_id, parent=parent)
    if kind in PARTS:
        return make(properties={})
    if kind not in READERS:
        return make(unread="multistack can't read this type")
    if kind in PARENTS and not parent and kind != "AWS::Lambda::Alias":
        return make(unread=f"its {PARENTS[kind]} can't be told from the template")
    try:
        return make(properties=READERS[kind](account, physical_id, parent))
    except ClientError as error:
        return make() if is_absent(error) else make(unread=str(error))
