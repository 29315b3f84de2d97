"""What stages are called, and carry, once each environment has an API of its own. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from emulator.explain.joined import Piece, pieces, text_of
from emulator.explain.stage_variables import variables_of
from emulator.explain.survey import STAGE_TYPES, Survey
from emulator.explain.unifying import ENVIRONMENT, Unifier
from emulator.references import names_in
from emulator.template import Template

# The first segment of a path, in a text that goes on from an API's id.
_PATH = re.compile(r"([^/]*/)([\w-]+)(?=/|$)")


def name_stages(found: Survey, template: Template, unifier: Unifier, renamed: Mapping[str, str]) -> None:
    """
    Call the one stage that is left like the environment, so that URLs, and code that asks for it, stay as they are.

    Args:
        found: In the template before.
        renamed: What resources are called by now, where that is something else.
    """
    stages = {stage.environment for stage in found.stages}
    merged = {name for twins in found.twins for name in twins.members.values()}
    shared = found.shared_apis().keys()
    apis = {renamed.get(one.api, one.api) for one in found.stages if one.logical_id in merged or one.api in shared}

    def is_stage(name: Any) -> bool:
        return isinstance(name, str) and name in stages

    def walk(node: Any) -> Any:
        parts = pieces(node)
        if parts is not None:
            named = list(_with_stage(parts, is_stage, apis))
            unifier.uses_environment |= named != parts
            return node if named == parts else text_of(named)
        if isinstance(node, list):
            return [walk(one) for one in node]
        if not isinstance(node, dict):
            return node
        made = {key: walk(value) for key, value in node.items()}
        for key in {"Stage", "StageName"} & made.keys():
            if is_stage(made[key]) and apis & set(names_in(node)):
                made[key] = {"Ref": ENVIRONMENT}
                unifier.uses_environment = True
        return made

    for section in ("Resources", "Outputs"):
        if section in template:
            template[section] = {name: walk(content) for name, content in template[section].items()}


def drop_second_stages(template: Template) -> None:
    """Leave one of the stages of an API that are called the same by now."""
    seen: set[str] = set()
    for name, resource in list(template["Resources"].items()):
        if resource["Type"] in ("AWS::ApiGateway::Stage", "AWS::ApiGatewayV2::Stage"):
            properties = resource.get("Properties", {})
            key = repr([properties.get("RestApiId", properties.get("ApiId")), properties.get("StageName")])
            if key in seen:
                del template["Resources"][name]
            seen.add(key)


def _with_stage(parts: list[Piece], is_stage: Callable[[Any], bool], apis: set[str]) -> Iterator[Piece]:
    """*parts* of a URL or an ARN, with the environment instead of the stage that follows the API."""
    follows = False
    for part in parts:
        match = _PATH.match(part) if follows and isinstance(part, str) else None
        if match and isinstance(part, str) and is_stage(match[2]):
            yield from (match[1], {"Ref": ENVIRONMENT}, part[match.end() :])
        else:
            yield part
        follows = follows and match is None if isinstance(part, str) else follows or bool(apis & set(names_in(part)))


def drop_variables(template: Template, names: set[str]) -> None:
    """Take variables that chose an alias out of all stages."""
    for resource in template["Resources"].values():
        if resource["Type"] in STAGE_TYPES and names & variables_of(resource).keys():
            key = STAGE_TYPES[resource["Type"]][1]
            properties = resource["Properties"]
            holder = properties[key] if key == "StageDescription" else properties
            name = "Variables" if key == "StageDescription" else key
            holder[name] = {variable: value for variable, value in holder[name].items() if variable not in names}
            if not holder[name]:
                del holder[name]
