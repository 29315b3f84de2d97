"""A pipeline as plain data: which steps, in which order, doing what. Made by a reader for each CI system."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ALWAYS = "always()"


class System(enum.Enum):
    """The CI systems whose files are understood; the value is what people call them."""

    BITBUCKET = "bitbucket"
    GITHUB = "github"
    GITLAB = "gitlab"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """
    What a pipeline runs for.

    Attributes:
        branch: The branch itself, or where a pull request comes from.
        target: Where the pull request goes to, else None.
        tag: Set when a tag was pushed.
        custom: The name of a pipeline that is started by hand.
    """

    branch: str
    target: str | None = None
    tag: str | None = None
    custom: str | None = None

    @property
    def shown(self) -> str:
        """What a person calls it."""
        if self.custom is not None:
            return f"custom {self.custom}"
        if self.tag is not None:
            return f"tag {self.tag}"
        return f"a pull request from {self.branch}" if self.target is not None else f"branch {self.branch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """
    Lines for one bash.

    Attributes:
        options: Of bash, e.g. ``-e``.
        directory: Relative to the work tree.
        condition: An expression that says whether it runs; empty for: while nothing failed.
        may_fail: It can't fail its step.
        id: What its outputs are known by.
        is_echoed: Each line is shown before it runs.
    """

    lines: tuple[str, ...]
    name: str = ""
    options: tuple[str, ...] = ("-e",)
    directory: str = "."
    variables: Mapping[str, str] = field(default_factory=dict)
    condition: str = ""
    may_fail: bool = False
    id: str = ""
    is_echoed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """Keep files of the work tree, by patterns, under *name*."""

    name: str
    paths: tuple[str, ...]
    condition: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """
    Put kept files into the work tree.

    Attributes:
        names: Which; None for all that there are.
        path: Where to, relative to the work tree.
    """

    names: tuple[str, ...] | None
    path: str = "."
    condition: str = ""


Action = Script | Upload | Download


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """
    What runs in one copy of the work tree.

    Attributes:
        id: Unique in its plan.
        line: Of the file.
        needs: Ids of the steps that must have succeeded.
        is_manual: Somebody must start it.
        environment: Where it deploys, as the file calls it.
        may_fail: Its failure doesn't stop the others.
        outputs: Texts for later steps, as expressions.
        dotenv: Files whose variables later steps get.
    """

    id: str
    name: str
    line: int
    actions: tuple[Action, ...]
    needs: tuple[str, ...] = ()
    is_manual: bool = False
    environment: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    may_fail: bool = False
    outputs: Mapping[str, str] = field(default_factory=dict)
    dotenv: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    Steps, each after those that it needs.

    Attributes:
        file: How messages name the file.
        notes: What of the file is not followed here, and why.
    """

    system: System
    file: str
    trigger: Trigger
    steps: Sequence[Step]
    notes: Sequence[str] = ()
