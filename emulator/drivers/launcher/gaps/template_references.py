"""
Gap: MiniStack 1.5.33 doesn't look at what a template's parts refer to before it begins.

A reference to nothing becomes the text of its name; a circle leaves a stack behind that can't be used. AWS refuses
both before anything is made, as it does parts that are no objects.

Source:
    https://repost.aws/knowledge-center/cloudformation-template-validation
    https://repost.aws/knowledge-center/cloudformation-circular-dependency-sam
"""

from __future__ import annotations

import graphlib
from collections.abc import Iterator, Mapping
from typing import Any

Template = Mapping[str, Any]


def apply() -> None:
    """Check references where MiniStack checks the rest of a template that needs no parameters."""
    from ministack.services.cloudformation import engine

    validated = engine._validate_template_statics

    def validate(template: Template) -> None:
        _check_form(template)
        validated(template)
        # A macro may still make what is missing.
        if not template.get("Transform"):
            _check(template)

    engine._validate_template_statics = validate


def _check_form(template: Template) -> None:
    """Refuse what would be an internal error further on."""
    for section in ("Resources", "Outputs"):
        parts = template.get(section) or {}
        if not isinstance(parts, Mapping):
            raise ValueError(f"Template format error: [/{section}] must be an object")
        wrong = next((name for name, part in parts.items() if not isinstance(part, Mapping)), None)
        if wrong is not None:
            raise ValueError(f"Template format error: [/{section}/{wrong}] must be an object")


def _check(template: Template) -> None:
    resources = template.get("Resources") or {}
    known = resources.keys() | (template.get("Parameters") or {}).keys()
    for section in ("Resources", "Outputs"):
        named = {name for content in (template.get(section) or {}).values() for name in _named(content)}
        unknown = sorted(name for name in named if name not in known and not name.startswith("AWS::"))
        if unknown:
            found = f"[{', '.join(unknown)}] in the {section} block of the template"
            raise ValueError(f"Template format error: Unresolved resource dependencies {found}")
    needed = {name: set(_named(resource)) & resources.keys() for name, resource in resources.items()}
    try:
        graphlib.TopologicalSorter(needed).prepare()
    except graphlib.CycleError as error:
        circle = ", ".join(sorted(set(error.args[1])))
        raise ValueError(f"Circular dependency between resources: [{circle}]") from error


def _named(content: Mapping[str, Any]) -> Iterator[str]:
    """What a resource or an output needs; a resource's ``Metadata`` and policies can't refer to anything."""
    from ministack.services.cloudformation import engine

    for key in ("Properties", "Value", "Export"):
        yield from (name.strip() for name, _ in engine._intrinsic_references(content.get(key)))
    needed = content.get("DependsOn") or []
    yield from [needed] if isinstance(needed, str) else map(str, needed)
