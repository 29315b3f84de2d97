"""
Changes a template in its own text, so that comments, order and style of all that stays are as they were.

Only the lines of what differs are written anew. Should the text not say what was meant in the end, the whole is written
anew instead: a wrong template is worse than one without comments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from emulator.cfn_yaml import parse
from emulator.explain.source import compose
from emulator.explain.yaml_text import block, inline
from emulator.template import Template

_SECTIONS = ("Parameters", "Outputs", "Resources")


@dataclass(frozen=True, slots=True)
class _Edit:
    """Characters *start* to *end* of the text become *new*."""

    start: int
    end: int
    new: str


def edited(text: str, old: Template, new: Template, names: Mapping[str, Mapping[str, str]]) -> str:
    """
    *text*, which says *old*, saying *new*.

    Args:
        text: YAML, not JSON.
        names: By section the new name of what stands in the place of an old one.
    """
    editor = _Editor(text, names)
    root = compose(text)
    changes = () if root is None else editor.changes(root, old, new, ())
    # From the end, so that places stay true; of what is put into one place, the outer first, so that it comes last.
    outer_first = reversed(list(dict.fromkeys(changes)))
    edits = sorted(outer_first, key=lambda edit: (edit.start, edit.end), reverse=True)
    result = text
    for edit in edits:
        result = result[: edit.start] + edit.new + result[edit.end :]
    try:
        is_right = parse(result) == new
    except ValueError:
        is_right = False
    return result if is_right else block(new) + "\n"


class _Editor:
    """Args: the text, and names as :func:`edited` takes them."""

    def __init__(self, text: str, names: Mapping[str, Mapping[str, str]]) -> None:
        self._text = text
        self._names = names

    def changes(self, node: yaml.Node, old: Any, new: Any, path: tuple[str, ...]) -> Iterator[_Edit]:
        """The edits that make what *node* says, *old*, into *new*."""
        if old == new:
            return
        is_block = isinstance(node, yaml.CollectionNode) and not node.flow_style and not node.tag.startswith("!")
        if is_block and isinstance(node, yaml.MappingNode) and self._can_stay(node, old, new, path):
            yield from self._in_mapping(node, old, new, path)
        elif is_block and isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            for item, before, after in zip(node.value, old, new, strict=True):
                yield from self.changes(item, before, after, path)
        else:
            end = _end(node)
            lines = block(new, indent=node.start_mark.column).lstrip() if is_block and new else inline(new)
            yield _Edit(node.start_mark.index, end, lines)

    def _instead(self, new: Any, path: tuple[str, ...]) -> Mapping[str, str]:
        """What stands in this mapping to what stands in its place in *new*."""
        places = self._names.get(path[0], {}) if len(path) == 1 else {}
        return {before: after for after, before in places.items() if after in new}

    def _can_stay(self, node: yaml.MappingNode, old: Any, new: Any, path: tuple[str, ...]) -> bool:
        """Whether the mapping is changed entry by entry: some stay, and no dash stands before one that goes."""
        if not isinstance(old, dict) or not isinstance(new, dict):
            return False
        instead = self._instead(new, path)
        first = node.value[0][0]
        line = self._text[self._text.rfind("\n", 0, first.start_mark.index) + 1 : first.start_mark.index]
        starts_line = not line.strip("\ufeff ")
        return any(instead.get(key, key) in new for key in old) and (
            starts_line or instead.get(first.value, first.value) in new
        )

    def _in_mapping(
        self, node: yaml.MappingNode, old: dict[str, Any], new: dict[str, Any], path: tuple[str, ...]
    ) -> Iterator[_Edit]:
        instead = self._instead(new, path)
        last: yaml.Node = node
        for key, value in node.value:
            name = instead.get(key.value, key.value)
            if name not in new:
                yield self._removal(key, value)
                continue
            if name != key.value:
                yield _Edit(key.start_mark.index, key.end_mark.index, name)
            yield from self._value(key, value, old[key.value], new[name], (*path, name))
            last = value
        present = {instead.get(key.value, key.value) for key, _ in node.value}
        added = {name: value for name, value in new.items() if name not in present}
        if added:
            yield self._addition(node.start_mark.column, last, added)

    def _value(self, key: yaml.Node, value: yaml.Node, old: Any, new: Any, path: tuple[str, ...]) -> Iterator[_Edit]:
        is_block = isinstance(value, yaml.CollectionNode) and not value.flow_style
        stays_block = type(old) is type(new) and new and not value.tag.startswith("!") and not _is_function(new)
        if old == new or not is_block or (stays_block and (isinstance(new, dict) or len(new) == len(old))):
            yield from self.changes(value, old, new, path)
            return
        as_scalar = not isinstance(new, (dict, list)) or not new or _is_short(new)
        text = f": {inline(new)}" if as_scalar else ":\n" + block(new, indent=key.start_mark.column + 2)
        yield _Edit(key.end_mark.index, _end(value), text)

    def _removal(self, key: yaml.Node, value: yaml.Node) -> _Edit:
        """The entry's lines, comments right above it, and one empty line."""
        start = self._text.rfind("\n", 0, key.start_mark.index) + 1
        while start and (above := self._text[self._text.rfind("\n", 0, start - 1) + 1 : start]).lstrip().startswith(
            "#"
        ):
            start -= len(above)
        end = self._line_end(_end(value))
        while self._text[end : self._line_end(end)].strip() == "" and end < len(self._text):
            end = self._line_end(end)
        return _Edit(start, end, "")

    def _addition(self, column: int, last: yaml.Node, added: dict[str, Any]) -> _Edit:
        lines = block(added, indent=column) + "\n"
        end = self._line_end(_end(last))
        return _Edit(end, end, lines if self._text[:end].endswith("\n") else "\n" + lines)

    def _line_end(self, index: int) -> int:
        found = self._text.find("\n", index)
        return len(self._text) if found < 0 else found + 1


def _end(node: yaml.Node) -> int:
    """Where the content of *node* ends; a block's own mark lies behind comments and empty lines."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        text = node.start_mark.buffer or ""
        end = int(node.end_mark.index)
        while end > node.start_mark.index and text[end - 1 : end].isspace():
            end -= 1
        return end
    return int(node.end_mark.index)


def _is_function(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def _is_short(value: Any) -> bool:
    return _is_function(value) and len(inline(value)) <= 120
