"""CloudFormation and SAM templates: read, check, find local code, expand SAM."""

from __future__ import annotations

import copy
import json
import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard, cast

from emulator.cfn_yaml import as_text, parse
from emulator.errors import ConfigError, DeployError
from emulator.loops import Loop, inserted, members, text_of, turns
from emulator.shape import check_shape

SAM_TRANSFORM = "AWS::Serverless-2016-10-31"

# Which property of which type names a local path that becomes a zip. Source: the artifact list of
# `aws cloudformation package` and the SAM resource reference.
CODE_PROPERTIES = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Lambda::Function": "Code",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Lambda::LayerVersion": "Content",
}
# Which property of which type names a local definition file, and where its content goes instead.
DEFINITION_PROPERTIES = {
    "AWS::Serverless::Api": ("DefinitionUri", "DefinitionBody"),
    "AWS::Serverless::HttpApi": ("DefinitionUri", "DefinitionBody"),
    "AWS::Serverless::StateMachine": ("DefinitionUri", "Definition"),
}
STACK = "AWS::CloudFormation::Stack"
# Which property of which type names the template of a nested stack.
NESTED = {STACK: "TemplateURL", "AWS::Serverless::Application": "Location"}
# Which section of Globals a type takes what it does not say itself from.
GLOBALS_SECTION = {"AWS::Serverless::Function": "Function", "AWS::Serverless::LayerVersion": "LayerVersion"}

# Bytes, whatever they are. Source: AWS CloudFormation quotas, "Template body size in an S3 object".
_LARGEST = 1_000_000
# The mapping that leads from the paths of code in loops to the keys of its archives, until the loops are written out.
LOOP_CODE = "MultistackCode"

Template = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCode:
    """
    A folder or file of the service that a resource runs.

    Attributes:
        logical_id: In a loop, with the values that lead to this code in it.
        path: Absolute.
        runtime: The function's ``Runtime``, or None for a layer.
        handler: The function's ``Handler``, or None for a layer.
        build_method: What its ``Metadata`` asks ``sam build`` for.
        build_properties: How.
        placed: The logical id as it is written.
        turn: The path with the values of this turn of a loop; empty where all turns have one code.
        has_layers: Whether the function has layers, in which more of its code may be.
        is_guess: Whether it is only like what a loop may come to, because parameters decide on that.
    """

    logical_id: str
    type: str
    path: Path
    runtime: str | None
    handler: str | None
    build_method: str | None = None
    build_properties: Mapping[str, Any] = field(default_factory=dict)
    placed: str = ""
    turn: str = ""
    has_layers: bool = False
    is_guess: bool = False


def read_template(path: Path) -> Template:
    """
    Parse a YAML or JSON template with CloudFormation's short tags.

    Raises:
        ConfigError: Missing, unreadable, too large, not YAML, or badly formed.
    """
    parsed = parse_template(path)
    check_shape(parsed, path)
    return dict(parsed)


def parse_template(path: Path) -> Any:
    """The same, whatever its shape; raises ConfigError."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigError(
                f"template {path} has {path.stat().st_size} bytes: Template may not exceed {_LARGEST} bytes in size",
                hint="split it into nested stacks",
            )
        return parse(path.read_bytes().decode())
    except FileNotFoundError as error:
        raise ConfigError(f"template {path} does not exist", hint="set `template` in multistack.toml") from error
    except OSError as error:
        raise ConfigError(f"template {path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"template {path} is not UTF-8 text (byte {error.start})") from error
    except ValueError as error:
        raise ConfigError(f"template {path} is not YAML: {error}") from error


def is_sam(template: Mapping[str, Any]) -> bool:
    """Whether the template asks for the SAM transform."""
    return SAM_TRANSFORM in _transforms(template)


def _transforms(template: Mapping[str, Any]) -> list[Any]:
    transform = template.get("Transform", [])
    return transform if isinstance(transform, list) else [transform]


def local_code(template: Mapping[str, Any], folder: Path) -> Iterator[LocalCode]:
    """Every local path of the template that becomes a zip, in the template's order; *folder* is the template's."""
    for placed in all_resources(template):
        resource = placed.resource
        name = CODE_PROPERTIES.get(resource["Type"])
        value = text_of(placed.effective(name), placed.loops) if name else None
        if not is_local(value):
            continue
        found = list(turns(value, placed.loops, folder))
        if not found:
            raise ConfigError(f"the code of {placed.logical_id} is missing: nothing in {folder} is like {value}")
        for values in found:
            path, handler = inserted(value, values), text_of(placed.effective("Handler"), placed.loops)
            yield LocalCode(
                logical_id=inserted(placed.logical_id, values),
                type=resource["Type"],
                path=Path(os.path.realpath(folder / path)),  # resolve() fails in a loop of links
                runtime=placed.effective("Runtime"),
                handler=inserted(handler, values) if isinstance(handler, str) else handler,
                build_method=resource.get("Metadata", {}).get("BuildMethod"),
                build_properties=resource.get("Metadata", {}).get("BuildProperties", {}),
                placed=placed.logical_id,
                turn=path if values else "",
                has_layers=bool(placed.effective("Layers")),
                is_guess=any(loop.items is None and loop.identifier in values for loop in placed.loops),
            )


def nested_template(resource: Mapping[str, Any]) -> Template | None:
    """The template of a nested stack that was read with its parent's; None for anything else."""
    template = resource.get("Properties", {}).get("TemplateURL") if resource["Type"] == STACK else None
    return template if isinstance(template, dict) and "Resources" in template else None


