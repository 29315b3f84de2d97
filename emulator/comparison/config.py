"""The config of two releases held against each other, key by key; of a secret only whether it is the same."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace

from emulator.comparison.deployed import Deployed

HIDDEN = "(hidden)"


class Verdict(enum.Enum):
    """What two sides have of the same thing."""

    EQUAL = "equal"
    DIFFERENT = "different"
    ONLY_BEFORE = "only before"
    ONLY_AFTER = "only after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """
    One thing with a name, as each side has it.

    Attributes:
        before: None where that side has none.
    """

    name: str
    verdict: Verdict
    before: str | None
    after: str | None


def compare(name: str, before: str | None, after: str | None) -> Compared:
    """The verdict on two values."""
    if before is None or after is None:
        verdict = Verdict.ONLY_AFTER if before is None else Verdict.ONLY_BEFORE
    else:
        verdict = Verdict.EQUAL if before == after else Verdict.DIFFERENT
    return Compared(name=name, verdict=verdict, before=before, after=after)


def config_keys(before: Deployed, after: Deployed) -> Iterator[Compared]:
    """Every key of either, in the order of its first appearance; secrets by their hashes."""
    releases = before.deployment.release, after.deployment.release
    left, right = ({**release.config, **release.secrets} for release in releases)
    hidden = {name for side in (before, after) for name, said in side.parameters("NoEcho").items() if _is_true(said)}
    hidden |= {name for release in releases for name in release.secrets}
    for key in dict.fromkeys([*left, *right]):
        found = compare(key, left.get(key), right.get(key))
        yield _hide(found) if key in hidden else found


def _is_true(said: str) -> bool:
    return said.lower() == "true"


def _hide(found: Compared) -> Compared:
    before, after = (None if value is None else HIDDEN for value in (found.before, found.after))
    return replace(found, before=before, after=after)
