"""
The AWS SDK for JavaScript, which AWS's Node runtimes have and no package on this machine brings: by npm, once.

It goes into no artifact, as none on AWS has it. A project has the packages that its functions ask for in one folder,
and its emulators look there.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-nodejs.html: nodejs18.x and later include version 3.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from emulator.artifact import ArtifactStore
from emulator.errors import ArtifactError
from emulator.events import Emit, Event
from emulator.template import LocalCode
from emulator.tool_builds import install_npm

# In the folder of installed dependencies: leads to the newest one.
_LINK = "node-sdk"
_MODULES = "node_modules"
_RUNTIME = re.compile(r"nodejs(\d+)")
_FIRST = 18
_SCRIPTS = {".js", ".mjs", ".cjs"}
_IMPORTED = re.compile(r"""(?:\brequire\s*\(|\bfrom|\bimport\s*\(?)\s*["'](@aws-sdk/[\w-]+)""")


def folder_of(state: Path) -> Path:
    """Where the SDK of the project with this *state* is, once something was installed."""
    return ArtifactStore(state / "artifacts").dependencies_folder() / _LINK


def provide(contents: Mapping[str, Path], source: LocalCode, cache: Path, *, emit: Emit) -> None:
    """
    Have what the code of a function imports of the SDK and doesn't bring.

    What can't be installed is told, and the function goes without: it may never get there.

    Args:
        contents: Name in its archive to file.
        cache: The folder of installed dependencies.
    """
    runtime = _RUNTIME.match(str(source.runtime))
    if runtime is None or int(runtime[1]) < _FIRST:
        return
    there = set(_installed(cache))
    missing = set(_imported(contents)) - there
    if not missing:
        return
    try:
        folder = _install(there | missing, source, cache, emit=emit)
    except ArtifactError as error:
        names = ", ".join(sorted(missing))
        lacks = f"{source.logical_id} imports {names}, which AWS's Node runtimes have and npm can't install here"
        emit(Event(None, "warning:", f"{lacks}: {error.message}"))
        return
    link = cache / f"{_LINK}.{os.getpid()}"
    link.unlink(missing_ok=True)  # of a build that was killed
    link.symlink_to(folder.name)
    link.replace(cache / _LINK)


def _imported(contents: Mapping[str, Path]) -> Iterator[str]:
    """Packages of the SDK that scripts name, and that are not among *contents*."""
    for name, path in contents.items():
        if path.suffix in _SCRIPTS and f"{_MODULES}/" not in name:
            for found in _IMPORTED.findall(path.read_text(encoding="utf-8", errors="replace")):
                if f"{_MODULES}/{found}/package.json" not in contents:
                    yield found


def _installed(cache: Path) -> Iterator[str]:
    for path in (cache / _LINK / _MODULES / "@aws-sdk").glob("*/package.json"):
        yield f"@aws-sdk/{path.parent.name}"


def _install(packages: set[str], source: LocalCode, cache: Path, *, emit: Emit) -> Path:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "aws-sdk"
        folder.mkdir()
        (folder / "package.json").write_text(json.dumps({"dependencies": dict.fromkeys(sorted(packages), "^3")}))
        return install_npm(replace(source, path=folder), cache, emit=emit)
