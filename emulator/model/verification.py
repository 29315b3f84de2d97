"""What a project says about how to tell that a release works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCheck:
    """A request that must be answered so: *path* begins with a slash, *contains* is in the body."""

    path: str
    status: int
    contains: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """
    How to tell that a release works where it was deployed.

    Attributes:
        command: For the shell; its exit status 0 is good.
        timeout: Seconds that the command may take.
        replay: A corpus whose requests must be answered as they were when it was recorded.
        replay_writes: Its requests that may change something are sent as well, but not into a protected environment.
    """

    command: str | None = None
    timeout: float = 300.0
    checks: Sequence[HttpCheck] = ()
    replay: str | None = None
    replay_writes: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether the project says nothing about it."""
        return self.command is None and not self.checks and self.replay is None
