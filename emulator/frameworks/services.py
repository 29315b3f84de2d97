"""
Several services in one project: each is a nested stack of the project's, in an order that outputs and ``after`` give.

So they are built, deployed, promoted and rolled back together, and share each environment's account.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emulator.errors import ConfigError
from emulator.frameworks.service import GivenValue, Packaging, Service, ServiceReader
from emulator.including import with_absolute_paths
from emulator.project_file import read_project_file
from emulator.template import STACK, Template, local_code


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """
    One of the services, as the project file lists it.

    Attributes:
        path: Its file.
        outputs: Parameter of its template to ``service.Output``.
        after: Services that are deployed before, though it takes no output of them.
    """

    name: str
    path: Path
    reader: ServiceReader
    outputs: Mapping[str, str]
    after: Sequence[str]

    @property
    def logical_id(self) -> str:
        """What its resources' names begin with: ``order-items`` becomes ``OrderItems``."""
        return logical_id_of(self.name)


def logical_id_of(name: str) -> str:
    """The logical id of a service."""
    return "".join(part.capitalize() for part in re.split("[^a-z0-9]+", name))


class Services:
    """
    A project file that lists services.

    Args:
        reader_of: Who reads the file of one of them.
        find: The file of the service in a folder.
    """

    name = "several services"
    files = ()

    def __init__(self, reader_of: Callable[[Path], ServiceReader], find: Callable[[Path], Path | None]) -> None:
        self._reader_of = reader_of
        self._find = find

    def recognises(self, path: Path) -> bool:
        """A project file, and nothing else, is TOML."""
        return path.suffix == ".toml"

    def described(self, path: Path) -> str:
        """Each service with its framework."""
        return ", ".join(f"{one.name} ({one.reader.name})" for one in self._members(path))

    def parameters(self, path: Path) -> Mapping[str, Mapping[str, Any]]:
        """All that no other service's output is passed to."""
        members = self._members(path)
        return _Parameters({one.name: one.reader.parameters(one.path) for one in members}, members).declared()

    def values(self, path: Path, environment: str) -> Mapping[str, GivenValue]:
        """What each service's own files say."""
        members = self._members(path)
        given = {one.name: one.reader.values(one.path, environment) for one in members}
        if not any(given.values()):
            return {}
        parameters = _Parameters({one.name: one.reader.parameters(one.path) for one in members}, members)
        return {
            parameters.key(one, name): value
            for one in members
            for name, value in given[one.name].items()
            if name not in one.outputs
        }

    def stages(self, path: Path) -> Sequence[str]:
        """Those of all services, each once."""
        return list(dict.fromkeys(stage for one in self._members(path) for stage in one.reader.stages(one.path)))

    def sources(self, path: Path) -> Sequence[Path]:
        """Those of all services."""
        return [source for one in self._members(path) for source in one.reader.sources(one.path)]

    def read(self, path: Path, packaging: Packaging) -> Service:
        """A template with a nested stack for each service."""
        members = self._members(path)
        services = {one.name: _read(one, packaging) for one in members}
        templates = {name: one.template for name, one in services.items()}
        parameters = _Parameters({name: one.get("Parameters", {}) for name, one in templates.items()}, members)
        _check_outputs(path, members, templates)
        resources = {one.logical_id: _stack(one, templates[one.name], parameters) for one in members}
        outputs = {
            f"{one.logical_id}{name}": {"Value": {"Fn::GetAtt": [one.logical_id, f"Outputs.{name}"]}}
            for one in members
            for name, output in templates[one.name].get("Outputs", {}).items()
            if "Export" not in output  # exports become the project's in any case
        }
        template: Template = {"Resources": resources}
        for section, content in (("Parameters", dict(parameters.declared())), ("Outputs", outputs)):
            if content:
                template[section] = content
        complete = {
            code.path
            for one in services.values()
            for code in local_code(one.template, one.folder)
            if one.is_complete or code.path in one.complete
        }
        archives = frozenset(archive for one in services.values() for archive in one.archives)
        return Service(
            template=template, folder=path.parent, path=path, complete=frozenset(complete), archives=archives
        )

    def _members(self, path: Path) -> list[_Member]:
        """What the file lists; whether it is well formed was checked when the project was loaded."""
        listed: Any = read_project_file(path, shown=path.name).data.get("services", [])
        return [self._member(path, entry) for entry in listed]

    def _member(self, path: Path, entry: Mapping[str, Any]) -> _Member:
        place = path.parent / entry["template"]
        found = self._find(place) if place.is_dir() else place
        if found is None or not found.is_file():
            raise ConfigError(f"{path.name}: service {entry['name']}: {place} has no template")
        return _Member(
            name=entry["name"],
            path=found,
            reader=self._reader_of(found),
            outputs=entry.get("outputs", {}),
            after=entry.get("after", []),
        )


