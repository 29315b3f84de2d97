"""CloudFormation's YAML and JSON: short tags such as ``!Ref`` become mappings; no key stands twice in one mapping."""

from __future__ import annotations

import datetime
import json
from typing import Any


def parse(text: str) -> Any:
    """
    Mappings, lists and plain values; dates become text, as they do when AWS's own tools send a template.

    JSON is read as such: YAML allows no tab where JSON does.

    Raises:
        ValueError: It is neither; the message is one line, which says where in YAML.
    """
    try:
        return json.loads(
            text.removeprefix("\ufeff"), object_pairs_hook=without_duplicates, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError:
        return _parse_yaml(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """
    A mapping of JSON, for ``object_pairs_hook``.

    Raises:
        ValueError: A key stands twice in it.
    """
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"{key} stands twice")
        result[key] = value
    return result


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} has no place in a template")


def _parse_yaml(text: str) -> Any:
    import yaml
    from samtranslator.yaml_helper import intrinsics_multi_constructor

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is seven times as fast, if it is there

    class Loader(base):  # type: ignore[misc]
        """Refuses what PyYAML would drop in silence."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{key.value} stands twice", key.start_mark)
                seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
            return dict(super().construct_mapping(node, deep))

    Loader.add_multi_constructor("!", intrinsics_multi_constructor)
    try:
        return json.loads(json.dumps(yaml.load(text, Loader), default=as_text))  # noqa: S506 (a SafeLoader)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise ValueError(_one_line(error)) from error


def as_text(value: object) -> str:
    """
    What JSON knows not, as a template means it.

    Raises:
        TypeError: It has no place in a template.
    """
    if isinstance(value, datetime.date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a template")


def _one_line(error: Exception) -> str:
    """PyYAML spreads one problem over several lines; its mark says where."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})" if mark else str(problem)
