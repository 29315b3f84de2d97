"""What environments may be called, and what one is called that is made for a branch."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection

from emulator.setting import show_value

RESERVED_NAMES = frozenset({"all", "api", "localhost"})
_LONGEST = 30
# Of a hash that tells names apart that would be the same.
_DIGITS = 6


def name_problem(name: str) -> str | None:
    """Why no environment may be called *name*, or None."""
    shown = f"environment name {show_value(name)}"
    if name.startswith("_"):
        return f'{shown} must not start with "_": paths under /_ are the proxy\'s own'
    if not re.fullmatch(rf"[a-z]([a-z0-9-]{{0,{_LONGEST - 2}}}[a-z0-9])?", name):
        return f"{shown} must be 1 to {_LONGEST} of a-z, 0-9 and -, starting with a letter and not ending with -"
    return f"{shown} is reserved" if name in RESERVED_NAMES else None


def name_of_branch(branch: str, *, taken: Collection[str]) -> str:
    """
    The name of the environment of *branch*: a valid one, always the same for the same *taken*.

    A branch whose own letters make a free name has that: ``feature/login`` is ``feature-login``. One that is shortened,
    loses letters, or would be one of *taken* ends with a hash of the whole branch.
    """
    letters = unicodedata.normalize("NFKD", branch).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")
    if not plain[:1].isalpha():
        plain = f"branch-{plain}".rstrip("-")
    is_whole = not any(unicodedata.category(letter)[0] in "LN" for letter in _lost(branch))
    if is_whole and name_problem(plain) is None and plain not in taken:
        return plain
    digits = hashlib.sha256(branch.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
    return f"{plain[: _LONGEST - _DIGITS - 1].rstrip('-')}-{digits}"


def _lost(branch: str) -> str:
    """The characters of *branch* that have no counterpart in ASCII: of ``ü`` the u stays, of ``日`` nothing."""
    return "".join(one for one in branch if not unicodedata.normalize("NFKD", one).encode("ascii", "ignore"))
