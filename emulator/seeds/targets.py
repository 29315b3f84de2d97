"""Which resources of a service take a seed, and whether one is for such a resource."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from emulator.errors import ConfigError
from emulator.members import Member, of_types
from emulator.seeds.folders import PARAMETERS, Seed
from emulator.sending import QUEUE
from emulator.template import Template

BUCKET = "AWS::S3::Bucket"
KINDS = {"AWS::DynamoDB::Table": "table", "AWS::DynamoDB::GlobalTable": "table", BUCKET: "bucket", QUEUE: "queue"}
_WHAT = "table, bucket or queue"


def check_template(seed: Seed, template: Template) -> None:
    """
    Compare what *seed* names with a plain template, before that is deployed.

    Raises:
        ConfigError: It has no such resource, or one that takes no data.
    """
    resources = template["Resources"].items()
    known = [Member(logical_id=name, type=resource["Type"], physical_id=name) for name, resource in resources]
    for name in _outer(seed):
        target_of(seed, name, known)


def without_target(seed: Seed, template: Template) -> Sequence[str]:
    """What of *seed* is for resources that a plain template doesn't have."""
    return [name for name in _outer(seed) if name not in template["Resources"]]


def _outer(seed: Seed) -> Sequence[str]:
    """The resources that *seed* names, but for those of nested stacks, whose templates nobody reads here."""
    return sorted(name for name in seed.places if name != PARAMETERS and "." not in name)


def target_of(seed: Seed, name: str, found: Sequence[Member]) -> Member:
    """
    The resource that takes the seed called *name*.

    Raises:
        ConfigError: There is none, or it takes something else.
    """
    place = seed.places[name][-1]
    target = next((one for one in found if one.logical_id == name), None)
    if target is None:
        takers = [one.logical_id for one in of_types(found, KINDS)]
        near = get_close_matches(name, takers, n=1)
        there = f"there are: {', '.join(takers)}" if takers else "the service has none"
        raise ConfigError(
            f"{place}: the service has no {_WHAT} {name}", hint=f"did you mean {near[0]}?" if near else there
        )
    if target.type not in KINDS:
        raise ConfigError(f"{place}: {name} is an {target.type}; a seed is for a {_WHAT}")
    is_bucket = target.type == BUCKET
    if is_bucket != (name in seed.objects):
        wanted = "a folder with its objects" if is_bucket else "a file with its records"
        raise ConfigError(f"{place}: {name} is a {KINDS[target.type]}, whose seed is {wanted}")
    return target
