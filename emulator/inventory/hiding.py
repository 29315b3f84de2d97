"""Values that nobody may see: kept as salted hashes, so that one can only tell whether they are still the same."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

_HIDDEN = re.compile(r"hidden:[0-9a-f]{32}")
# What a variable is called that holds a secret, unless it holds only a secret's name.
_SECRET_NAME = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|PRIVATE|API_?KEY|(^|_)PWD($|_)", re.IGNORECASE
)
_REFERENCE = re.compile(r"arn:|https?://[^@]*$|/[\w/.-]+$")
# A shorter one stands in many values that have nothing to do with it.
_SHORTEST = 8


def new_salt() -> str:
    """A salt that no other inventory has."""
    return secrets.token_hex(16)


def is_secret_name(name: str) -> bool:
    """Whether what is called *name* is likely a secret."""
    return bool(_SECRET_NAME.search(name))


def is_hidden(value: object) -> bool:
    """Whether *value* is what stands for one that nobody may see."""
    return isinstance(value, str) and bool(_HIDDEN.fullmatch(value))


def visible(node: Any) -> Any:
    """*node* for people and machines: where something is hidden it says so, and nothing else."""
    if isinstance(node, Mapping):
        return {key: visible(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [visible(one) for one in node]
    return "(hidden)" if is_hidden(node) else node


class Hiding:
    """
    Hides values and remembers them, so that they are found wherever else they stand.

    Args:
        salt: Two inventories with the same one can be compared.
    """

    def __init__(self, salt: str) -> None:
        self._salt = salt
        self._known: set[str] = set()

    def hide(self, value: str) -> str:
        """The salted hash of *value*; from now on whatever holds *value*, or a part of it if it is JSON, is hidden."""
        self._known.update(one for one in (value, *_leaves(value)) if len(one) >= _SHORTEST)
        return self.hashed(value)

    def hashed(self, value: str) -> str:
        """What stands for *value*."""
        return "hidden:" + hmac.new(self._salt.encode(), value.encode(), hashlib.sha256).hexdigest()[:32]

    def variables(self, variables: Mapping[str, str]) -> Mapping[str, str]:
        """A function's or stage's variables, those hidden that are called like secrets and are no mere reference."""
        return {
            name: self.hide(value) if _SECRET_NAME.search(name) and not _REFERENCE.match(value) else value
            for name, value in variables.items()
        }

    def everywhere(self, node: Any) -> Any:
        """*node* with each text in it hidden that holds what was hidden anywhere."""
        if isinstance(node, str):
            return self.hashed(node) if any(value in node for value in self._known) else node
        if isinstance(node, Mapping):
            return {key: self.everywhere(value) for key, value in node.items()}
        return [self.everywhere(one) for one in node] if isinstance(node, list) else node

    def alike(self, one: Any, other: Any) -> tuple[Any, Any]:
        """Both trees with a text hidden that is hidden in the other: a secret may have been changed since."""
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            pairs = {key: self.alike(one[key], other[key]) for key in one if key in other}
            return (
                {**one, **{key: pair[0] for key, pair in pairs.items()}},
                {**other, **{key: pair[1] for key, pair in pairs.items()}},
            )
        if isinstance(one, str) and isinstance(other, str) and is_hidden(one) != is_hidden(other):
            return (one, self.hashed(other)) if is_hidden(one) else (self.hashed(one), other)
        return one, other


def _leaves(text: str) -> Iterator[str]:
    """The texts in *text* if it is a JSON object."""
    try:
        found = json.loads(text)
    except ValueError:
        return
    if isinstance(found, dict):
        yield from (value for value in found.values() if isinstance(value, str))
