"""What ``sam build`` does beside pip, by the library behind it: npm packages, esbuild, and targets of a Makefile."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.errors import ArtifactError
from emulator.events import Emit, Event
from emulator.template import LocalCode

# Build method to language, dependency manager and file of the library's workflow.
_WORKFLOWS: Mapping[str, tuple[str, str | None, str]] = {
    "esbuild": ("nodejs", "npm-esbuild", "package.json"),
    "makefile": ("provided", None, "Makefile"),
}
_HINTS = {"esbuild": "esbuild must be in PATH, or among the dependencies of {folder}/package.json"}
_LOCKS = ("package-lock.json", "npm-shrinkwrap.json", ".npmrc")
# A package in a folder of its own, or an archive at a relative path.
_BESIDE = re.compile(r"(file|link|workspace):(?!/.*\.tgz$)")
_MODULES = "node_modules"


def is_built_by_tool(source: LocalCode) -> bool:
    """Whether its ``BuildMethod`` names a tool whose result is all of its code."""
    return source.build_method in _WORKFLOWS and source.path.is_dir()


def build_by_tool(source: LocalCode, work: Path, *, emit: Emit) -> Path:
    """
    A folder below *work* with what the tool makes of *source*.

    Raises:
        ArtifactError: The tool is not there, or fails.
    """
    method = str(source.build_method)
    emit(Event(None, "building", f"{source.logical_id} with {method}"))
    _, _, manifest = _WORKFLOWS[method]
    options = {"build_logical_id": source.logical_id} if method == "makefile" else _snake(source.build_properties)
    is_installed = method == "esbuild" and (source.path / _MODULES).is_dir()
    return _run(
        source,
        method,
        source.path / manifest,
        work,
        options=options,
        # Packages that are there are used where they are; else npm installs them into a copy, each time.
        download_dependencies=not is_installed,
        build_in_source=is_installed,
    )


def needs_npm(source: LocalCode) -> bool:
    """Whether it is a Node function or layer that has dependencies, and nobody installed them."""
    is_node = str(source.runtime).startswith("nodejs") or str(source.build_method).startswith("nodejs")
    return is_node and not (source.path / _MODULES).exists() and bool(_package(source).get("dependencies"))


def install_npm(source: LocalCode, cache: Path, *, emit: Emit) -> Path:
    """
    The folder that holds ``node_modules`` for the ``package.json`` of *source*.

    Args:
        cache: Kept between builds, so that a code change needs no registry.

    Raises:
        ArtifactError: npm is not there, or can't install them.
    """
    package = _package(source)
    for name, wanted in package["dependencies"].items():
        if _BESIDE.match(str(wanted)):  # it is not where npm would look from the cache, and may change
            raise ArtifactError(
                f"can't install {name} for {source.logical_id}: it is {wanted}",
                hint=f"run `npm install` in {source.path}",
            )
    locks = [source.path / name for name in _LOCKS if (source.path / name).is_file()]
    parts = [json.dumps(package, sort_keys=True), platform.machine(), *(path.read_text() for path in locks)]
    folder = cache / f"npm-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}"
    if folder.exists():
        return folder
    emit(Event(None, "installing", f"{source.path.name}/package.json"))
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="tmp") as name:
        alone = Path(name) / "source"
        alone.mkdir()
        # npm packs the folder first, and packs nothing without these.
        (alone / "package.json").write_text(json.dumps({"name": "function", "version": "1.0.0", **package}))
        for path in locks:
            (alone / path.name).write_bytes(path.read_bytes())
        options = {"use_npm_ci": (alone / _LOCKS[0]).exists()}
        built = _run(source, "npm", alone / "package.json", Path(name), options=options)
        try:
            (built / _MODULES).mkdir(exist_ok=True)
            kept = Path(name) / "kept"
            kept.mkdir()
            (built / _MODULES).rename(kept / _MODULES)
            kept.rename(folder)
        except OSError:
            if not folder.exists():  # else another command finished the same install first
                raise
    return folder


def _package(source: LocalCode) -> Mapping[str, Any]:
    """The ``package.json`` of *source*; empty when there is none, or nothing that npm could read."""
    try:
        found = json.loads((source.path / "package.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _run(source: LocalCode, method: str, manifest: Path, work: Path, **arguments: Any) -> Path:
    from aws_lambda_builders.architecture import ARM64, X86_64
    from aws_lambda_builders.builder import LambdaBuilder
    from aws_lambda_builders.exceptions import LambdaBuilderError

    language, manager, _ = _WORKFLOWS.get(method, ("nodejs", "npm", ""))
    built, scratch = work / "built", work / "scratch"
    built.mkdir(parents=True)
    scratch.mkdir()
    logging.getLogger("aws_lambda_builders").setLevel(logging.CRITICAL)
    try:
        LambdaBuilder(language=language, dependency_manager=manager, application_framework=None).build(
            str(manifest.parent),
            str(built),
            str(scratch),
            str(manifest),
            runtime=source.runtime or source.build_method,
            architecture=ARM64 if platform.machine() in ("arm64", "aarch64") else X86_64,
            **arguments,
        )
    except LambdaBuilderError as error:
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise ArtifactError(
            f"can't build {source.logical_id} with {method}: {lines[0].strip()}",
            hint=_HINTS.get(method, "").format(folder=source.path) or f"look at {source.path / manifest.name}",
            details=lines[1:],
        ) from error
    return built


def _snake(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """``BuildProperties`` as the library names them: ``EntryPoints`` is ``entry_points``."""
    return {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): value for name, value in properties.items()}
