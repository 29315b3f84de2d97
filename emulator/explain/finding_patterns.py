"""Finds single-stack patterns in a template. Pure functions of what a survey saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from emulator.explain.finding import (
    ALIASES,
    API,
    FROZEN,
    FUNCTION,
    LATEST,
    PUBLISH,
    QUEUE,
    ROLE,
    STACK,
    STAGE_NAME,
    TABLE,
    URI,
    VARIABLES,
    Finding,
    Path,
    Pattern,
)
from emulator.explain.stage_variables import uses, variables_of
from emulator.explain.survey import FUNCTIONS, Alias, Survey, properties_of
from emulator.references import names_in

# What holds an environment's data, and what carries its messages.
_STORES = (
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::S3::Bucket",
    "AWS::Serverless::SimpleTable",
)
_CARRIERS = ("AWS::Events::EventBus", "AWS::Kinesis::Stream", "AWS::SNS::Topic", "AWS::SQS::Queue")


def find(found: Survey) -> list[Finding]:
    """Every finding: the whole stack first, then by what is shared."""
    shared = _shared_functions(found)
    rules = (_stack, _apis, _uris, _variables, _aliases, _publish)
    return [
        *chain.from_iterable(rule(found) for rule in rules),
        *_functions(found, shared),
        *_roles(found, shared),
        *_data(found, shared),
        *_stage_names(found),
    ]


def _finding(pattern: Pattern, path: Path, message: str, risks: tuple[str, ...] | None = None) -> Finding:
    return Finding(pattern.name, path, message, pattern.change, pattern.risks if risks is None else risks)


def _stack(found: Survey) -> Iterator[Finding]:
    if len(names := found.environments) > 1:
        yield _finding(STACK, ("Resources",), f"one stack has {_list(names)}")


def _apis(found: Survey) -> Iterator[Finding]:
    for api, stages in found.shared_apis().items():
        names = _list(dict.fromkeys(stage.environment for stage in stages))
        yield _finding(API, ("Resources", stages[0].logical_id), f"{names} are stages of one API, {api}")


def _uris(found: Survey) -> Iterator[Finding]:
    used = uses(found.template)
    for variable in dict.fromkeys(use.variable for use in used):
        mine = [use for use in used if use.variable == variable]
        chosen = "which alias is called" if any(use.qualifies for use in mine) else "what is called"
        places = f"{len(mine)} URIs" if len(mine) > 1 else "a URI"
        risks = URI.risks if any(use.qualifies for use in mine) else ("X02",)
        yield _finding(URI, mine[0].path, f"the stage variable {variable} chooses {chosen}, in {places}", risks)


def _variables(found: Survey) -> Iterator[Finding]:
    qualifiers = {use.variable for use in uses(found.template) if use.qualifies}
    for api, stages in found.shared_apis().items():
        by_name: dict[str, list[Any]] = {}
        for stage in stages:
            for name, value in variables_of(found.template["Resources"][stage.logical_id]).items():
                by_name.setdefault(name, []).append(value)
        differing = [
            name for name, values in by_name.items() if name not in qualifiers and values != values[:1] * len(stages)
        ]
        if differing:
            path = ("Resources", stages[0].logical_id)
            yield _finding(VARIABLES, path, f"the stages of {api} carry config: {_list(differing)}")


def _aliases(found: Survey) -> Iterator[Finding]:
    for function, aliases in found.aliases_of().items():
        path: Path = ("Resources", aliases[0].logical_id)
        names = _list(dict.fromkeys(alias.environment for alias in aliases))
        verb = "are aliases" if len(aliases) > 1 else "is an alias"
        yield _finding(ALIASES, path, f"{names} {verb} of {function}")
        yield from _latest(found, aliases)
        if properties_of(found.template, function).get("Environment") and len(aliases) > 1:
            path = ("Resources", function, "Properties", "Environment")
            yield _finding(
                FROZEN, path, f"each version of {function} has its variables frozen in, whatever alias calls it"
            )


def _latest(found: Survey, aliases: list[Alias]) -> Iterator[Finding]:
    for alias in aliases:
        if properties_of(found.template, alias.logical_id).get("FunctionVersion") == "$LATEST":
            message = f"the alias {alias.environment} follows $LATEST, the code that is being worked on"
            yield _finding(LATEST, ("Resources", alias.logical_id), message)


def _publish(found: Survey) -> Iterator[Finding]:
    everywhere = found.template.get("Globals", {}).get("Function", {}).get("AutoPublishAlias")
    places: list[tuple[Path, Any]] = [(("Globals", "Function", "AutoPublishAlias"), everywhere)]
    for name, resource in found.template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            path: Path = ("Resources", name, "Properties", "AutoPublishAlias")
            places.append((path, resource.get("Properties", {}).get("AutoPublishAlias")))
    for path, value in places:
        if is_alias_of_environment(found, value):
            shown = value if isinstance(value, str) else next(names_in(value), "a parameter")
            yield _finding(PUBLISH, path, f"AutoPublishAlias is {shown}: the alias of any other environment is deleted")


def is_alias_of_environment(found: Survey, value: Any) -> bool:
    """Whether an ``AutoPublishAlias`` is an environment's name, or may be: it is a parameter then."""
    if isinstance(value, str):
        return found.words.environment(value) is not None
    return isinstance(value, dict) and bool(set(names_in(value)) & found.template.get("Parameters", {}).keys())


