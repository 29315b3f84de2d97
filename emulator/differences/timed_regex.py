"""Regular expressions out of a project file, none of which may stop the proxy."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import regex

# Seconds for one expression in one comparison; the slowest of sane ones take milliseconds for a megabyte.
PATIENCE = 0.5
_MARK = "\0"


def regex_problem(pattern: str) -> str | None:
    """What is wrong with a regular expression, or None."""
    import regex

    try:
        compiled = _compiled(pattern)
    except regex.error as error:
        return str(error)
    return "it matches the empty text, so it says nothing" if compiled.fullmatch("") else None


def is_same_beside(pattern: str, one: str, other: str, timeout: float) -> bool:
    """
    Whether two texts are the same once everything that *pattern* matches is taken for one and the same.

    Raises:
        TimeoutError: The expression blew up.
    """
    # Concurrent: other requests of the proxy go on meanwhile.
    left, count = _compiled(pattern).subn(_MARK, one, timeout=timeout, concurrent=True)
    right, other_count = _compiled(pattern).subn(_MARK, other, timeout=timeout, concurrent=True)
    return bool(count and other_count and left == right)


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str) -> regex.Pattern[str]:
    import regex

    return regex.compile(pattern)
