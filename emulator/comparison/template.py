"""Plain templates held against each other, with intrinsic functions as people write them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from emulator.comparison.structure import Difference, differences
from emulator.template import Template

# Where an artifact's code lies: what changed in it is told file by file.
_CODE = re.compile(r"code/[0-9a-f]{64}\.zip")


def template_differences(before: Template, after: Template) -> Iterator[Difference]:
    """What differs in resources, as ``LogicalId.Property``, and in other sections, as ``Section.Name``."""
    for found in differences(readable(before.get("Resources", {})), readable(after.get("Resources", {}))):
        yield from _placed(found)
    sections = [name for name in {**before, **after} if name not in ("Resources", "Transform")]
    for name in sections:
        yield from differences(readable(before.get(name, {})), readable(after.get(name, {})), name)


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
        return value
    if isinstance(value, list):
        return f"[{', '.join(text_of(one) for one in value)}]"
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
