"""What is found in a template, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """
    A way in which environments share what should be theirs alone.

    Attributes:
        change: What to do instead.
        risks: Experiments of the lab; none when it harms nobody by itself.
    """

    name: str
    change: str
    risks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """
    A pattern in one place of a template.

    Attributes:
        path: Of the place, from the template's root.
        message: What is there, with its names.
        risks: Those of the pattern that hold here.
    """

    pattern: str
    path: Path
    message: str
    change: str
    risks: tuple[str, ...]


STACK = Pattern(
    "shared-stack",
    "a stack per environment, each made from this one template; what differs becomes a parameter",
    ("X19",),
)
API = Pattern(
    "shared-api",
    "an API per stack with one stage; a route is tried in test's API before prod's has it",
    ("X13",),
)
URI = Pattern(
    "stage-variable-in-uri",
    "name the function itself: in its own stack there is one only",
    ("X02", "X17"),
)
VARIABLES = Pattern(
    "config-in-stage-variables",
    "refer to the stack's own resource, and make a parameter of what differs",
    ("X03",),
)
ALIASES = Pattern(
    "alias-per-environment",
    "drop these aliases: the stack is the environment; one alias `live` per stack is fine, for canaries",
    ("X01", "X15"),
)
LATEST = Pattern(
    "alias-on-latest",
    "drop the alias; deploy with the stack, so that code changes only when it is released",
    ("X04",),
)
FROZEN = Pattern(
    "config-frozen-in-versions",
    "give each stack's function its own variables from parameters, and promote the code alone",
    ("X05",),
)
PUBLISH = Pattern(
    "auto-publish-alias-per-environment",
    "AutoPublishAlias: live, the same in every environment",
    ("X06",),
)
FUNCTION = Pattern(
    "shared-function",
    "a function per stack, with its own log group and its own concurrency; an account per environment for X10",
    ("X07", "X08", "X09", "X10", "X16"),
)
ROLE = Pattern(
    "shared-role",
    "a role per stack that reaches that stack's resources only",
    ("X11", "X12"),
)
TABLE = Pattern("shared-table", "a table per stack; test's data can't be prod's then", ("X14",))
QUEUE = Pattern("shared-queue", "a queue per stack; test's consumer can't take prod's messages then", ("X18",))
STAGE_NAME = Pattern(
    "stage-named-like-environment",
    "`live`, or the name of the environment that is deployed; it shares nothing, but every environment's URL has it",
    (),
)

PATTERNS: Mapping[str, Pattern] = {
    one.name: one
    for one in (
        STACK,
        API,
        URI,
        VARIABLES,
        ALIASES,
        LATEST,
        FROZEN,
        PUBLISH,
        FUNCTION,
        ROLE,
        TABLE,
        QUEUE,
        STAGE_NAME,
    )
}
