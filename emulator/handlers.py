"""Where a runtime looks for a function's handler, and whether anything is there."""

from __future__ import annotations

import fnmatch
import glob
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from emulator.errors import ConfigError
from emulator.template import LocalCode
from emulator.tool_builds import is_built_by_tool

_COMPILED = (
    "name a file that it has; TypeScript is compiled first, or by `BuildMethod: esbuild` in the function's Metadata"
)


def check_in_source(source: LocalCode, template: Path) -> None:
    """
    Refuse a folder that lacks the handler of its function, where nothing is made of it but a zip.

    Raises:
        ConfigError: No file there is the handler's module, or the handler is none.
    """
    if source.path.is_dir() and not is_built_by_tool(source):
        _check(source, template, lambda pattern: next(source.path.glob(pattern), None) is not None, source.path)


def check_in_package(source: LocalCode, archive: Path, template: Path) -> None:
    """The same of what a tool made, or of a file, by the *archive* that it became."""
    if not source.path.is_dir() or is_built_by_tool(source):
        with zipfile.ZipFile(archive) as content:
            names = content.namelist()
        _check(source, template, lambda pattern: bool(fnmatch.filter(names, pattern)), Path())


def _check(source: LocalCode, template: Path, is_there: Callable[[str], bool], folder: Path) -> None:
    handler = source.handler
    # Others are up to parameters.
    if not source.type.endswith("::Function") or not isinstance(handler, str | None) or "${" in str(handler):
        return
    kind = "python" if str(source.runtime).startswith("python") else "nodejs"
    if not str(source.runtime).startswith(kind):
        return
    module, dot, function = str(handler).rpartition(".")
    if not dot or not function or (kind == "python" and (not module or module.startswith(("/", ".")))):
        raise ConfigError(f"{template}: Handler of {source.logical_id} is not <module>.<function>: {handler}")
    if kind == "nodejs" and (source.has_layers or module.startswith(("/", "node_modules/"))):
        return  # a layer, or a package that is yet to be installed, may bring it
    files = _python_files(module) if kind == "python" else _node_files(str(handler))
    if not any(is_there(one) for one in files):
        missing = folder / files[0].replace("[[]", "[")
        raise ConfigError(
            f"{template}: handler {handler} of {source.logical_id} is missing: no {missing}",
            hint=_COMPILED if kind == "nodejs" else None,
        )


def _python_files(module: str) -> Sequence[str]:
    stem = glob.escape(module.replace(".", "/"))
    return [f"{stem}.py", f"{stem}/__init__.py", f"{stem}.pyc", f"{stem}.*.so"]


def _node_files(handler: str) -> Sequence[str]:
    """
    As ``require`` looks for them.

    Source:
        https://github.com/aws/aws-lambda-nodejs-runtime-interface-client (UserFunction: the module ends at the first
        dot; here at the last one, and a file of either name is enough)
    """
    path = PurePosixPath(handler)
    names = (path.name.rpartition(".")[0], path.name.partition(".")[0])
    stems = dict.fromkeys(glob.escape(str(path.parent / name)) for name in names)
    return [f"{stem}{end}" for stem in stems for end in (".js", ".mjs", ".cjs", "/index.js", "/package.json", ".json")]
