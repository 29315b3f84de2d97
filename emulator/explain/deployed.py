"""The template of a deployed stack as it stands: with the aliases and stages that people made or changed by hand."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator import cfn_yaml, stack
from emulator.endpoint import answering, client
from emulator.explain.source import Source
from emulator.inventory.account import Account
from emulator.inventory.hiding import Hiding, new_salt
from emulator.model import Endpoint
from emulator.shape import check_shape
from emulator.template import Template

_ALIAS = "AWS::Lambda::Alias"
_STAGE = "AWS::ApiGateway::Stage"


def read_deployed(endpoint: Endpoint, name: str) -> Source | None:
    """
    The stack *name*; None when the environment has no such stack.

    Raises:
        ConfigError: What the emulator has as its template is none.
        DeployError, NotReady: The emulator refused to answer, or did not.
    """
    if stack.describe(endpoint, name) is None:
        return None
    with answering(endpoint):
        body = client(endpoint, "cloudformation").get_template(StackName=name)["TemplateBody"]
        template = cfn_yaml.parse(body if isinstance(body, str) else json.dumps(body))
        check_shape(template, Path(name))
        physical = stack.resources(endpoint, name)
        account = Account(endpoint, Hiding(new_salt()), {})
        as_it_stands = copy.deepcopy(dict(template))
        _add_aliases(as_it_stands, account, physical)
        _add_stages(as_it_stands, account, physical)
    return Source(f"stack {name} in {endpoint.environment}", as_it_stands)


def _add_aliases(template: Template, account: Account, physical: Mapping[str, str]) -> None:
    for function in _of_type(template, "AWS::Lambda::Function", physical):
        own = {
            str(template["Resources"][name]["Properties"].get("Name")): name
            for name in _of_type(template, _ALIAS, physical)
            if _leads_to(template["Resources"][name]["Properties"].get("FunctionName"), function, physical)
        }
        for alias in account.aliases(physical[function]).values():
            weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights")
            made = {
                "Name": alias["Name"],
                "FunctionName": {"Ref": function},
                "FunctionVersion": alias["FunctionVersion"],
            }
            if weights:
                made["RoutingConfig"] = {"AdditionalVersionWeights": weights}
            if alias["Name"] not in own:
                _add(template, f"{alias['Name']}AliasOf{function}", _ALIAS, made)
            elif weights or alias["FunctionVersion"] == "$LATEST":
                template["Resources"][own[alias["Name"]]]["Properties"] |= made


def _add_stages(template: Template, account: Account, physical: Mapping[str, str]) -> None:
    logical = {value: {"Ref": name} for name, value in physical.items() if value}
    own = {physical[name]: name for name in _of_type(template, _STAGE, physical)}
    deployments = _of_type(template, "AWS::ApiGateway::Deployment", physical)
    for api in _of_type(template, "AWS::ApiGateway::RestApi", physical):
        for name, stage in account.stages(physical[api]).items():
            found = {key: logical.get(value, value) for key, value in (stage.get("variables") or {}).items()}
            variables = {"Variables": found} if found else {}
            if name in own:
                template["Resources"][own[name]]["Properties"] |= variables
                continue
            made = stage.get("deploymentId", "")
            # One made by hand is none of the template's, which has its own then.
            deployment = logical.get(made, {"Ref": deployments[0]} if deployments else made)
            properties = {"RestApiId": {"Ref": api}, "StageName": name, "DeploymentId": deployment, **variables}
            _add(template, f"{name}StageOf{api}", _STAGE, properties)


def _of_type(template: Template, kind: str, physical: Mapping[str, str]) -> list[str]:
    """Logical ids; a list, so that more may be added meanwhile."""
    return [name for name, one in template["Resources"].items() if one["Type"] == kind and physical.get(name)]


def _leads_to(value: Any, function: str, physical: Mapping[str, str]) -> bool:
    return function in str(value) or physical[function] in str(value)


def _add(template: Template, name: str, kind: str, properties: Mapping[str, Any]) -> None:
    plain = "".join(one for one in name if one.isascii() and one.isalnum())
    template["Resources"][plain[:1].upper() + plain[1:]] = {"Type": kind, "Properties": dict(properties)}
