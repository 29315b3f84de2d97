"""
Makes the multi-stack template out of a single-stack one. Pure functions.

What each environment has once becomes one; aliases that are environments go, and references to them lead to the
function; what differs becomes a parameter. What all share stays as it is: each stack has its own copy then.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.explain.code import take_code
from emulator.explain.filling import with_values
from emulator.explain.finding_patterns import is_alias_of_environment
from emulator.explain.merging import merge, merged_names
from emulator.explain.renaming import renamed
from emulator.explain.stage_names import drop_second_stages, drop_variables, name_stages
from emulator.explain.stage_variables import uses, values
from emulator.explain.survey import FUNCTIONS, Survey, Twins, survey
from emulator.explain.unifying import ENVIRONMENT, Unifier
from emulator.references import names_in
from emulator.template import Template

_PARAMETER = {"Type": "String", "Default": "local", "Description": "The environment; multistack passes its name"}
_LIVE = "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """
    A multi-stack template.

    Attributes:
        renamed: New name to the old one whose place it takes, by section.
        config: Environment to parameter to the value it has had.
        notes: What a person must look at.
    """

    template: Template
    renamed: Mapping[str, Mapping[str, str]]
    config: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...]


def fix(found: Survey, *, code: str | None = None) -> Fixed:
    """
    The same service as a stack for one environment.

    Args:
        code: A folder, relative to the template, that functions take their code from instead of a bucket.
    """
    template, orphans = _without_aliases(found)
    found = survey(template, found.words)
    names = merged_names(found)
    flat = {old: new for twins, new in names if twins.section != "Outputs" for old in twins.members.values()}
    template = renamed(template, flat)
    unifier = Unifier(taken={*template["Resources"], *template.get("Parameters", {}), *flat.values(), ENVIRONMENT})
    qualifiers = {use.variable for use in uses(found.template) if use.qualifies}
    variables = {
        name: unifier.one(renamed(dict(by_environment), flat), (name,))
        for name, by_environment in values(found).items()
        if name not in qualifiers
    }
    template["Resources"] = with_values(template["Resources"], variables, unifier, found.words)
    for twins, new in names:
        merge(template, twins, new, unifier)
    name_stages(found, template, unifier, flat)
    drop_variables(template, qualifiers)
    drop_second_stages(template)
    template = _without_repeats(renamed(template, _publish_live(found, template)))
    _drop_orphans(template, orphans)
    if code is not None:
        take_code(template, code)
    _declare(template, unifier)
    return Fixed(
        template=template,
        renamed=_renamed_by_section(names),
        config=unifier.config,
        notes=tuple(unifier.notes),
    )


def _without_aliases(found: Survey) -> tuple[Template, set[str]]:
    """The template without aliases that are environments, and the versions that only they named."""
    template = copy.deepcopy(found.template)
    versions: set[str] = set()
    gone: dict[str, str] = {}
    for alias in found.aliases:
        if template["Resources"].get(alias.function, {}).get("Type") in FUNCTIONS:
            versions |= set(names_in(template["Resources"].pop(alias.logical_id)))
            gone[alias.logical_id] = f"{alias.function}.Arn"
    return renamed(template, gone), versions


def _renamed_by_section(names: list[tuple[Twins, str]]) -> Mapping[str, Mapping[str, str]]:
    result: dict[str, dict[str, str]] = {}
    for twins, new in names:
        result.setdefault(twins.section, {})[new] = next(iter(twins.members.values()))
    return result


def _publish_live(found: Survey, template: Template) -> Mapping[str, str]:
    """Give SAM's functions the alias ``live``; returns what SAM calls their aliases now."""
    everywhere = template.get("Globals", {}).get("Function", {})
    names = {}
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            own = resource.get("Properties", {})
            before = own.get("AutoPublishAlias", everywhere.get("AutoPublishAlias"))
            if isinstance(before, str) and is_alias_of_environment(found, before):
                names[f"{logical_id}Alias{before}"] = f"{logical_id}Alias{_LIVE}"
            _set_live(found, own)
    _set_live(found, everywhere)
    return names


def _set_live(found: Survey, holder: dict[str, Any]) -> None:
    if is_alias_of_environment(found, holder.get("AutoPublishAlias")):
        holder["AutoPublishAlias"] = _LIVE


def _without_repeats(node: Any) -> Any:
    """*node* with each list's mappings once: what named a resource of every environment names one thing now."""
    if isinstance(node, dict):
        return {key: value if key.startswith("Fn::") else _without_repeats(value) for key, value in node.items()}
    if not isinstance(node, list):
        return node
    made: list[Any] = []
    for one in map(_without_repeats, node):
        if not isinstance(one, dict) or one not in made:
            made.append(one)
    return made


def _drop_orphans(template: Template, names: set[str]) -> None:
    """Remove versions that nothing names any more."""
    resources = template["Resources"]
    for name in names:
        others = {key: value for key, value in template.items() if key != "Resources"}
        rest = {key: value for key, value in resources.items() if key != name}
        if resources.get(name, {}).get("Type") == "AWS::Lambda::Version" and not _is_named(name, [others, rest]):
            del resources[name]


def _is_named(name: str, node: Any) -> bool:
    if name in names_in(node):
        return True
    needed = [one.get("DependsOn", []) for one in node[1].values()]
    return any(name == one or name in one for one in needed)


def _declare(template: Template, unifier: Unifier) -> None:
    parameters = dict(template.pop("Parameters", {})) | unifier.parameters
    if unifier.uses_environment:
        parameters.setdefault(ENVIRONMENT, dict(_PARAMETER))
    if parameters:
        rest = {key: template.pop(key) for key in list(template) if key in ("Mappings", "Conditions", "Globals")}
        resources = template.pop("Resources")
        later = {key: template.pop(key) for key in list(template) if key in ("Outputs",)}
        template |= {"Parameters": parameters, **rest, "Resources": resources, **later}
