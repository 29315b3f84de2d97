"""Regular expressions out of a project file, none of which may stop the proxy."""

from __future__ import annotations

import functools

import regex

# Seconds for all that one value needs; the slowest of sane expressions take milliseconds for a megabyte.
PATIENCE = 0.2
_MARK = "\0"


def regex_problem(pattern: str) -> str | None:
    """What is wrong with a regular expression, or None."""
    try:
        compiled = _compiled(pattern)
    except regex.error as error:
        return str(error)
    return "it matches the empty text, so it says nothing" if compiled.fullmatch("") else None


def is_same_beside(pattern: str, one: str, other: str) -> bool:
    """
    Whether two texts are the same once everything that *pattern* matches is taken for one and the same.

    Raises:
        TimeoutError: The expression blew up.
    """
    left, count = _compiled(pattern).subn(_MARK, one, timeout=PATIENCE)
    right, other_count = _compiled(pattern).subn(_MARK, other, timeout=PATIENCE)
    return bool(count and other_count and left == right)


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern)
