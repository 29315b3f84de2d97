"""Write the first project file next to an existing template."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from emulator.environment_names import name_problem
from emulator.errors import ConfigError
from emulator.frameworks.registry import find_service, looked_for, reader_of, templates_in
from emulator.frameworks.service import GivenValue, ServiceReader
from emulator.project_file import FILE_NAME
from emulator.settings import PARAMETER_PATTERN, SERVICE_PATTERN

_HEAD = """\
# One service and its environments; `multistack up` starts them all.
# Any value can be overridden by a MULTISTACK_* variable, and that by a flag.
service = {service}
template = {template}
# api = "Api"             # logical id of the API to serve, if the template has several
# region = "us-east-1"    # of every environment that names none

# proxy.port = 8080       # on 127.0.0.1; otherwise 8080 or the next free one

# Environments, in promotion order. Each is an emulated AWS account of its own; what may differ is its config.
"""
_ENVIRONMENT = """
[environments.{name}]
# account_id = "{account_id}"
# port = {port}             # of the emulator; "auto" by default
"""
_EXAMPLES = {"test": ("111111111111", 4601), "staging": ("222222222222", 4602), "prod": ("333333333333", 4603)}
_PRODUCTION = ("prod", "production", "live")
_NAME_IT = "name yours with --template"


def write_project_file(folder: Path, *, service: str | None, template: Path | None) -> Path:
    """
    Write a commented ``multistack.toml`` with test, staging and prod, or the stages that the service's framework has.

    Args:
        folder: Where it goes.
        service: The service's name, by default made from the folder's.
        template: Relative to *folder*; by default the file of a framework there, else the only template.

    Returns:
        The path of the new file.

    Raises:
        ConfigError: There is a project file already, no usable template, or *service* is no valid name.
    """
    folder = folder.absolute()
    target = folder / FILE_NAME
    if os.path.lexists(target):
        raise ConfigError(f"{target} already exists", hint="edit it, or delete it first")
    path = _find_template(folder, template)
    reader = reader_of(path)
    parameters = _parameters(path, reader)
    name = service if service is not None else _service_name(folder.resolve().name)
    if not re.fullmatch(SERVICE_PATTERN.strip("^$"), name):
        raise ConfigError(f"service must be 1 to 40 of a-z, 0-9 and -, starting with a letter, not {json.dumps(name)}")
    stages = _stages(reader.stages(path))
    given = {stage: reader.values(path, stage) for stage in stages}
    text = _render(name, os.path.relpath(path, folder), parameters, given, stages, framework=reader.name)
    try:
        with target.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"cannot write {target}: {error.strerror}") from error
    return target


def _find_template(folder: Path, template: Path | None) -> Path:
    if template is not None:
        if (folder / template).is_file():
            return folder / template
        raise ConfigError(f"no template in {folder}: looked for {folder / template}", hint=_NAME_IT)
    if (found := find_service(folder)) is not None:
        return found
    candidates = templates_in(folder)
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        names = ", ".join(path.name for path in candidates)
        hint = f"multistack init --template {candidates[0].name}"
        raise ConfigError(f"several templates in {folder}: {names}", hint=hint)
    raise ConfigError(f"no template in {folder}: looked for {looked_for()}", hint=_NAME_IT)


def _parameters(path: Path, reader: ServiceReader) -> Mapping[str, Mapping[str, object]]:
    """Return the service's parameters by name, in its order."""
    parameters = reader.parameters(path)
    for name in parameters:
        if not re.fullmatch(PARAMETER_PATTERN.strip("^$"), name):
            raise ConfigError(f"{path}: parameter {json.dumps(name)} is not one that CloudFormation takes")
    return parameters


def _stages(known: Sequence[str]) -> Mapping[str, tuple[str, int]]:
    """Name to examples of account and port: the framework's own stages where it has several, production last."""
    named = [name for name in known if name_problem(name) is None]
    if len(named) < 2:
        return _EXAMPLES
    named.sort(key=lambda name: name in _PRODUCTION)
    return {name: (str(number) * 12, 4600 + number) for number, name in enumerate(named[:9], start=1)}


def _service_name(folder_name: str) -> str:
    """Make the nearest valid service name: ``Größe & Co`` becomes ``grosse-co``."""
    plain = unicodedata.normalize("NFKD", folder_name.casefold()).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain).lstrip("-0123456789")
    return words[:40].rstrip("-") or "service"


def _render(
    service: str,
    template: str,
    parameters: Mapping[str, Mapping[str, object]],
    given: Mapping[str, Mapping[str, GivenValue]],
    stages: Mapping[str, tuple[str, int]],
    *,
    framework: str,
) -> str:
    text = _HEAD.format(service=_quote(service), template=f"{_quote(template):<24}  # {framework}")
    for name, (account_id, port) in stages.items():
        text += _ENVIRONMENT.format(name=name, account_id=account_id, port=port)
        if name in _PRODUCTION:
            text += "protected = true          # destructive commands need --yes\n"
        if parameters:
            text += f"\n[environments.{name}.config]\n"
            text += "".join(
                _render_parameter(key, parameter, given[name].get(key)) for key, parameter in parameters.items()
            )
    return text


def _render_parameter(name: str, parameter: Mapping[str, object], given: GivenValue | None) -> str:
    """A comment to fill in, so that a forgotten value is missed by its name and not deployed empty."""
    if given is not None:
        return f"# {name} = {_quote(given.text)}  # from {given.source}\n"
    if "Default" in parameter:
        return f"# {name} = {_quote(str(parameter['Default']))}\n"
    kind = re.sub(r"[^A-Za-z0-9:<>]", "", str(parameter.get("Type", "String")))
    return f'# {name} = ""  # fill in: the template has no default ({kind})\n'


def _quote(text: str) -> str:
    """Write *text* as a TOML string: JSON's, but for the delete character and halves of surrogate pairs."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")
