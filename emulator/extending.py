"""``AWS::LanguageExtensions``: loops written out and their functions resolved, as the transform on AWS does first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from emulator.errors import DeployError
from emulator.loops import EXTENSIONS, changed, is_loop
from emulator.shape import listed
from emulator.template import LOOP_CODE, Template, nested_template

# What is left to the emulator of what the transform allows: it needs to be told of the transform then.
_SHOWN = "`multistack config list` shows the values of parameters"
_LATE = ("Fn::ToJsonString", "Fn::Length")


def is_extended(template: Mapping[str, Any]) -> bool:
    """Whether the template asks for the transform."""
    return EXTENSIONS in listed(template.get("Transform"))


def defaults_of(template: Mapping[str, Any]) -> Mapping[str, Any]:
    """Parameter name to default, of those that have one."""
    declared = template.get("Parameters", {}).items()
    return {name: one["Default"] for name, one in declared if "Default" in one}


def written_out(template: Template, parameters: Mapping[str, str]) -> Template:
    """
    *template* without what only the transform knows; one that does not ask for it as it is.

    Args:
        parameters: Name to value; loops over a parameter go by it.

    Raises:
        DeployError: The transform refuses the template, or a loop comes to code that was not built.
    """
    if not is_extended(template):
        return template
    from ministack.services.cloudformation.language_extensions import LanguageExtensionsError, apply

    inner: dict[str, Template] = {}
    outer = {**template, "Resources": changed(template["Resources"], lambda _, one, __: _apart(one, inner))}
    given = {name: _as_given(value) for name, value in {**defaults_of(template), **parameters}.items()}
    try:
        result: Template = _plain_texts(apply(outer, given))
    except LanguageExtensionsError as error:
        said = f"{error}{_place_of(error, outer, given)}"
        raise DeployError(said + _emptiness(outer, given), hint=_SHOWN) from error
    _check_code(result, _emptiness(outer, given))
    if not result["Resources"]:
        raise DeployError("the loops of the template come to no resource, and CloudFormation wants one", hint=_SHOWN)
    resources = {name: _whole(one, inner) for name, one in result["Resources"].items()}
    others = [one for one in listed(result["Transform"]) if one != EXTENSIONS or any(_late(result))]
    mappings = {name: one for name, one in result.get("Mappings", {}).items() if name != LOOP_CODE}
    rest = {key: one for key, one in result.items() if key not in ("Transform", "Mappings")}
    transform = {"Transform": others} if others else {}
    return {**rest, **transform, **({"Mappings": mappings} if mappings else {}), "Resources": resources}


def _loops(template: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """The outermost loops of a template: section, key, loop."""
    for section in ("Conditions", "Resources", "Outputs"):
        yield from ((section, key, one) for key, one in (template.get(section) or {}).items() if is_loop(key))


def _place_of(error: Exception, template: Template, given: Mapping[str, str]) -> str:
    """The loop that the transform means, where it says only what is wrong with it."""
    from ministack.services.cloudformation.language_extensions import LanguageExtensionsError, apply

    rest = {key: one for key, one in template.items() if key not in ("Conditions", "Resources", "Outputs")}
    for section, key, loop in _loops(template):
        try:
            apply({**rest, "Resources": {}, section: {key: loop}}, given)
        except LanguageExtensionsError as alone:
            if str(alone) == str(error) and key not in str(error):
                return f" ({key})"
    return ""


def _emptiness(template: Template, given: Mapping[str, str]) -> str:
    """What is said of loops over parameters that have no value; empty without such a loop."""
    for _, key, (_, collection, _) in _loops(template):
        name = collection.get("Ref") if isinstance(collection, dict) else None
        if given.get(str(name)) == "":
            return (
                f"; {key} goes over {name}, which is empty: CloudFormation makes one turn of that, with an empty value"
            )
    return ""


def _apart(resource: Mapping[str, Any], inner: dict[str, Template]) -> Mapping[str, Any]:
    """A nested stack with a name in place of its template, in which other names and loops are known."""
    if (template := nested_template(resource)) is None:
        return resource
    name = f"{len(inner)}"
    inner[name] = template
    return {**resource, "Properties": {**resource["Properties"], "TemplateURL": {LOOP_CODE: name}}}


def _whole(resource: Mapping[str, Any], inner: Mapping[str, Template]) -> Mapping[str, Any]:
    url = resource.get("Properties", {}).get("TemplateURL")
    if not isinstance(url, dict) or url.keys() != {LOOP_CODE}:
        return resource
    return {**resource, "Properties": {**resource["Properties"], "TemplateURL": inner[url[LOOP_CODE]]}}


def _as_given(value: Any) -> str:
    """A parameter's value as CloudFormation takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(_as_given, value)) if isinstance(value, list) else str(value)


def _plain_texts(value: Any) -> Any:
    """A ``Fn::Sub`` in which nothing is left to put in as its text: SAM wants one for paths of events."""
    if isinstance(value, list):
        return [_plain_texts(item) for item in value]
    if not isinstance(value, dict):
        return value
    text = value.get("Fn::Sub") if len(value) == 1 else None
    if isinstance(text, str) and "${" not in text:
        return text
    return {key: _plain_texts(item) for key, item in value.items()}


def _check_code(template: Template, emptiness: str) -> None:
    """Every turn of a loop must have come to code: where parameters decide, to one for which there was a folder."""
    for logical_id, resource in template["Resources"].items():
        for argument in _found(resource, "Fn::FindInMap"):
            if isinstance(argument, list) and argument[0] == LOOP_CODE:
                built = ", ".join(template["Mappings"][LOOP_CODE])
                path = argument[1].get("Fn::Sub") if isinstance(argument[1], dict) else argument[1]
                raise DeployError(
                    f"the loop comes to {logical_id}, whose code {path} the artifact does not have{emptiness}",
                    hint=f"it has {built}: set the parameter to these, or add the folder and build",
                )


def _late(value: Any) -> Iterator[Any]:
    for name in _LATE:
        yield from _found(value, name)


def _found(value: Any, function: str) -> Iterator[Any]:
    """The arguments of each call of *function* in *value*."""
    if isinstance(value, list):
        for item in value:
            yield from _found(item, function)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == function:
                yield item
            yield from _found(item, function)
