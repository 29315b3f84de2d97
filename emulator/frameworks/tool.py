"""A framework's own tool: found where its users have it, and run without any way to AWS."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from emulator.command import last_lines, run_command
from emulator.errors import ArtifactError
from emulator.frameworks.service import Packaging
from emulator.model import STATE_FOLDER
from emulator.project_file import FILE_NAME
from emulator.shell import NO_REAL_ACCOUNT

# Where the package managers of Node and Python put programs of a project, seen from its folder or one above.
_PROGRAMS = ("node_modules/.bin", ".venv/bin", "venv/bin")
_NO_CREDENTIALS = {
    **NO_REAL_ACCOUNT,
    # Those of an .env file, which tools load themselves, don't take the place of variables that are there.
    "AWS_ACCESS_KEY_ID": "",
    "AWS_SECRET_ACCESS_KEY": "",
    "AWS_SESSION_TOKEN": "",
    "CI": "true",
    "NO_COLOR": "1",
}
# Of accounts at Serverless' maker. Packaging by osls or version 3 needs none, and version 4, which does, is refused.
# All else that is called SLS_ stays: settings of the tool, and names that a serverless.yml takes its own values from.
# SERVERLESS_ACCESS_KEY, which leads to credentials of AWS, gets into no child at all, see emulator.config.
_KEYS_OF_MAKERS = frozenset({"SERVERLESS_LICENSE_KEY", "SLS_ORG_TOKEN"})
# multistack's own files change with every deployment. Tools that zip whole folders must not see them, and no option of
# theirs says so from outside of the service. They are Node, CDK too, whatever language an app is in.
_HIDDEN = (STATE_FOLDER, FILE_NAME)
_HIDE = """\
const fs = require("fs"), hidden = new Set(%s)
const seen = (entries) => Array.isArray(entries)
  ? entries.filter((entry) => !hidden.has(String(entry && entry.name !== undefined ? entry.name : entry))) : entries
for (const target of [fs, fs.promises]) {
  const readdir = target.readdir
  target.readdir = function (...all) {
    const done = all[all.length - 1]
    if (typeof done === "function") {
      all[all.length - 1] = (error, entries) => done(error, seen(entries))
      return readdir.apply(this, all)
    }
    return Promise.resolve(readdir.apply(this, all)).then(seen)
  }
}
const readdirSync = fs.readdirSync
fs.readdirSync = function (...all) { return seen(readdirSync.apply(this, all)) }
const Module = require("module"), loaded = new Set(), load = Module.prototype.load
Module.prototype.load = function (...all) { loaded.add(all[0]); return load.apply(this, all) }
process.on("exit", () => fs.appendFileSync(%s, [...loaded, ""].join("\\n")))
Module.syncBuiltinESMExports()
"""
_TELL = """\
import atexit, importlib.machinery, importlib.util, os, sys
def tell(modules=sys.modules, own=__file__, start=os.getcwd()):
    # The file of __main__ is forgotten by now.
    files = {getattr(one, "__file__", None) for one in list(modules.values())} | set(sys.argv[:1])
    with open(%r, "a") as told:
        told.writelines(f"{os.path.realpath(os.path.join(start, one))}\\n" for one in files - {None, "", own})
atexit.register(tell)
sys.path.remove(os.path.dirname(__file__))
hidden = importlib.machinery.PathFinder.find_spec("sitecustomize")
if hidden is not None:
    hidden.loader.exec_module(importlib.util.module_from_spec(hidden))
