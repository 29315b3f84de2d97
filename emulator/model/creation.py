"""How an environment came to be that no project file declares. No I/O here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """
    How an environment came to be that the project file does not declare.

    Attributes:
        like: The declared environment whose driver, region, config and settings it has.
        expires: From then on it is to be removed; None: it stays until somebody destroys it.
        branch: The git branch that its name was made from.
        digest: The artifact of its first deployment; None for that of the current source.
        is_complete: ``create`` came to its end once: the same command again is no longer one that goes on.
        is_ending: A command began to remove it.
    """

    like: str
    at: datetime
    expires: datetime | None = None
    branch: str | None = None
    digest: str | None = None
    is_complete: bool = False
    is_ending: bool = False
