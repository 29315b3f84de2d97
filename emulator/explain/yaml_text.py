"""Parts of a template as YAML, with CloudFormation's short tags."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import yaml

_WIDTH = 116
_NAME = re.compile(r"[A-Za-z]([A-Za-z0-9.:]*[A-Za-z0-9])?")


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, and writes nothing twice by reference."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def choose_scalar_style(self) -> Any:
        # PyYAML quotes whatever has a tag: !Ref 'Table'.
        style = super().choose_scalar_style()
        event = self.event
        if not isinstance(event, yaml.ScalarEvent):
            return style
        is_plain = style == "'" and str(event.tag).startswith("!") and _NAME.fullmatch(event.value)
        return "" if is_plain else style

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _mapping(dumper: _Dumper, node: dict[str, Any]) -> yaml.Node:
    if len(node) == 1:
        ((key, value),) = node.items()
        if key == "Ref" and isinstance(value, str):
            return dumper.represent_scalar("!Ref", value)
        if key == "Fn::GetAtt" and isinstance(value, list) and all(isinstance(one, str) for one in value):
            return dumper.represent_scalar("!GetAtt", ".".join(value))
        if key.startswith("Fn::") and isinstance(value, str):
            return dumper.represent_scalar(f"!{key[4:]}", value, style='"' if _needs_quotes(value) else None)
        if key.startswith("Fn::") and isinstance(value, list):
            return dumper.represent_sequence(f"!{key[4:]}", value)
    return dumper.represent_mapping("tag:yaml.org,2002:map", node)


def _needs_quotes(text: str) -> bool:
    return text != text.strip() or any(one in text for one in ("${", ": ", " #", "\n")) or text[:1] in "&*!|>'\"%@`{["


_Dumper.add_representer(dict, _mapping)


def block(value: Any, *, indent: int = 0) -> str:
    """*value* as block-style lines that begin in column *indent*, without a newline at the end."""
    return textwrap.indent(_dump(value, flow=False, width=_WIDTH - indent), " " * indent)


def inline(value: Any) -> str:
    """*value* in one line: flow style."""
    return _dump(value, flow=True, width=1 << 30)


def _dump(value: Any, *, flow: bool, width: int) -> str:
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=flow, allow_unicode=True, width=width)
    return text.removesuffix("\n").removesuffix("\n...")
