"""
Every failure a user can cause or meet, as one shallow tree.

A class exists only where a caller handles it differently; each has its own exit code::

    MultistackError(message, *, hint)   exit 1
    ├── ConfigError                     exit 2   file, key, allowed values
    ├── NotReady                        exit 3   environment, status, last log lines
    │   └── StoreAway                            which store, and why it can't be reached
    ├── DeployError                     exit 4   failed stack events, oldest first
    ├── ArtifactError                   exit 5   build failed, or bytes no longer match their digest
    └── PromotionRefused                exit 6   which gate, for which digest

Only the command line and the proxy turn these into text. Anything else that escapes is our bug
and keeps its traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import ClassVar

# No error: a command that looks for differences found some.
DIFFERENCES = 7
# No error of ours: the function that was called ended with one.
FUNCTION_ERROR = 8
_FULL_DISK = {errno.ENOSPC, errno.EDQUOT}


class MultistackError(Exception):
    """
    What went wrong in one line, and what to do next.

    Args:
        message: What is wrong and where, without a trailing full stop.
        hint: The next thing to do, e.g. a command to run.
        details: Lines that help to understand it: log lines, stack events.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = tuple(details)


def file_hint(error: OSError) -> str:
    """What to do about a file that can't be read or written."""
    if error.errno in _FULL_DISK:
        return "free some space, then run the same command again"
    return "check its owner and permissions, then run the same command again"


class ConfigError(MultistackError):
    """The project file, a flag or a variable says something that cannot be."""

    exit_code = 2


class NotReady(MultistackError):
    """An environment, or the proxy, is not there when it is needed."""

    exit_code = 3


class StoreAway(NotReady):
    """The shared store can't be reached now; it may be in a while."""


class DeployError(MultistackError):
    """The emulator refused or failed a deployment; ``details`` are its failed events, oldest first."""

    exit_code = 4


class ArtifactError(MultistackError):
    """The service cannot be built, or stored bytes no longer match their digest."""

    exit_code = 5


class PromotionRefused(MultistackError):
    """A gate does not hold."""

    exit_code = 6
