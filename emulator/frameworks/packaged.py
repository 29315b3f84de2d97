"""What readers of frameworks that package a service themselves have in common."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import threading
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from emulator.errors import ArtifactError, ConfigError
from emulator.frameworks.copies import Inputs
from emulator.frameworks.kept import Made
from emulator.frameworks.service import GivenValue, Packaging, Service
from emulator.frameworks.stages import STAGE, merge
from emulator.shape import check_shape
from emulator.template import CODE_PROPERTIES, Template, is_local

# What goes onto a command line, into names of resources, and into no path.
_STAGE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
# Makes the template of a stage; its local paths of code are absolute.
Make = Callable[[str, Packaging], Template]
_VERSION = "AWS::Lambda::Version"
# By the Serverless Framework and by CDK.
_VERSION_NAME = re.compile(r"(.*(?:LambdaVersion(?=.{30})|CurrentVersion[0-9A-F]{8}))[A-Za-z0-9]{30,}")
_CODE = frozenset(CODE_PROPERTIES.values())
_OF_ALL_VERSIONS = {"Tags", "ReservedConcurrentExecutions"}


class PackagedByTool:
    """A service whose stages are its environments, unless an environment's config says which stage it is."""

    def parameters(self, path: Path) -> Mapping[str, Mapping[str, Any]]:
        """The stage; what else there is only the tool knows."""
        return {STAGE: {"Type": "String", "Default": "the environment's name"}}

    def values(self, path: Path, environment: str) -> Mapping[str, GivenValue]:
        """The environment's own name is that of its stage."""
        return {STAGE: GivenValue(environment, f"stage of {path.name}")}

    def sources(self, path: Path) -> Sequence[Path]:
        """The whole folder."""
        return [path.parent]


def read_object(path: Path, *, hint: str | None = None) -> dict[str, Any]:
    """
    A JSON file of a framework.

    Args:
        hint: What to do about one that can't be read.

    Raises:
        ConfigError: It can't be read, or holds no object.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}", hint=hint) from error
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}", hint=hint) from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not a JSON object", hint=hint)
    return content


def package(path: Path, packaging: Packaging, make: Make, *, workers: int = 1, inputs: Inputs | None = None) -> Service:
    """
    One service out of what *make* makes for each stage.

    Args:
        path: The service's file, for errors.
        workers: How many stages are made at once.
        inputs: What is known of what the tool makes something else of; None where it has to run each time.

    Raises:
        ConfigError: A stage has a name that can't be one, or other code than the others.
        ArtifactError: The tool fails.
    """
    for stage in packaging.stages:
        if not _STAGE_NAME.fullmatch(stage):
            raise ConfigError(f"{stage!r} can't be a stage of {path.name}", hint=f"set {STAGE} of that environment")

    def make_all(packaging: Packaging) -> Mapping[str, Template]:
        templates = _make_all(packaging, make, workers=workers)
        for template in templates.values():
            check_shape(template, path)
        _share_code(templates)
        return templates

    if packaging.kept is None:
        made = Made(make_all(packaging))
    else:
        made = packaging.kept.templates(path, packaging, inputs, make_all)
    templates = {stage: name_versions(template) for stage, template in made.templates.items()}
    return Service(
        template=merge(templates, are_all=templates.keys() == packaging.stages.keys()),
        folder=path.parent,
        path=path,
        is_complete=True,
        archives=made.archives,
    )


def name_versions(template: Template) -> Template:
    """
    Name versions of functions by what is published.

    Tools name them by the bytes of their own zips, or of folders; what is deployed are other zips of the same files.
    """
    resources = template["Resources"]
    names: dict[str, str] = {}
    for logical_id, resource in resources.items():
        if resource["Type"] != _VERSION or (found := _VERSION_NAME.fullmatch(logical_id)) is None:
            continue
        resource.get("Properties", {}).pop("CodeSha256", None)
        function = resource.get("Properties", {}).get("FunctionName")
        function = function.get("Ref") if isinstance(function, dict) else None
        if isinstance(function, str) and function in resources:
            digest = hashlib.sha256(json.dumps(_published(resources, function), sort_keys=True).encode())
            names[logical_id] = f"{found[1]}{digest.hexdigest()[:32]}"
    text = json.dumps(template)
    for before, after in names.items():
        text = text.replace(before, after)
    return dict(json.loads(text))


def _published(resources: Mapping[str, Any], function: str) -> list[Any]:
    """What a version holds: the function and its layers, each with what its code is instead of where it is."""
    layers = resources[function].get("Properties", {}).get("Layers")
    named = [str(one.get("Ref")) for one in layers if isinstance(one, dict)] if isinstance(layers, list) else []
    return [
        {
            key: _identity(Path(value)) if key in _CODE and is_local(value) else value
            for key, value in resources[name].get("Properties", {}).items()
            if key not in _OF_ALL_VERSIONS
        }
        for name in (function, *named)
        if name in resources
    ]


def _make_all(packaging: Packaging, make: Make, *, workers: int) -> dict[str, Template]:
    """Stage to template. The first that fails ends the others."""
    from concurrent.futures import ThreadPoolExecutor

    stopped = threading.Event()

    def cancelled() -> None:
        packaging.cancelled()
        if stopped.is_set():
            raise KeyboardInterrupt

    def one(number: int, stage: str) -> Template:
        cancelled()
        work = packaging.work / str(number)
        work.mkdir()
        return copy.deepcopy(make(stage, replace(packaging, work=work, cancelled=cancelled)))

    with ThreadPoolExecutor(max_workers=workers) as pool:
        futures = {stage: pool.submit(one, number, stage) for number, stage in enumerate(packaging.stages)}
        try:
            return {stage: future.result() for stage, future in futures.items()}
        except BaseException:
            stopped.set()
            raise


def _share_code(templates: Mapping[str, Template]) -> None:
    """
    Let the same code be one path in all stages.

    Raises:
        ConfigError: It is not the same: an artifact has one code for all environments.
    """
    paths: dict[str, str] = {}
    found: dict[str, tuple[str, str]] = {}
    for stage, template in templates.items():
        for logical_id, resource in template["Resources"].items():
            name = CODE_PROPERTIES.get(resource["Type"])
            properties = resource.get("Properties", {})
            if name is None or not is_local(properties.get(name)):
                continue
            path = Path(properties[name])
            content = paths.setdefault(_identity(path), str(path))
            other, before = found.setdefault(logical_id, (stage, content))
            if before != content:
                raise ConfigError(
                    f"the code of {logical_id} is not the same in stages {other} and {stage}; an artifact has one",
                    hint=f'give both environments one stage, e.g. {STAGE} = "{other}" under [environments.NAME.config]',
                )
            properties[name] = content


def _identity(path: Path) -> str:
    """The same for files of the same names and bytes, in a zip or a folder."""
    from emulator.artifact import files_of
    from emulator.left_out import is_left_out

    digest = hashlib.sha256()
    if path.is_dir():
        for name, file in files_of(path):
            _add(digest, name, file.read_bytes())
    elif path.suffix == ".zip":
        try:
            with zipfile.ZipFile(path) as archive:
                for name in sorted(archive.namelist()):
                    if not name.endswith("/") and not any(map(is_left_out, name.split("/"))):
                        _add(digest, name, archive.read(name))
        except zipfile.BadZipFile as error:
            raise ArtifactError(f"{path} is not a zip archive") from error
    else:
        _add(digest, path.name, path.read_bytes())
    return digest.hexdigest()


def _add(digest: Any, name: str, content: bytes) -> None:
    digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\0".encode())
