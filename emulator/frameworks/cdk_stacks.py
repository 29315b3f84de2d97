"""The stacks of a CDK app: which of them a stage has, and all of these as one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from emulator.errors import ConfigError
from emulator.flattening import flatten
from emulator.frameworks.cdk_assembly import AppStack
from emulator.frameworks.stages import STAGE
from emulator.template import STACK, Template

_IMPORT = "Fn::ImportValue"
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_IMPORT = "Fn::ImportValue"


def stacks_of(stacks: Sequence[AppStack], stage: str, stages: Iterable[str]) -> list[AppStack]:
    """
    Those that are meant for *stage*: named after it, with what they need; else those that name no stage.

    Raises:
        ConfigError: All are named after other stages.
    """
    chosen = [one for one in stacks if _names(one.name, stage)]
    chosen = chosen or [one for one in stacks if not any(_names(one.name, other) for other in stages)]
    if not chosen:
        names = ", ".join(one.name for one in stacks) or "none"
        raise ConfigError(
            f"the app has no stack for stage {stage}: {names}", hint=f"set {STAGE} under [environments.NAME.config]"
        )
    needed, known = {one.id for one in chosen}, {one.id: one for one in stacks}
    waiting = list(needed)
    while waiting:
        more = [name for name in known[waiting.pop()].needs if name in known and name not in needed]
        needed.update(more)
        waiting += more
    return [one for one in stacks if one.id in needed]


def _names(name: str, stage: str) -> bool:
    words, wanted = (tuple(word.lower() for word in _WORDS.findall(text)) for text in (name, stage))
    return any(words[start : start + len(wanted)] == wanted for start in range(len(words)))


def together(stacks: Sequence[AppStack]) -> Template:
    """
    One template of *stacks*; logical ids begin with the stack's, and what one imports of another is a reference.

    Raises:
        DeployError: A name would stand twice.
    """
    if len(stacks) == 1:
        return stacks[0].template
    ids = {one.id: re.sub(r"[^A-Za-z0-9]", "", one.id) for one in stacks}
    exports = dict(_exports(stacks, ids))
    outer: Template = {"Parameters": {}, "Resources": {}, "Outputs": {}}
    nested = {}
    for stack in stacks:
        name, template = ids[stack.id], dict(stack.template)
        given: dict[str, Any] = {}
        for parameter, declared in template.get("Parameters", {}).items():
            outer["Parameters"][f"{name}{parameter}"] = declared
            given[parameter] = {"Ref": f"{name}{parameter}"}
        imported = {
            one: f"Import{number}" for number, one in enumerate(dict.fromkeys(_imports(template))) if one in exports
        }
        template = _with_references(template, imported)
        template["Parameters"] = {
            **template.get("Parameters", {}), **{one: {"Type": "String"} for one in imported.values()}
        }  # fmt: skip
        given |= {parameter: {"Fn::GetAtt": exports[one]} for one, parameter in imported.items()}
        outer["Resources"][name] = {"Type": STACK, "Properties": {"Parameters": given}}
        for output, content in template.get("Outputs", {}).items():
            if "Export" not in content:
                outer["Outputs"][f"{name}{output}"] = {"Value": {"Fn::GetAtt": [name, f"Outputs.{output}"]}}
        nested[name] = template
    return flatten(outer, nested)


def _exports(stacks: Iterable[AppStack], ids: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Name of an export to the output that it is of."""
    for stack in stacks:
        for output, content in stack.template.get("Outputs", {}).items():
            name = content.get("Export", {}).get("Name")
            if isinstance(name, str):
                yield name, [ids[stack.id], f"Outputs.{output}"]


def _imports(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _imports(item)
    elif isinstance(value, dict):
        if isinstance(name := value.get(_IMPORT), str):
            yield name
        for item in value.values():
            yield from _imports(item)


def _with_references(value: Any, imported: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_with_references(item, imported) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and (parameter := imported.get(str(value.get(_IMPORT)))):
        return {"Ref": parameter}
    return {key: _with_references(item, imported) for key, item in value.items()}