@dataclass(frozen=True, slots=True)
class Placed:
    """
    A resource, perhaps in a nested stack.

    Attributes:
        prefix: The logical ids of the stacks that it is in.
        owner: The template it stands in.
        loops: Those that it is in; its name names their identifiers.
    """

    prefix: str
    name: str
    resource: dict[str, Any]
    owner: Mapping[str, Any]
    loops: tuple[Loop, ...] = ()

    @property
    def logical_id(self) -> str:
        """What it is called in the service's stack."""
        return f"{self.prefix}{self.name}"

    def effective(self, name: str) -> Any:
        """A property as SAM sees it: the resource's own, else the one in Globals."""
        own = self.resource.get("Properties", {}).get(name)
        section = GLOBALS_SECTION.get(self.resource["Type"])
        if own is not None or section is None:
            return own
        return self.owner.get("Globals", {}).get(section, {}).get(name)


def all_resources(template: Mapping[str, Any], prefix: str = "") -> Iterator[Placed]:
    """Every resource with those of nested stacks and those in loops, once each."""
    for name, resource, loops in members(template["Resources"]):
        yield Placed(prefix, name, resource, template, loops)
        if (nested := nested_template(resource)) is not None:
            yield from all_resources(nested, f"{prefix}{name}")


def is_local(value: object) -> TypeGuard[str]:
    """Whether it names something beside the template, and is no URL or intrinsic function."""
    return isinstance(value, str) and "://" not in value


def point_at_code(
    template: Template, keys: Mapping[str, str], *, bucket: Any, sources: Iterable[LocalCode] = ()
) -> Template:
    """
    A copy in which each logical id of *keys* takes its code from that key of *bucket*, a name or an intrinsic.

    Args:
        sources: What the keys are of; those in loops need it.
    """
    result = copy.deepcopy(template)
    placed = {one.logical_id: one for one in all_resources(result)}
    in_loops = {one.logical_id: one for one in sources if one.turn}
    for logical_id, key in keys.items():
        source = in_loops.get(logical_id)
        found = placed[source.placed if source else logical_id]
        properties, name = found.resource.setdefault("Properties", {}), CODE_PROPERTIES[found.resource["Type"]]
        names = ("Bucket", "Key") if found.resource["Type"].startswith("AWS::Serverless::") else ("S3Bucket", "S3Key")
        where: Any = key
        if source:
            cast(Template, found.owner).setdefault("Mappings", {}).setdefault(LOOP_CODE, {})[source.turn] = {"Key": key}
            path = text_of(found.effective(name), found.loops)
            if not isinstance(path, str):  # of another turn of the same loop
                continue
            where = {"Fn::FindInMap": [LOOP_CODE, {"Fn::Sub": path}, "Key"]}
        properties[name] = {names[0]: bucket, names[1]: where}
    for owner in [result, *(one.owner for one in placed.values())]:
        for section in owner.get("Globals", {}).values():
            for name in ("CodeUri", "ContentUri"):
                if is_local(section.get(name)):  # every function or layer that had it has a key of its own now
                    del section[name]
    return result


def inline_definitions(template: Template, folder: Path) -> Template:
    """A copy in which API and state machine definitions of local files stand in the template itself."""
    result = copy.deepcopy(template)
    for placed in all_resources(result):
        logical_id, resource = placed.logical_id, placed.resource
        uri, body = DEFINITION_PROPERTIES.get(resource["Type"], (None, None))
        properties = resource.get("Properties", {})
        value = text_of(properties.get(uri), placed.loops)
        if is_local(value):
            if any(turns(value, placed.loops, folder)):
                raise ConfigError(
                    f"{uri} of {logical_id} leads to another file in each turn of its loop, which is not supported",
                    hint="write its copies out",
                )
            properties[body] = _read_definition(folder / value, logical_id)
            del properties[uri]
    return result


def _read_definition(path: Path, logical_id: str) -> Any:
    try:
        return parse(path.read_bytes().decode())
    except OSError as error:
        raise ConfigError(f"definition {path} of {logical_id} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"definition {path} of {logical_id} is not YAML: {error}") from error


_LOADING = threading.Lock()


def load_translator() -> None:
    """
    Load SAM's translator.

    One thread at a time: its modules import each other, and two threads that come in by different ones would end in a
    deadlock.
    """
    with _LOADING:
        import samtranslator.internal.managed_policies
        import samtranslator.parser.parser
        import samtranslator.plugins.api.implicit_http_api_plugin  # it loads these two itself, but late
        import samtranslator.plugins.api.implicit_rest_api_plugin
        import samtranslator.translator.translator  # noqa: F401


def expand_sam(template: Template, parameters: Mapping[str, str], *, region: str) -> Template:
    """
    Plain CloudFormation for a SAM template, as the transform on AWS would make it.

    It is done here and not by the emulator, which would keep 60 MB of translator resident in every environment.

    Args:
        parameters: Parameter name to value; SAM resolves references to them in its own resources.

    Raises:
        DeployError: The translator refuses the template; details are its reasons.
    """
    import boto3

    load_translator()
    from samtranslator.internal.managed_policies import get_bundled_managed_policy_map
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    # It logs feature toggles and metrics of AWS's own service, which mean nothing here.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    session = boto3.session.Session(region_name=region)
    translator = Translator(get_bundled_managed_policy_map("aws"), Parser(), boto_session=session)
    try:
        expanded = translator.translate(copy.deepcopy(template), dict(parameters))
    except InvalidDocumentException as error:
        reasons = [cause.message for cause in error.causes]
        raise DeployError(f"SAM refuses the template: {reasons[0]}", details=reasons[1:]) from error
    others = [transform for transform in _transforms(template) if transform != SAM_TRANSFORM]
    if others:
        expanded["Transform"] = others
    return dict(json.loads(json.dumps(expanded, default=as_text)))
