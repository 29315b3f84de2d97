"""The outputs of two running stacks, without what differs between any two accounts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from emulator import stack
from emulator.comparison.config import Compared, Verdict, compare
from emulator.endpoint import answering
from emulator.model import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """
    What a stack tells.

    Attributes:
        values: As they are.
        comparable: With the names that AWS gives replaced by what they are names of.
    """

    values: Mapping[str, str]
    comparable: Mapping[str, str]


def outputs_of(endpoint: Endpoint, name: str) -> Outputs:
    """
    The outputs of stack *name*.

    Raises:
        NotReady: Its emulator ended meanwhile.
    """
    with answering(endpoint):
        found = stack.describe(endpoint, name)
        physical = stack.resources(endpoint, name) if found else {}
    values = found.outputs if found else {}
    authority = endpoint.url.partition("://")[2]
    names = {
        **{physical_id: f"<{logical_id}>" for logical_id, physical_id in physical.items()},
        name: "<stack>",
        authority: "<endpoint>",
        endpoint.account_id: "<account>",
        endpoint.region: "<region>",
    }
    return Outputs(values=values, comparable={key: _replaced(value, names) for key, value in values.items()})


def _replaced(value: str, names: Mapping[str, str]) -> str:
    """The longest name first: a stack's is part of its resources'."""
    given = sorted((name for name in names if name), key=len, reverse=True)
    words = re.compile("|".join(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])" for name in given))
    return words.sub(lambda match: names[match[0]], value)


def compare_outputs(before: Outputs, after: Outputs) -> Iterator[Compared]:
    """Every output of either."""
    for name in [*before.values, *(name for name in after.values if name not in before.values)]:
        verdict = compare(name, before.comparable.get(name), after.comparable.get(name)).verdict
        left, right = before.values.get(name), after.values.get(name)
        yield Compared(name=name, verdict=Verdict(verdict), before=left, after=right)
