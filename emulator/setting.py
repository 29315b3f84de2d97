"""What a setting is; keys and values as they are shown."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_TYPE_NAMES: dict[type, str] = {dict: "a table", list: "an array"}

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """
    One thing a user can set.

    Attributes:
        key: Dotted key in the project file; ``<name>`` and ``<Parameter>`` stand for any.
            Starts with ``--`` when it is a flag and no key.
        variable: Name in the environ; ``<NAME>`` is the environment's, upper case, with ``_`` for ``-``.
        allowed: Completes "must be …".
        is_secret: No message may show its value.
    """

    key: str
    variable: str
    default: str
    allowed: str
    description: str
    is_secret: bool = False

    @property
    def path(self) -> Key:
        """The key in parts."""
        return tuple(self.key.split("."))


def show_key(key: Key) -> str:
    """Write *key* as TOML does, on one line."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part) for part in key)


def show_value(value: object) -> str:
    """Write any value that TOML can hold on one short line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value if len(value) <= 60 else value[:57] + "...")
    if isinstance(value, int) and abs(value) >= 2**63:
        return "a number beyond 64 bits"
    return _TYPE_NAMES.get(type(value)) or str(value)


def value_at(data: object, key: Key) -> object:
    """The value under *key*, or None."""
    for part in key:
        if not isinstance(data, dict) or part not in data:
            return None
        data = data[part]
    return data


def matches(pattern: Key, key: Key) -> bool:
    """Whether *key* is one that *pattern*, a setting's path, stands for."""
    return len(pattern) == len(key) and all(p.startswith("<") or p == k for p, k in zip(pattern, key, strict=True))
