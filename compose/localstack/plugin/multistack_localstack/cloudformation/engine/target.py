"""What a deployment is to bring a stack to, and what its template comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from localstack.aws.connect import connect_to
from localstack.services.cloudformation.engine.validations import ValidationError
from localstack.services.cloudformation.stores import exports_map
from localstack.services.cloudformation.v2.entities import Stack
from localstack.services.cloudformation.v2.types import EngineParameter

from multistack_localstack.cloudformation.engine.coercion import coerced
from multistack_localstack.cloudformation.engine.intrinsics import Evaluation, Lookup, Place
from multistack_localstack.cloudformation.engine.records import Record
from multistack_localstack.cloudformation.engine.resource_types import at, schema_of
from multistack_localstack.cloudformation.engine.template import Template, in_order, needs_of
from multistack_localstack.cloudformation.engine.values import NO_VALUE, text_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """
    A template with everything that a deployment needs besides.

    Attributes:
        original: The template as it was given.
        body: The same, as its author wrote it.
        template: The template with its transforms carried out.
    """

    original: Template
    body: str
    template: Template
    parameters: Mapping[str, EngineParameter]
    tags: list[Mapping[str, str]]
    capabilities: list[str]


def place_of(stack: Stack) -> Place:
    """Where a stack is."""
    return Place(
        account_id=stack.account_id,
        region=stack.region_name,
        stack_name=stack.stack_name,
        stack_id=stack.stack_id,
    )


class World:
    """What is outside the template, but for the resources."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.imported: set[str] = set()

    def exported(self, name: str) -> Any:
        """The value that some stack of this account and region exports as *name*."""
        found = exports_map(self._place.account_id, self._place.region).get(name)
        if found is None:
            raise ValidationError(f"No export named {name} found.")
        self.imported.add(name)
        return found["Value"]

    def zones(self, region: str) -> list[str]:
        """The zones that EC2 knows, or three where EC2 isn't among the services."""
        try:
            ec2 = connect_to(aws_access_key_id=self._place.account_id, region_name=region).ec2
            return [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]]
        except ClientError:
            return [f"{region}{letter}" for letter in "abc"]


class Conditions(World):
    """What a condition can ask about: anything but resources."""

    def reference(self, logical_id: str) -> Any:
        """There are none yet."""
        raise ValidationError(
            f"Template format error: Unresolved dependencies [{logical_id}]. Cannot reference resources in the "
            "Conditions block of the template"
        )

    def attribute(self, logical_id: str, name: str) -> Any:
        """There are none yet."""
        return self.reference(logical_id)


class Deployed(World):
    """Resources as they are, for a deployment that makes them one after the other."""

    def __init__(self, place: Place, records: Mapping[str, Record]) -> None:
        super().__init__(place)
        self._records = records

    def reference(self, logical_id: str) -> Any:
        """The physical id."""
        return self._record(logical_id).physical_id

    def attribute(self, logical_id: str, name: str) -> Any:
        """What the resource says of itself."""
        return attribute_of(self._record(logical_id), name)

    def _record(self, logical_id: str) -> Record:
        if logical_id not in self._records:
            raise ValidationError(
                f"Template format error: Unresolved resource dependencies [{logical_id}] in the Resources block of "
                "the template"
            )
        return self._records[logical_id]


def attribute_of(record: Record, name: str) -> Any:
    """
    What `Fn::GetAtt` of a resource gives.

    Raises:
        ValidationError: It has no such attribute.
    """
    for properties in (record.model, record.desired):
        found = properties[name] if name in properties else at(properties, tuple(name.split(".")))
        if found is not None:
            return found
    raise ValidationError(f"Requested attribute {name} must be a readonly property in schema for {record.kind}")


def evaluation_of(target: Target, place: Place, lookup: Lookup) -> Evaluation:
    """The functions of the target's template, with its resources as *lookup* knows them."""
    return Evaluation(target.template, target.parameters, place=place, lookup=lookup)


def wanted_resources(target: Target, evaluation: Evaluation) -> dict[str, Mapping[str, Any]]:
    """The resources whose conditions hold, each after what it needs."""
    declared = target.template["Resources"]
    wanted = [name for name, resource in declared.items() if evaluation.is_wanted(resource)]
    return {name: declared[name] for name in in_order(wanted, needs_of(declared))}


def desired_properties(resource: Mapping[str, Any], evaluation: Evaluation) -> dict[str, Any]:
    """What a resource of the template is to be like."""
    found = evaluation.resolve(resource.get("Properties") or {})
    made: dict[str, Any] = coerced({} if found is NO_VALUE else found, schema_of(resource["Type"]))
    return {name: value for name, value in made.items() if value is not None}


def policies_of(resource: Mapping[str, Any], evaluation: Evaluation) -> dict[str, str]:
    """The policies that a resource of the template has."""
    keys = ("DeletionPolicy", "UpdateReplacePolicy")
    return {key: text_of(evaluation.resolve(resource[key])) for key in keys if key in resource}
