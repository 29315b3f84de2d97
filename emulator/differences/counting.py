"""How many differences are told of: no more than anybody reads, those apart that are not to be told of anyway."""

from __future__ import annotations

import collections
from collections.abc import Callable

from emulator.differences.findings import Finding, Kind, Mask, Part, Place
from emulator.model import ExpectedDifference

MOST_FINDINGS = 1000

# What hides or explains any difference at a place; None when nothing does.
OwnerOf = Callable[[Place], Mask | ExpectedDifference | None]


def nobody(_place: Place) -> None:
    """Nothing hides or explains anything."""


class Count:
    """
    Counts differences by what owns them, so that those declared or masked never crowd out the others.

    Of those that a declaration explains as many are told of as of those that nothing does; of those masked none.
    """

    def __init__(self, owner_of: OwnerOf) -> None:
        self._owner_of = owner_of
        self._found: collections.Counter[Mask | ExpectedDifference | None] = collections.Counter()

    @property
    def is_full(self) -> bool:
        """Whether there are more that nothing explains than are told of."""
        return self._found[None] > MOST_FINDINGS

    def takes(self, place: Place) -> bool:
        """Count a difference at *place*; whether it is to be told of."""
        owner = self._owner_of(place)
        self._found[owner] += 1
        return not isinstance(owner, Mask) and self._found[owner] <= MOST_FINDINGS

    def more(self) -> Finding:
        """The finding that there are more."""
        return Finding(place=Place(Part.BODY), kind=Kind.MORE, value=f"more than {MOST_FINDINGS} differences")
