"""Patterns for branches and paths: ``*`` stays within a folder, ``**`` does not, ``{a,b}`` is either."""

from __future__ import annotations

import functools
import re


def matches(pattern: str, name: str) -> bool:
    """Whether *name* as a whole is what *pattern* describes."""
    return _compiled(pattern).fullmatch(name) is not None


def holds(pattern: str, path: str) -> bool:
    """Whether a pattern of files means *path*: itself, or a folder around it."""
    pattern = pattern.removeprefix("./").removesuffix("/**").rstrip("/")
    if pattern in {"", ".", "*", "**"}:
        return pattern != "*" or "/" not in path
    parts = path.split("/")
    return any(matches(pattern, "/".join(parts[:end])) for end in range(1, len(parts) + 1))


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    result, depth, position = "", 0, 0
    while position < len(pattern):
        letter = pattern[position]
        if pattern.startswith("**/", position):
            result, position = f"{result}(?:.*/)?", position + 2
        elif pattern.startswith("**", position):
            result, position = f"{result}.*", position + 1
        elif letter == "*":
            result += "[^/]*"
        elif letter == "?":
            result += "[^/]"
        elif letter == "{":
            result, depth = f"{result}(?:", depth + 1
        elif letter == "}" and depth:
            result, depth = f"{result})", depth - 1
        elif letter == "," and depth:
            result += "|"
        else:
            result += re.escape(letter)
        position += 1
    return re.compile(result + ")" * depth, re.DOTALL)
