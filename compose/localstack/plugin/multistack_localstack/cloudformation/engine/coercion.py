"""
Values as a resource type's schema wants them: a template may write the number 3 as text, and a text as a number.

Source:
    https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multistack_localstack.cloudformation.engine.values import text_of

Schema = Mapping[str, Any]


def coerced(value: Any, schema: Schema, *, root: Schema | None = None) -> Any:
    """
    *value* with the scalars in it turned into the types that *schema* names.

    What the schema doesn't describe, or what can't be turned, stays as it is: the service says what is wrong with it.
    """
    root = schema if root is None else root
    schema = _target(schema, root)
    if isinstance(value, Mapping):
        known = schema.get("properties", {})
        others = next(iter((schema.get("patternProperties") or {}).values()), schema.get("additionalProperties"))
        rest = others if isinstance(others, Mapping) else {}
        return {key: coerced(part, known.get(key, rest), root=root) for key, part in value.items()}
    if isinstance(value, list):
        entries = schema.get("items", {})
        return [coerced(part, entries if isinstance(entries, Mapping) else {}, root=root) for part in value]
    return _scalar(value, schema.get("type"))


def _target(schema: Schema, root: Schema) -> Schema:
    while isinstance(reference := schema.get("$ref"), str):
        found: Any = root
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part, {})
        schema = found
    return schema


def _scalar(value: Any, kind: Any) -> Any:
    if kind == "string" and isinstance(value, (bool, int, float)):
        return text_of(value)
    if kind == "boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if kind in ("integer", "number") and isinstance(value, str):
        return _number(value)
    return value


def _number(value: str) -> Any:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
