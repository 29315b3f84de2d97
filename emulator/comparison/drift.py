"""What stands in an environment held against what was deployed into it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from emulator.comparison.structure import Difference, Kind, differences
from emulator.endpoint import answering
from emulator.errors import NotReady
from emulator.inventory.hiding import Hiding
from emulator.inventory.keeping import kept
from emulator.inventory.resource import Inventory, Properties, Resource
from emulator.inventory.taking import take_again
from emulator.model import Deployment, Endpoint
from emulator.stack import describe

_QUEUE = re.compile(r"(https?://127\.0\.0\.1):\d+(?=/\d{12}/)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifted:
    """
    One property that is no longer as it was deployed.

    Attributes:
        resource: Logical id, or the stack's name for what the stack itself was given.
        property: Empty when the resource as a whole came or went.
    """

    resource: str
    type: str
    property: str
    kind: Kind
    deployed: Any
    found: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """
    What became of an environment since its deployment.

    Attributes:
        not_compared: Logical id to why nothing is known about its properties.
    """

    environment: str
    release: str
    since: datetime
    differences: Sequence[Drifted]
    not_compared: Mapping[str, str]


def find_drift(endpoint: Endpoint, stack: str, current: Deployment | None) -> Drift:
    """
    Read what stands in *stack* now, and compare.

    Raises:
        NotReady: Nothing was deployed, or it isn't known any more what; or the emulator ended meanwhile.
    """
    name = endpoint.environment
    if current is None:
        raise NotReady(f"nothing was deployed into {name} yet", hint=f"multistack up {name}")
    with answering(endpoint):
        if describe(endpoint, stack) is None:
            raise NotReady(f"environment {name}: its stack {stack} is gone", hint=f"multistack up {name}")
        before = kept(endpoint, stack)
        if before is None or before.release != current.release.id:
            raise NotReady(
                f"environment {name}: no inventory was kept of release {current.release.id}",
                hint=f"deploy it once more with `multistack drift {name} --repair`",
            )
        now = take_again(endpoint, stack, before)
    return compare_inventories(name, stack, before, now)


def compare_inventories(environment: str, stack: str, before: Inventory, now: Inventory) -> Drift:
    """What differs between two inventories of the same salt."""
    hiding = Hiding(before.salt)
    found = [
        Drifted(
            resource=stack,
            type="AWS::CloudFormation::Stack",
            property=one.path,
            kind=one.kind,
            deployed=one.before,
            found=one.after,
        )
        for one in differences(*hiding.alike(before.stack, now.stack))
    ]
    not_compared: dict[str, str] = {}
    for name in [*before.resources, *(name for name in now.resources if name not in before.resources)]:
        old, new = before.resources.get(name), now.resources.get(name)
        if old is None or new is None:
            found.append(_came_or_went(name, old, new))
        elif reason := _why_not(old, new):
            not_compared[name] = f"{old.type}: {reason}"
        else:
            found += _in_resource(name, old, new, hiding)
    return Drift(
        environment=environment,
        release=before.release,
        since=before.at,
        differences=found,
        not_compared=not_compared,
    )


def _came_or_went(name: str, old: Resource | None, new: Resource | None) -> Drifted:
    """Somebody changed the stack itself."""
    kind = Kind.REMOVED if new is None else Kind.ADDED
    resource = old or new
    return Drifted(
        resource=name, type=resource.type if resource else "", property="", kind=kind, deployed=None, found=None
    )


def _why_not(old: Resource, new: Resource) -> str:
    if old.unread or new.unread:
        return old.unread or new.unread
    return "it was not found right after the deployment" if old.properties is None else ""


def _in_resource(name: str, old: Resource, new: Resource, hiding: Hiding) -> Iterator[Drifted]:
    if new.properties is None:
        yield Drifted(resource=name, type=old.type, property="", kind=Kind.REMOVED, deployed=None, found=None)
        return
    if _place(old) != _place(new):
        yield Drifted(
            resource=name,
            type=old.type,
            property="physical id",
            kind=Kind.CHANGED,
            deployed=old.physical_id,
            found=new.physical_id,
        )
    for one in _deep(*hiding.alike(old.properties, new.properties)):
        if _without_port(one.before) == _without_port(one.after):
            continue
        yield Drifted(
            resource=name, type=old.type, property=one.path, kind=one.kind, deployed=one.before, found=one.after
        )


def _deep(old: Properties, new: Properties) -> Iterator[Difference]:
    """A property that came or went as a whole, such as the first variables of a stage, counts as its entries."""
    for one in differences(old, new):
        value = one.after if one.kind is Kind.ADDED else one.before
        if one.kind is not Kind.CHANGED and one.path in {*old, *new} and isinstance(value, Mapping):
            yield from differences(one.before or {}, one.after or {}, one.path)
        else:
            yield one


def _place(resource: Resource) -> str:
    """The physical id; of a queue's URL only what does not change with the emulator's port."""
    return resource.physical_id.rpartition("/")[2] if "://" in resource.physical_id else resource.physical_id


def _without_port(value: object) -> object:
    """A queue's URL holds its emulator's port, which another start may change."""
    return _QUEUE.sub(r"\1", value) if isinstance(value, str) else value
