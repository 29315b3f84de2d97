"""A template with all that it names beside it: ``AWS::Include`` snippets and the templates of nested stacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.cfn_yaml import parse
from emulator.errors import ConfigError
from emulator.loops import EXTENSIONS, Loop, changed, text_of
from emulator.shape import check_shape
from emulator.template import (
    CODE_PROPERTIES,
    DEFINITION_PROPERTIES,
    GLOBALS_SECTION,
    NESTED,
    SAM_TRANSFORM,
    STACK,
    Template,
    is_local,
    parse_template,
)

_INCLUDE = "AWS::Include"
_MACRO = "Fn::Transform"
_TRANSFORMS = (SAM_TRANSFORM, _INCLUDE, EXTENSIONS)


def read_whole(path: Path) -> Template:
    """
    The template at *path*, with its local snippets in their places and the templates of its nested stacks in theirs.

    Local paths of a nested template become absolute: it may lie in another folder.

    Raises:
        ConfigError: A file is missing, broken, or includes itself.
    """
    return _Reader(above=()).read(path)


def files_of_template(path: Path) -> list[Path]:
    """*path* and every file that :func:`read_whole` reads with it, each once; raises ConfigError."""
    seen: dict[Path, None] = {}
    _Reader(above=(), seen=seen).read(path)
    return list(seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """
    Reads one file.

    Attributes:
        above: The files that led to it, outermost first: none may come again.
        seen: Where every file that is read is noted.
    """

    above: tuple[Path, ...]
    seen: dict[Path, None] | None = None

    def read(self, path: Path) -> Template:
        """A template."""
        inner = self._entered(path)
        template = inner.included(_with_listed(parse_template(path)), path)
        check_shape(template, path, loops=True)
        _refuse_macros(template, path)
        resources = changed(template["Resources"], lambda name, one, _: inner._nested(name, one, path.parent))
        return {**template, "Resources": resources}

    def _entered(self, path: Path) -> _Reader:
        real = path.resolve()
        if real in self.above:
            names = " -> ".join(one.name for one in (*self.above[self.above.index(real) :], real))
            raise ConfigError(f"templates include each other in a circle: {names}", hint="take one of these out")
        if self.seen is not None:
            self.seen.setdefault(path)
        return _Reader(above=(*self.above, real), seen=self.seen)

    def _nested(self, logical_id: str, resource: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
        """A nested stack with its template in place of the name of it; anything else as it is."""
        name = NESTED.get(resource["Type"])
        properties = resource.get("Properties", {})
        value = properties.get(name) if name else None
        others = {key: one for key, one in properties.items() if key != name}
        if isinstance(value, dict) and resource["Type"] != STACK:  # SAM would ask AWS for that application
            return {**resource, "Type": STACK, "Properties": {**others, "TemplateURL": value}}
        if not is_local(value):
            return resource
        if not isinstance(properties.get("Parameters", {}), dict):
            raise ConfigError(f"Parameters of the nested stack {logical_id} is not a mapping")
        path = folder / value
        if not path.is_file():
            raise ConfigError(f"the template of {logical_id} is missing: {path} does not exist")
        template = with_absolute_paths(self.read(path), path.parent.resolve())
        return {**resource, "Type": STACK, "Properties": {**others, "TemplateURL": template}}

    def included(self, value: Any, path: Path) -> Any:
        """*value* with each ``AWS::Include`` replaced by what it names; what stands beside it wins."""
        if isinstance(value, list):
            return [self.included(item, path) for item in value]
        if not isinstance(value, dict):
            return value
        found = {key: self.included(item, path) for key, item in value.items() if key != _MACRO}
        calls = value.get(_MACRO)
        if calls is None:
            return found
        others = []
        for call in calls if isinstance(calls, list) else [calls]:
            location = _location(call)
            if not is_local(location):  # a macro, or what the emulator finds in a bucket
                others.append(call)
                continue
            snippet = self._snippet(location, path)
            if not isinstance(snippet, dict):
                if found or len(value) > 1:
                    raise ConfigError(f"{path}: an included file that is no mapping must stand alone")
                return snippet
            found = {**snippet, **found}
        return {**found, _MACRO: others[0] if len(others) == 1 else others} if others else found

    def _snippet(self, location: str, path: Path) -> Any:
        snippet = path.parent / location
        inner = self._entered(snippet)
        try:
            return inner.included(parse(snippet.read_bytes().decode()), snippet)
        except OSError as error:
            raise ConfigError(f"{path}: AWS::Include of {location} can't be read: {error.strerror}") from error
        except ValueError as error:
            raise ConfigError(f"{path}: AWS::Include of {location} is not YAML: {error}") from error


def _refuse_macros(template: Template, path: Path) -> None:
    """A macro is a function in somebody's AWS account, and other transforms are AWS's own."""
    listed = template.get("Transform", [])
    called = [*(listed if isinstance(listed, list) else [listed]), *_calls(template["Resources"])]
    names = [one.get("Name") if isinstance(one, dict) else one for one in called]
    for name in names:
        if name not in _TRANSFORMS:
            what = "transform" if str(name).startswith("AWS::") else "macro"
            raise ConfigError(
                f"template {path} uses the {what} {name}, which is on AWS only",
                hint="deploy it once there, and take what `aws cloudformation get-template --template-stage Processed`"
                " prints",
            )


def _calls(value: Any) -> Iterator[Any]:
    """Every ``Fn::Transform`` in *value*."""
    if isinstance(value, list):
        for item in value:
            yield from _calls(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == _MACRO:
                yield from item if isinstance(item, list) else [item]
            else:
                yield from _calls(item)


def _location(call: Any) -> Any:
    """What an ``AWS::Include`` names; None for anything else."""
    parameters = call.get("Parameters") if isinstance(call, dict) and call.get("Name") == _INCLUDE else None
    return parameters.get("Location") if isinstance(parameters, dict) else None


def _with_listed(template: Any) -> Any:
    """An include that stands under ``Transform`` moved to where the others stand: its content belongs to the top."""
    if not isinstance(template, dict):
        return template
    listed = template.get("Transform", [])
    transforms = listed if isinstance(listed, list) else [listed]
    includes = [one for one in transforms if is_local(_location(one))]
    if not includes:
        return template
    rest = {key: value for key, value in template.items() if key != "Transform"}
    others = [one for one in transforms if one not in includes]
    return {**rest, **({"Transform": others} if others else {}), _MACRO: includes}


def with_absolute_paths(template: Template, folder: Path) -> Template:
    """*template* with the local paths of code and definitions as seen from anywhere."""
    resources = changed(template["Resources"], lambda _, one, loops: _absolute(one, loops, folder))
    sections = {
        section: {**content, **_absolute_values(content, _PATHS_OF_GLOBALS.get(section, ()), (), folder)}
        for section, content in template.get("Globals", {}).items()
    }
    return {**template, "Resources": resources, **({"Globals": sections} if sections else {})}


_PATHS_OF_GLOBALS: Mapping[str, Sequence[str]] = {
    section: (CODE_PROPERTIES[kind],) for kind, section in GLOBALS_SECTION.items()
}


def _absolute(resource: Mapping[str, Any], loops: Sequence[Loop], folder: Path) -> Mapping[str, Any]:
    kind = resource["Type"]
    names = [CODE_PROPERTIES.get(kind), DEFINITION_PROPERTIES.get(kind, (None,))[0]]
    properties = resource.get("Properties", {})
    changed = _absolute_values(properties, [name for name in names if name], loops, folder)
    metadata = resource.get("Metadata", {})
    context = metadata.get("DockerContext", ".") if isinstance(metadata, dict) else None
    if isinstance(context, str) and "Dockerfile" in metadata:
        resource = {**resource, "Metadata": {**metadata, "DockerContext": str(folder / context)}}
    return {**resource, "Properties": {**properties, **changed}} if changed else resource


def _absolute_values(
    properties: Mapping[str, Any], names: Sequence[str], loops: Sequence[Loop], folder: Path
) -> Mapping[str, Any]:
    texts = {name: text_of(properties.get(name), loops) for name in names}
    return {name: str(folder / text) for name, text in texts.items() if is_local(text)}
