"""The resources of a deployed stack, and of the stacks nested in it, by the names that people give them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from emulator.endpoint import client
from emulator.errors import ConfigError, NotReady
from emulator.model import Endpoint

_NESTED = "AWS::CloudFormation::Stack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """
    One resource that is there.

    Attributes:
        logical_id: As the template has it; behind those of the nested stacks that lead to it, e.g. ``Shop.Orders``.
    """

    logical_id: str
    type: str
    physical_id: str

    @property
    def name(self) -> str:
        """What AWS calls it: the end of a queue's URL or of an ARN, else the physical id itself."""
        return self.physical_id.rpartition("/")[2].rpartition(":")[2]


def members(endpoint: Endpoint, stack: str) -> Sequence[Member]:
    """
    Every resource of *stack*, in the order in which CloudFormation lists them.

    Raises:
        NotReady: There is no such stack.
    """
    from botocore.exceptions import ClientError

    try:
        return list(_walk(endpoint, stack, prefix=""))
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        raise NotReady(
            f"nothing is deployed to environment {endpoint.environment}",
            hint=f"multistack deploy {endpoint.environment}",
        ) from error


def _walk(endpoint: Endpoint, stack: str, *, prefix: str) -> Sequence[Member]:
    pages = client(endpoint, "cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    found = []
    for resource in (one for page in pages for one in page["StackResourceSummaries"]):
        member = Member(
            logical_id=prefix + resource["LogicalResourceId"],
            type=resource["ResourceType"],
            physical_id=resource.get("PhysicalResourceId", ""),
        )
        if member.physical_id:
            found.append(member)
        if member.type == _NESTED and member.physical_id:
            found += _walk(endpoint, member.physical_id, prefix=f"{member.logical_id}.")
    return found


def of_types(found: Sequence[Member], types: Collection[str]) -> Sequence[Member]:
    """Those of *found* that are of one of *types*."""
    return [member for member in found if member.type in types]


def find(found: Sequence[Member], name: str, *, environment: str, what: str) -> Member:
    """
    The one that *name* means: its logical id, else its name on AWS or its whole physical id, else words of its id.

    The last is for frameworks that make ids of their users' names: ``get`` is ``GetLambdaFunction`` or ``AppGet4A628``.

    Args:
        what: What is looked for, in the singular, e.g. ``function``.

    Raises:
        ConfigError: None, or several, are called so.
    """
    by_id = [member for member in found if member.logical_id == name]
    by_name = [member for member in found if name in (member.name, member.physical_id)]
    matching = by_id or by_name or [member for member in found if _has_words(member.logical_id, name)]
    if len(matching) == 1:
        return matching[0]
    names = [member.logical_id for member in found]
    if matching:
        several = ", ".join(member.logical_id for member in matching)
        raise ConfigError(f"environment {environment} has several that are called {name}: {several}")
    near = get_close_matches(name, names, n=1)
    there = f"there are: {', '.join(names)}" if names else "the service has none"
    raise ConfigError(
        f"environment {environment} has no {what} {name}", hint=f"did you mean {near[0]}?" if near else there
    )


def _has_words(logical_id: str, name: str) -> bool:
    """Whether *name* stands in the id from the start of a word to the end of one."""
    return re.search(rf"(^|(?<=[a-z0-9.]))(?=[A-Z])(?i:{re.escape(name)})(?=[A-Z0-9]|$)", logical_id) is not None
