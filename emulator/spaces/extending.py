"""Moves the end of spaces; tokens that were given out stay good until then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from emulator.errors import ConfigError
from emulator.space_list import changed
from emulator.spaces.opening import check_stays, find_space
from emulator.spaces.spaces import Spaces
from emulator.spans import LONGEST


def extend(spaces: Spaces, names: Sequence[str], by: timedelta, *, now: datetime) -> Mapping[str, datetime]:
    """
    Let spaces stay for longer: all of them or, where one can't, none.

    Returns:
        Name to its new end.

    Raises:
        ConfigError: There is none of that name, it is being removed, or has no end.
    """
    if not timedelta(0) < by <= LONGEST:
        raise ConfigError("--by must be above 0 and at most 3650d")
    ends = {}
    with spaces.changing("space extend") as write:
        listed = spaces.listed()
        for name in names:
            space = find_space(listed, name)
            check_stays(space)
            if space.expires is None:
                raise ConfigError(f"space {name} has no end: it stays until `multistack space destroy {name}`")
            ends[name] = max(space.expires, now) + by
            if ends[name] - now > LONGEST:
                raise ConfigError(f"space {name} would end after more than {LONGEST.days} days")
            listed = changed(listed, name, expires=ends[name])
        write(listed)
    return ends