"""
_COLOURS = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_CALLER = re.compile(r"at .*:\d+:\d+\)?")
_TIMEOUT = 900.0
# Characters of a reason.
_LONGEST = 2000
# Beside what else a stage has: the files of its own that a tool ran as code, each on a line.
_LOADED = "loaded.txt"
# Runs a command that a file of the framework holds as one line.
SHELL = ("/bin/sh", "-c")


@dataclass(frozen=True, slots=True)
class Tool:
    """
    A program that packages services.

    Attributes:
        package: Its npm package, or its own name where it has none.
        version: Empty where it is not known.
    """

    program: Path
    package: str
    version: str

    @property
    def major(self) -> int | None:
        """The first number of the version; None where it is not known."""
        first = self.version.partition(".")[0]
        return int(first) if first.isdigit() else None


def find_tool(names: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Tool | None:
    """The first of *names* that a project in *folder* has, else that ``PATH`` has."""
    path = search_path(folder, environ)
    found = next((Path(one) for name in names if (one := shutil.which(name, path=path))), None)
    return None if found is None else Tool(found, *_package_of(found))


def search_path(folder: Path, environ: Mapping[str, str]) -> str:
    """``PATH`` of a tool that works in *folder*: programs of the project go before those of the machine."""
    own = [str(parent / name) for parent in (folder, *folder.parents) for name in _PROGRAMS if (parent / name).is_dir()]
    return os.pathsep.join([*own, environ.get("PATH", os.defpath)])


def _package_of(program: Path) -> tuple[str, str]:
    """Name and version of the npm package that *program* is of."""
    real = program.resolve()
    for parent in list(real.parents)[:4]:
        try:
            content = json.loads((parent / "package.json").read_bytes())
            return str(content["name"]), str(content["version"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return program.name, ""


def run_tool(
    arguments: Sequence[str],
    *,
    folder: Path,
    packaging: Packaging,
    variables: Mapping[str, str],
    explain: Callable[[str], str | None] = lambda _said: None,
    begins: str = "",
) -> None:
    """
    Run a tool in the service's *folder*.

    Args:
        arguments: The program and its arguments.
        variables: Of the tool, beside the caller's.
        explain: From all that it says to a hint, should it fail.
        begins: The line after which it says why it failed, up to an empty one; else its last line says that.

    Raises:
        ArtifactError: It can't be run, fails, or takes too long; with the last line that it says, and those before it.
    """
    caller = {name: value for name, value in packaging.environ.items() if name not in _KEYS_OF_MAKERS}
    environ = {**caller, **_NO_CREDENTIALS, **variables}
    environ["PATH"] = search_path(folder, packaging.environ)
    environ["NODE_OPTIONS"] = f"{environ.get('NODE_OPTIONS', '')} --require {_hiding(packaging.work)}".strip()
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_telling(packaging.work), environ.get("PYTHONPATH")]))
    is_shell = arguments[0] == SHELL[0]
    shown = arguments[-1] if is_shell else " ".join([Path(arguments[0]).name, *arguments[1:2]])
    with tempfile.TemporaryFile() as said:
        try:
            code = run_command(
                arguments, folder=folder, environ=environ, said=said, timeout=_TIMEOUT, cancelled=packaging.cancelled
            )
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{shown} can't be run in {folder}: {error}") from error
        if code == 0:
            return
        lines, why = _plain(said), _after(said, begins)
    ended = f"ended with {code}" if code is not None else f"did not end within {_TIMEOUT:g} s"
    if why:
        raise ArtifactError(f"{shown} {ended}: {why}", hint=explain(why))
    reason = f": {lines[-1].strip(' -')}" if lines else ""
    raise ArtifactError(f"{shown} {ended}{reason}", hint=explain("\n".join(lines)), details=lines[:-1])


def loaded_by_tools(work: Path) -> frozenset[Path] | None:
    """What tools in Node or Python ran as code, for stages in folders of *work*; None if none is; no ES modules."""
    told = list(work.glob(f"*/{_LOADED}"))
    return frozenset(Path(line) for path in told for line in path.read_text().splitlines()) if told else None


def _hiding(work: Path) -> str:
    """The script for Node that hides multistack's files and tells what is loaded, as its options name it."""
    script = work / "hide.cjs"
    script.write_text(_HIDE % (json.dumps(_HIDDEN), json.dumps(str(work / _LOADED))), encoding="utf-8")
    return json.dumps(str(script))


def _telling(work: Path) -> str:
    """The folder of a module that lets Python tell what is loaded, which it imports when it starts."""
    folder = work / "python"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_TELL % str(work / _LOADED), encoding="utf-8")
    return str(folder)


def _plain(said: IO[bytes]) -> list[str]:
    said.seek(0)
    with tempfile.TemporaryFile() as plain:
        plain.write(_COLOURS.sub(b"", said.read()))
        return [line for line in last_lines(plain) if line.strip()]


def _after(said: IO[bytes], begins: str) -> str:
    """The paragraph after the last line that is *begins*, as one line; empty if there is none."""
    said.seek(0)
    lines = [line.strip() for line in _COLOURS.sub(b"", said.read()).decode(errors="replace").splitlines()]
    if not begins or begins not in lines:
        return ""
    rest = lines[len(lines) - lines[::-1].index(begins) :]
    paragraph = itertools.takewhile(lambda line: line and not _CALLER.fullmatch(line), rest)
    return "".join(one if one.isprintable() else " " for one in " ".join(paragraph))[:_LONGEST]