@dataclass(frozen=True, slots=True)
class _Parameters:
    """What services declare: one key where all that have it declare it alike, else one for each."""

    of: Mapping[str, Mapping[str, Any]]
    members: Sequence[_Member]

    def key(self, member: _Member, name: str) -> str:
        """The project's key for a parameter of *member*."""
        alike = [
            self.of[one.name][name] for one in self.members if name in self.of[one.name] and name not in one.outputs
        ]
        is_shared = all(_meaning(one) == _meaning(alike[0]) for one in alike)
        return name if is_shared else f"{member.logical_id}{name}"

    def declared(self) -> Mapping[str, Mapping[str, Any]]:
        """All keys with what is declared about them."""
        return {
            self.key(member, name): parameter
            for member in self.members
            for name, parameter in self.of[member.name].items()
            if name not in member.outputs
        }


def _meaning(parameter: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in parameter.items() if key not in ("Description", "ConstraintDescription")}


def _read(member: _Member, packaging: Packaging) -> Service:
    work = packaging.work / member.name
    work.mkdir(parents=True)
    service = member.reader.read(member.path, replace(packaging, work=work))
    folder = service.folder.resolve()
    return replace(service, template=with_absolute_paths(service.template, folder), folder=folder)


def _stack(member: _Member, template: Template, parameters: _Parameters) -> Mapping[str, Any]:
    given: dict[str, Any] = {
        name: {"Ref": parameters.key(member, name)}
        for name in template.get("Parameters", {})
        if name not in member.outputs
    }
    for name, output in member.outputs.items():
        service, _, wanted = output.partition(".")
        given[name] = {"Fn::GetAtt": [logical_id_of(service), f"Outputs.{wanted}"]}
    stack: dict[str, Any] = {"Type": STACK, "Properties": {"TemplateURL": template, "Parameters": given}}
    return {**stack, "DependsOn": [logical_id_of(name) for name in member.after]} if member.after else stack


def _check_outputs(path: Path, members: Sequence[_Member], templates: Mapping[str, Template]) -> None:
    for member in members:
        for problem in _problems(member, templates):
            raise ConfigError(f"{path.name}: service {member.name}: {problem}")


def _problems(member: _Member, templates: Mapping[str, Template]) -> Iterator[str]:
    for name, output in member.outputs.items():
        service, _, wanted = output.partition(".")
        if name not in templates[member.name].get("Parameters", {}):
            yield f"outputs.{name} is no parameter of {member.path.name}"
        if service not in templates or service == member.name:
            yield f"outputs.{name} asks for {output}, and {service} is no other service"
        elif wanted not in templates[service].get("Outputs", {}):
            known = ", ".join(templates[service].get("Outputs", {})) or "none"
            yield f"outputs.{name} asks for {output}, and the outputs of {service} are: {known}"
    for name in member.after:
        if name not in templates or name == member.name:
            yield f"after: {name} is no other service"
