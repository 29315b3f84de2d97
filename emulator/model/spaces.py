"""Spaces: further sets of a project's environments, one for each seat of a class or person of a team. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.model.environments import DriverName

# What stands between a space's name and an environment's, in paths, routes and messages: ``alice/test``.
SEPARATOR = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """
    What a space may use.

    Attributes:
        environments: How many of them it may have, created ones too; None for no limit.
        memory: Bytes that all its emulators may use together; None for no limit.
        requests: How many requests the proxy takes for it per second, on average; None for no limit.
    """

    environments: int | None = None
    memory: int | None = None
    requests: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """
    One project's set of environments under a name of its own.

    Attributes:
        number: From 1 on; no other space of the project has it, and its account ids are made of it.
        driver: What runs all its environments; None for what the project says.
        expires: From then on it is to be removed; None: it stays until somebody destroys it.
        idle: It is put to sleep when nobody asked it for so long; None: never.
        generation: Of its tokens; those of an earlier one are void.
        is_joined: Somebody used the join token of this generation.
        is_asleep: Its emulators were stopped to save memory; the first request starts them again.
        is_complete: ``create`` came to its end once: the same command again is no longer one that goes on.
        is_ending: A command began to remove it.
    """

    name: str
    number: int
    at: datetime
    driver: DriverName | None = None
    expires: datetime | None = None
    idle: timedelta | None = None
    quota: Quota = field(default_factory=Quota)
    generation: int = 1
    is_joined: bool = False
    is_asleep: bool = False
    is_complete: bool = False
    is_ending: bool = False

    @property
    def is_awake(self) -> bool:
        """Whether its emulators are to run, as far as anybody wants it."""
        return self.is_complete and not self.is_asleep and not self.is_ending

    def status(self, ready: int, environments: int) -> str:
        """What is told of it when so many of its environments are ready."""
        if self.is_ending:
            return "ending"
        if not self.is_complete:
            return "unfinished"
        if self.is_asleep:
            return "asleep"
        return "ready" if ready == environments else "partial" if ready else "stopped"

    def account_id(self, at: int) -> str:
        """
        The account of its environment number *at*, from 0 on: 12 digits that begin with 9.

        Projects' own accounts may be any, but the usual ones repeat one digit.
        """
        return f"9{self.number:06d}{at + 1:05d}"
