"""Plain templates held against each other, with intrinsic functions as people write them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from emulator.comparison.structure import Difference, differences
from emulator.inventory.hiding import Hiding, is_hidden, is_secret_name, new_salt, visible
from emulator.template import Template

# Where an artifact's code lies: what changed in it is told file by file.
_CODE = re.compile(r"code/[0-9a-f]{64}\.zip")


def template_differences(before: Template, after: Template) -> Iterator[Difference]:
    """What differs in resources, as ``LogicalId.Property``, and in other sections, as ``Section.Name``."""
    hiding = Hiding(new_salt())
    old, new = (_without_secrets(readable(template), hiding) for template in (before, after))
    for found in differences(old.get("Resources", {}), new.get("Resources", {})):
        yield from _placed(found)
    for name in dict.fromkeys([*old, *new]):
        if name not in ("Resources", "Transform"):
            yield from differences(old.get(name, {}), new.get(name, {}), name)


def _without_secrets(node: Any, hiding: Hiding, *, is_secret: bool = False) -> Any:
    """*node* with texts hidden that are called like secrets, and defaults that CloudFormation hides."""
    if isinstance(node, Mapping):
        hides = str(node.get("NoEcho", "")).lower() == "true"
        return {
            key: _without_secrets(value, hiding, is_secret=is_secret_name(str(key)) or (hides and key == "Default"))
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [_without_secrets(one, hiding) for one in node]
    return hiding.hashed(node) if is_secret and isinstance(node, str) and not node.startswith("!") else node


def _placed(found: Difference) -> Iterator[Difference]:
    """A resource's property under the resource's name alone; of a whole resource only its type."""
    if _CODE.fullmatch(str(found.before)) and _CODE.fullmatch(str(found.after)):
        return
    logical_id, _, rest = found.path.partition(".")
    if not rest:
        yield Difference(path=logical_id, kind=found.kind, before=_type(found.before), after=_type(found.after))
        return
    path = f"{logical_id}.{rest.removeprefix('Properties.')}"
    yield Difference(path=path, kind=found.kind, before=found.before, after=found.after)


def _type(resource: Any) -> Any:
    return resource.get("Type") if isinstance(resource, Mapping) else resource


def readable(node: Any) -> Any:
    """*node* with every intrinsic function as one text, e.g. ``!GetAtt Table.Arn``."""
    if isinstance(node, list):
        return [readable(one) for one in node]
    if not isinstance(node, Mapping):
        return node
    if len(node) == 1:
        ((name, argument),) = node.items()
        if name in ("Ref", "Condition") and isinstance(argument, str):
            return f"!{name} {argument}"
        if name.startswith("Fn::"):
            return f"!{name.removeprefix('Fn::')} {_argument(name, argument)}"
    return {key: readable(value) for key, value in node.items()}


def _argument(name: str, argument: Any) -> str:
    if name == "Fn::GetAtt" and isinstance(argument, list):
        return ".".join(str(one) for one in argument)
    return text_of(readable(argument))


def text_of(value: Any) -> str:
    """*value* in one line."""
    if isinstance(value, str):
        return "(hidden)" if is_hidden(value) else value
    if isinstance(value, list):
        return f"[{', '.join(text_of(one) for one in value)}]"
    return json.dumps(visible(value), sort_keys=True, ensure_ascii=False, default=str)
