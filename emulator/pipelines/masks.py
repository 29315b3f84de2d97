"""Keeps secrets out of what is shown of a step, as CI systems do: ``$DB_PASSWORD`` stands for its value."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SECRET = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|PRIVATE|KEY$|(?:^|_)PAT$")
# Where a secret is, or what it is called, is none.
_REFERENCE = re.compile(r"_(?:FILE|PATH|DIR|FOLDER|SOCK|ID|NAME|ARN)$")
# A shorter value would tear other words apart.
_SHORTEST = 4


class Masks:
    """
    Replaces values of variables that are secret by their names.

    Args:
        variables: All there are; which of them are secret, their names say.
        also: Names that are secret whatever they are called.
    """

    def __init__(self, variables: Mapping[str, str], also: frozenset[str] = frozenset()) -> None:
        secret = {
            line: name
            for name, value in variables.items()
            if name in also or _is_secret(name.upper())
            for line in value.splitlines()
            if len(line) >= _SHORTEST
        }
        self._names = secret
        longest_first = sorted(secret, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if secret else None

    def __call__(self, text: str) -> str:
        """*text* without any of the values."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: f"${self._names[match[0]]}", text)


def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None and _REFERENCE.search(name) is None
