"""Two environments held against each other: what was deployed into the one and what into the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emulator.comparison.code import FileChange, code_changes
from emulator.comparison.config import Compared, Verdict, compare, config_keys
from emulator.comparison.deployed import Deployed
from emulator.comparison.outputs import Outputs, compare_outputs
from emulator.comparison.structure import Difference
from emulator.comparison.template import template_differences


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseDifference:
    """
    All that differs between the releases of two environments.

    Attributes:
        release: Id, digest and config hash.
        outputs: None when they could not be asked for; *no_outputs* then says why.
    """

    before: str
    after: str
    release: Sequence[Compared]
    code: Sequence[FileChange]
    template: Sequence[Difference]
    config: Sequence[Compared]
    outputs: Sequence[Compared] | None
    no_outputs: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is none."""
        compared = (*self.release, *self.config, *(self.outputs or ()))
        return not self.code and not self.template and all(one.verdict is Verdict.EQUAL for one in compared)


def compare_releases(
    before: Deployed, after: Deployed, outputs: Sequence[Outputs], no_outputs: str
) -> ReleaseDifference:
    """
    Everything that differs between *before* and *after*.

    Args:
        outputs: Those of both, or none; *no_outputs* then says why.
    """
    old, new = before.deployment.release, after.deployment.release
    return ReleaseDifference(
        before=before.environment.name,
        after=after.environment.name,
        release=[
            compare("release", old.id, new.id),
            compare("digest", old.digest, new.digest),
            compare("config hash", old.config_hash, new.config_hash),
        ],
        code=list(code_changes(before.artifact, after.artifact)),
        template=list(template_differences(before.template, after.template)),
        config=list(config_keys(before, after)),
        outputs=list(compare_outputs(*outputs)) if outputs else None,
        no_outputs=no_outputs,
    )
