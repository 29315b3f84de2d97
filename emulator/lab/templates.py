"""The lab's templates as somebody changes them: what SAM makes of ``AutoPublishAlias``, and an alias that changes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from emulator.lab.project import SINGLE_TEMPLATE, sample_folder
from emulator.template import SAM_TRANSFORM, Template, read_template

_ENVIRONMENTS = ("Test", "Staging", "Prod")
_BY_HAND = ("FirstVersion", *(f"{name}{kind}" for name in _ENVIRONMENTS for kind in ("Alias", "Permission")))


def without_aliases(template: Template) -> Template:
    """A single stack whose aliases, and what belongs to them, are no longer written by hand."""
    return {
        **template,
        "Resources": {name: one for name, one in template["Resources"].items() if name not in _BY_HAND},
    }


def with_auto_publish() -> Template:
    """``single-stack.yaml`` with a function of SAM's."""
    original = read_template(sample_folder() / SINGLE_TEMPLATE)
    template = copy.deepcopy(without_aliases(original))
    template["Transform"] = SAM_TRANSFORM
    template["Parameters"]["Stage"] = {"Type": "String"}
    function = template["Resources"]["Function"]
    function["Type"] = "AWS::Serverless::Function"
    code = function["Properties"].pop("Code")
    function["Properties"]["CodeUri"] = {"Bucket": code["S3Bucket"], "Key": code["S3Key"]}
    function["Properties"]["AutoPublishAlias"] = {"Ref": "Stage"}
    template["Resources"]["Function"] = _with_description(function, "published by SAM")
    permission = copy.deepcopy(original["Resources"]["ProdPermission"])
    permission["Properties"]["FunctionName"] = {"Ref": "Function.Alias"}
    template["Resources"]["AliasPermission"] = permission
    return template


def published(template: Template, alias: str) -> Template:
    """What SAM makes of a stack of one environment for ``AutoPublishAlias``."""
    function, version = {"Ref": "ApiFunction"}, {"Fn::GetAtt": ["ApiFunctionVersion", "Version"]}
    changed = _with_description(template["Resources"]["ApiFunction"], f"published as {alias}")
    added = {
        "ApiFunction": changed,
        "ApiFunctionVersion": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": function}},
        f"ApiFunctionAlias{alias}": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {"FunctionName": function, "FunctionVersion": version, "Name": alias},
        },
    }
    return {**template, "Resources": {**template["Resources"], **added}}


def unpublished(template: Template) -> Template:
    """The same without ``AutoPublishAlias``."""
    kept = {
        name: one
        for name, one in template["Resources"].items()
        if not name.startswith(("ApiFunctionVersion", "ApiFunctionAlias"))
    }
    return {**template, "Resources": {**kept, "ApiFunction": _with_description(kept["ApiFunction"], "")}}


def described(template: Template, alias: str) -> Template:
    """The same with a changed alias."""
    changed = _with_description(template["Resources"][alias], "release 2")
    return {**template, "Resources": {**template["Resources"], alias: changed}}


def _with_description(resource: Mapping[str, Any], text: str) -> dict[str, Any]:
    """A resource that has something new: a version of nothing new fails the update."""
    return {**resource, "Properties": {**resource["Properties"], "Description": text}}
