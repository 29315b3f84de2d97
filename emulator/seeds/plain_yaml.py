"""
YAML that means what it says: ``no``, ``12:30`` and ``2026-11-26`` are text, and numbers are exact.

PyYAML reads YAML 1.1, in which the first is false, the second 750 and the third a date.

Source:
    YAML 1.2.2, 10.3 "Core Schema".
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import yaml

_INTEGER = re.compile(r"^[-+]?\d+$")
_FLOAT = re.compile(r"^[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?$")
_BOOLEAN = re.compile(r"^(true|True|TRUE|false|False|FALSE)$")
_NULL = re.compile(r"^(~|null|Null|NULL|)$")
_PREFIX = "tag:yaml.org,2002:"


class PlainLoader(yaml.SafeLoader):
    """Also refuses a key that stands twice, which PyYAML would drop in silence."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's way; filled below)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """No aliases: a record that holds itself has no end."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "an alias; write out what it stands for", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping whose keys are text."""
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != f"{_PREFIX}str":
                raise yaml.constructor.ConstructorError(None, None, "a key that is no text", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _exact(_loader: PlainLoader, node: yaml.ScalarNode) -> Decimal:
    return Decimal(node.value)


def _whole(_loader: PlainLoader, node: yaml.ScalarNode) -> int:
    return int(node.value)


for _kind, _pattern, _first in (
    ("int", _INTEGER, "-+0123456789"),
    ("float", _FLOAT, "-+.0123456789"),
    ("bool", _BOOLEAN, "tTfF"),
    ("null", _NULL, ["~", "n", "N", ""]),
):
    PlainLoader.add_implicit_resolver(f"{_PREFIX}{_kind}", _pattern, list(_first))
PlainLoader.add_constructor(f"{_PREFIX}float", _exact)
PlainLoader.add_constructor(f"{_PREFIX}int", _whole)