def _shared_functions(found: Survey) -> list[str]:
    """Functions that several environments call, in the template's order."""
    resources = found.template["Resources"]
    shared = {function for function, aliases in found.aliases_of().items() if len(aliases) > 1}
    named = {use.path[1] for use in uses(found.template) if use.qualifies}
    apis = found.shared_apis().keys()
    of_alias = {name: names_in(one) for name, one in resources.items() if one["Type"] == "AWS::Lambda::Alias"}
    for name, resource in resources.items():
        names = set(names_in(resource))
        if name in named or name in apis or names & apis:
            for alias in names & of_alias.keys():
                names |= set(names_in(resources[alias]))
            shared |= {name, *names}
    twins = [set(one.members.values()) for one in found.twins]
    for name, resource in resources.items():
        if any(len(one & set(names_in(resource))) > 1 for one in twins):
            shared.add(name)
    own = set().union(*twins)
    return [name for name, one in resources.items() if one["Type"] in FUNCTIONS and name in shared - own]


def _functions(found: Survey, shared: list[str]) -> Iterator[Finding]:
    for name in shared:
        reserved = "ReservedConcurrentExecutions" in properties_of(found.template, name)
        risks = tuple(one for one in FUNCTION.risks if one != ("X10" if reserved else "X08"))
        yield _finding(FUNCTION, ("Resources", name), f"{name} answers for several environments", risks)


def _roles(found: Survey, shared: list[str]) -> Iterator[Finding]:
    resources = found.template["Resources"]
    stores = {name for name, one in resources.items() if one["Type"] in _STORES}
    users: dict[str, list[str]] = {}
    for function in shared:
        for role in names_in(properties_of(found.template, function).get("Role")):
            users.setdefault(role, []).append(function)
    for role, functions in users.items():
        if role in resources:
            reached = [name for name in stores if name in set(names_in(resources[role]))]
            risks = ROLE.risks if reached else ("X11",)
            yield _finding(
                ROLE, ("Resources", role), f"{_list(functions)} has the role {role} in every environment", risks
            )


def _data(found: Survey, shared: list[str]) -> Iterator[Finding]:
    """Tables and queues that a shared function, or its role, names; not those that each environment has."""
    resources = found.template["Resources"]
    named: set[str] = set()
    for function in shared:
        named |= set(names_in(resources[function]))
        for role in names_in(properties_of(found.template, function).get("Role")):
            named |= set(names_in(resources.get(role, {})))
    own = {name for twins in found.twins for name in twins.members.values()}
    kinds: Mapping[Pattern, tuple[str, ...]] = {TABLE: _STORES, QUEUE: _CARRIERS}
    for pattern, types in kinds.items():
        for name, resource in resources.items():
            if resource["Type"] in types and name in named - own:
                yield _finding(pattern, ("Resources", name), f"every environment works with {name}")


def _stage_names(found: Survey) -> Iterator[Finding]:
    shared = found.shared_apis()
    own = {name for twins in found.twins for name in twins.members.values()}
    for stage in found.stages:
        if stage.api not in shared and stage.logical_id not in own:
            message = f"the only stage of {stage.api} is called {stage.environment} in every stack"
            yield _finding(STAGE_NAME, ("Resources", stage.logical_id), message)


def _list(names: Any) -> str:
    return ", ".join(names)
