"""How many spaces one machine carries, for whoever is about to make them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emulator.capacity.figures import Figures, read_figures
from emulator.capacity.limits import Limit, Machine, limits_of
from emulator.capacity.words import show_size
from emulator.errors import ConfigError


def spaces_that_fit(limits: Sequence[Limit], environments: int, *, machines: int) -> int:
    """Whole spaces: none is split between machines, but what all machines share has no such rest."""
    return min(
        limit.most // environments if limit.is_shared else limit.most // environments * machines for limit in limits
    )


@dataclass(frozen=True, slots=True)
class Room:
    """How many *spaces* one machine carries, and the *sentence* that says why no more."""

    spaces: int
    sentence: str


def room_for_spaces(*, memory: float, cores: float, environments: int, driver: str) -> Room:
    """
    How many spaces of so many environments a machine carries, by the measured figures.

    Args:
        memory: Bytes.
        driver: One of which nothing was measured is refused nothing but more spaces than there are numbers.
    """
    figures = read_figures().get(driver, Figures(driver=driver, sources=()))
    limits = limits_of(figures, Machine(memory=memory, cores=cores), environments=environments)
    spaces, first = spaces_that_fit(limits, environments, machines=1), limits[0]
    return Room(
        spaces,
        f"a machine of {show_size(memory)} and {cores:g} cores carries {spaces} spaces of {environments} environments: "
        f"{first.name}, {first.why}",
    )


def check_spaces(spaces: int, *, memory: float, cores: float, environments: int, driver: str) -> None:
    """
    Refuse more spaces than a machine carries.

    Args:
        spaces: All that there would be then, those that are there already too.

    Raises:
        ConfigError: There is no room for them.
    """
    room = room_for_spaces(memory=memory, cores=cores, environments=environments, driver=driver)
    if spaces > room.spaces:
        raise ConfigError(
            f"{spaces:,} spaces are too many: {room.sentence}",
            hint=f"`multistack capacity --learners {spaces} --environments {environments} --driver {driver}` says what"
            " they need",
        )
