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
from emulator.frameworks.service import GivenValue, Packaging, Service
from emulator.frameworks.stages import STAGE, merge
from emulator.shape import check_shape
from emulator.template import CODE_PROPERTIES, Template, is_local

# What goes onto a command line, into names of resources, and into no path.
_STAGE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
# Makes the template of a stage; its local paths of code are absolute.
Make = Callable[[str, Packaging], Template]


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


def package(path: Path, packaging: Packaging, make: Make, *, workers: int = 1) -> Service:
    """
    One service out of what *make* makes for each stage.

    Args:
        path: The service's file, for errors.
        workers: How many stages are made at once.

    Raises:
        ConfigError: A stage has a name that can't be one, or other code than the others.
        ArtifactError: The tool fails.
    """
    for stage in packaging.stages:
        if not _STAGE_NAME.fullmatch(stage):
            raise ConfigError(f"{stage!r} can't be a stage of {path.name}", hint=f"set {STAGE} of that environment")
    templates = _make_all(packaging, make, workers=workers)
    for template in templates.values():
        check_shape(template, path)
    _share_code(templates)
    return Service(template=merge(templates), folder=path.parent, path=path, is_complete=True)


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
                    if not any(map(is_left_out, name.split("/"))):
                        _add(digest, name, archive.read(name))
        except zipfile.BadZipFile as error:
            raise ArtifactError(f"{path} is not a zip archive") from error
    else:
        _add(digest, path.name, path.read_bytes())
    return digest.hexdigest()


def _add(digest: Any, name: str, content: bytes) -> None:
    digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\0".encode())
