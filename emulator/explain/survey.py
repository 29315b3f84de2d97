"""What of a template belongs to which environment, and what all of them share. Pure functions."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.explain.words import Words
from emulator.references import names_in
from emulator.template import Template

ALIAS = "AWS::Lambda::Alias"
FUNCTIONS = ("AWS::Lambda::Function", "AWS::Serverless::Function")
# Which property of which type names a stage, which one its API, and which one its variables.
STAGE_TYPES: Mapping[str, tuple[str, str]] = {
    "AWS::ApiGateway::Stage": ("RestApiId", "Variables"),
    "AWS::ApiGateway::Deployment": ("RestApiId", "StageDescription"),
    "AWS::ApiGatewayV2::Stage": ("ApiId", "StageVariables"),
    "AWS::Serverless::Api": ("", "Variables"),
    "AWS::Serverless::HttpApi": ("", "StageVariables"),
}


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage that is called like an environment; *api* is the logical id of its API, or the API's id."""

    logical_id: str
    api: str
    environment: str


@dataclass(frozen=True, slots=True)
class Alias:
    """A function's alias that is called like an environment."""

    logical_id: str
    function: str
    environment: str


@dataclass(frozen=True, slots=True)
class Twins:
    """
    What one section of the template has once per environment.

    Attributes:
        base: What their names have in common; empty when it is nothing.
        members: Environment to name, in the template's order; two or more.
    """

    section: str
    type: str
    base: str
    members: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """
    A template as somebody sees it who looks for environments.

    Attributes:
        twins: Without aliases, which no environment needs.
    """

    template: Template
    words: Words
    stages: tuple[Stage, ...]
    aliases: tuple[Alias, ...]
    twins: tuple[Twins, ...]

    @property
    def environments(self) -> list[str]:
        """Those that live in this one stack, in the template's order."""
        apis = self.shared_apis()
        found = [alias.environment for alias in self.aliases]
        found += [stage.environment for stage in self.stages if stage.api in apis]
        found += [name for twins in self.twins if twins.section == "Resources" for name in twins.members]
        return list(dict.fromkeys(found))

    def shared_apis(self) -> Mapping[str, list[Stage]]:
        """APIs with stages of several environments."""
        found: dict[str, list[Stage]] = defaultdict(list)
        for stage in self.stages:
            found[stage.api].append(stage)
        return {api: stages for api, stages in found.items() if len({one.environment for one in stages}) > 1}

    def aliases_of(self) -> Mapping[str, list[Alias]]:
        """Functions with aliases that are called like environments."""
        found: dict[str, list[Alias]] = defaultdict(list)
        for alias in self.aliases:
            found[alias.function].append(alias)
        return found


def properties_of(template: Template, logical_id: str) -> Mapping[str, Any]:
    """A resource's properties; none when there is no such resource."""
    return dict(template["Resources"].get(logical_id, {}).get("Properties", {}))


def survey(template: Template, words: Words) -> Survey:
    """Look at *template* as it was read by :func:`emulator.template.read_template`."""
    stages = tuple(_stages(template, words))
    aliases = tuple(_aliases(template, words))
    twins = _twins(template, words, stages, {alias.logical_id for alias in aliases})
    return Survey(template=template, words=words, stages=stages, aliases=aliases, twins=tuple(twins))


def owner(value: Any) -> str:
    """The logical id that *value* leads to first, or else its text."""
    return next(names_in(value), value if isinstance(value, str) else json.dumps(value, sort_keys=True))


def _stages(template: Template, words: Words) -> Iterator[Stage]:
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] in STAGE_TYPES:
            properties = resource.get("Properties", {})
            name = words.environment(properties.get("StageName"))
            api = STAGE_TYPES[resource["Type"]][0]
            if name:
                yield Stage(logical_id, owner(properties.get(api)) if api else logical_id, name)


def _aliases(template: Template, words: Words) -> Iterator[Alias]:
    for logical_id, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        name = words.environment(properties.get("Name")) if resource["Type"] == ALIAS else None
        if name:
            yield Alias(logical_id, owner(properties.get("FunctionName")), name)


def _twins(template: Template, words: Words, stages: tuple[Stage, ...], aliases: set[str]) -> Iterator[Twins]:
    of_stage = {stage.logical_id: stage for stage in stages}
    found: dict[tuple[str, str, str], dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for section in ("Resources", "Parameters", "Outputs"):
        for name, content in template.get(section, {}).items():
            if section == "Resources" and name in aliases:
                continue
            split = words.split(name)
            kind = str(content.get("Type", ""))
            stage = of_stage.get(name) if section == "Resources" else None
            if stage and stage.api != name:
                api = words.split(stage.api)
                key = (section, kind, f"of {api[1] if api else stage.api}")
                found[key][split[1] if split else ""].setdefault(stage.environment, name)
            elif split:
                found[(section, kind, split[1])][split[1]].setdefault(split[0], name)
    for (section, kind, _), by_base in found.items():
        members = {environment: name for one in by_base.values() for environment, name in one.items()}
        if len(members) > 1:
            yield Twins(section, kind, next(iter(by_base)), members)
