"""
What a canary is in a plain template: an alias of two versions, each a resource of the stack. Pure functions.

Both versions and their shares stand in the template, so what CloudFormation knows and what serves are the same, and
drift detection finds nothing. The version before is carried over from the template that is deployed.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from emulator.errors import ConfigError
from emulator.template import Template

ALIAS = "live"
_ADD = (
    "add `AutoPublishAlias: live` and `AutoPublishCodeSha256: !Ref MultistackRelease` to the functions behind the API,"
    " then deploy once without --canary"
)


def versions_of(template: Template) -> Mapping[str, str]:
    """Logical id of each alias ``live`` to that of the version which it names first."""
    found = {}
    for logical_id, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Lambda::Alias" and properties.get("Name") == ALIAS:
            version = properties.get("FunctionVersion")
            named = version.get("Fn::GetAtt") if isinstance(version, dict) else None
            parts = named.split(".") if isinstance(named, str) else named
            if parts and parts[-1] == "Version" and parts[0] in template["Resources"]:
                found[logical_id] = str(parts[0])
    return found


def function_of(template: Template, alias: str) -> str:
    """Logical id of the function that *alias* is of; empty when it is none of the template's."""
    name = template["Resources"][alias]["Properties"].get("FunctionName")
    return str(name.get("Ref", "")) if isinstance(name, dict) else ""


def unaliased(template: Template) -> list[str]:
    """The functions of *template* without an alias ``live``: they have one version at a time only."""
    aliased = {function_of(template, alias) for alias in versions_of(template)}
    functions = [name for name, one in template["Resources"].items() if one["Type"] == "AWS::Lambda::Function"]
    return [name for name in functions if name not in aliased]


def beside(new: Template, deployed: Template, *, weight: float, shown: str) -> Template:
    """
    *new* as a canary beside *deployed*: its versions get *weight* of the calls, those deployed the rest.

    Args:
        weight: From 0 to 1.
        shown: How messages name the template.

    Raises:
        ConfigError: One of them has no alias ``live``, or the release would publish no version.
    """
    wanted, there = versions_of(new), versions_of(deployed)
    if not wanted:
        raise ConfigError(f"{shown} has no function with an alias {ALIAS}, so no share of the calls", hint=_ADD)
    missing = [alias for alias in wanted if alias not in there]
    if missing:
        function = function_of(new, missing[0])
        raise ConfigError(
            f"what is deployed has no alias {ALIAS} of {function}, so nothing to share calls with",
            hint="deploy once without --canary",
        )
    changed = {alias: version for alias, version in wanted.items() if there[alias] != version}
    if not changed:
        raise ConfigError(
            f"the release would publish no version of {', '.join(function_of(new, alias) for alias in wanted)}",
            hint="`AutoPublishCodeSha256: !Ref MultistackRelease` makes each release one; or nothing has changed",
        )
    result = copy.deepcopy(dict(new))
    resources: dict[str, Any] = result["Resources"]
    for alias, version in changed.items():
        before = there[alias]
        resources[before] = copy.deepcopy(deployed["Resources"][before])
        share = {"FunctionVersion": _number_of(version), "FunctionWeight": weight}
        resources[alias]["Properties"] |= {
            "FunctionVersion": _number_of(before),
            "RoutingConfig": {"AdditionalVersionWeights": [share]},
        }
    return result


def _number_of(version: str) -> Mapping[str, list[str]]:
    return {"Fn::GetAtt": [version, "Version"]}
