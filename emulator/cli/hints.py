"""Commands that errors hint at, as they are typed for a space."""

from __future__ import annotations

import re
from typing import TypeVar

from emulator.errors import MultistackError

# Commands that are about environments, and so about those of a space as well.
IN_SPACES = frozenset(
    {
        *("up", "down", "status", "reset", "logs", "create", "destroy", "list", "prune"),
        *("deploy", "build", "promote", "approve", "hold", "verify", "rollback", "history", "canary"),
        *("invoke", "send", "seed", "export", "snapshot", "diff", "drift", "parity"),
        *("endpoint", "environ", "exec"),
    }
)
_COMMAND = re.compile(rf"\bmultistack ({'|'.join(sorted(IN_SPACES))})\b")

T = TypeVar("T")


def for_space(result: T, space: str) -> T:
    """*result*; as an error, with hints at commands for *space*: else they would be about other environments."""
    if isinstance(result, MultistackError) and result.hint:
        result.hint = _COMMAND.sub(rf"multistack --space {space} \1", result.hint)
    return result
