"""
Which interpreter of this machine runs a function's ``Runtime``.

``python3.12`` runs on a Python 3.12 when there is one on the path, in the folders of pyenv or uv, or in /usr/bin; else
on the nearest version at hand, which is said once for each runtime. Node functions run on the Node of the path.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# boto3, which functions find here as on AWS, runs on no older one.
_OLDEST = (3, 10)
_PROGRAM = re.compile(r"python(3)\.(\d+)")
_RUNTIME = re.compile(r"python(3)\.(\d+)")
_SYSTEM = "/usr/bin"

Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python of this machine."""

    version: Version
    program: Path

    @property
    def name(self) -> str:
        """As the runtime that it is, e.g. ``python3.12``."""
        return f"python{self.version[0]}.{self.version[1]}"


def search_path(path: str, *, home: Path, pyenv_root: str = "") -> tuple[str, ...]:
    """
    The folders in which programs called ``python3.12`` may stand, the first one wins.

    Args:
        path: A ``PATH``.
        pyenv_root: The variable ``PYENV_ROOT``; may be empty.
    """
    named = [Path(folder) for folder in path.split(":") if folder]
    # pyenv's shims are scripts that look at the current folder and refuse versions that aren't chosen there.
    shims = [folder for folder in named if folder.name == "shims" and (folder.parent / "versions").is_dir()]
    pyenvs = [*([Path(pyenv_root)] if pyenv_root else []), *(folder.parent for folder in shims), home / ".pyenv"]
    managed = [*(pyenv / "versions" for pyenv in pyenvs), home / ".local/share/uv/python"]
    installed = [version / "bin" for folder in managed for version in _newest_first(folder)]
    found = [*(folder for folder in named if folder not in shims), *installed, Path(_SYSTEM)]
    return tuple(dict.fromkeys(map(str, found)))


def _newest_first(folder: Path) -> list[Path]:
    found = [entry for entry in folder.glob("*") if (entry / "bin").is_dir() and "pypy" not in entry.name]
    return sorted(found, key=lambda entry: [int(number) for number in re.findall(r"\d+", entry.name)], reverse=True)


def own() -> Interpreter:
    """The interpreter that runs this very process."""
    return Interpreter((sys.version_info.major, sys.version_info.minor), Path(sys.executable))


def find(folders: Iterable[str]) -> tuple[Interpreter, ...]:
    """The interpreters in *folders*, one of each version, and this process's own."""
    found: dict[Version, Interpreter] = {own().version: own()}
    for folder in folders:
        for interpreter in _programs(Path(folder)):
            found.setdefault(interpreter.version, interpreter)
    return tuple(found[version] for version in sorted(found))


def _programs(folder: Path) -> Iterator[Interpreter]:
    for program in sorted(folder.glob("python3.*")):
        match = _PROGRAM.fullmatch(program.name)
        if match is not None and program.is_file():
            version = (int(match[1]), int(match[2]))
            if version >= _OLDEST:
                yield Interpreter(version, program)


def choose(runtime: str, interpreters: Sequence[Interpreter] = ()) -> Interpreter:
    """The interpreter of *runtime*'s version, else the nearest; the newer one of two that are equally near."""
    wanted = version_of(runtime)
    if wanted is None:
        return own()
    return min(interpreters or [own()], key=lambda one: (abs(one.version[1] - wanted[1]), -one.version[1]))


def version_of(runtime: str) -> Version | None:
    """The version that a Python 3 *runtime* names; None for others."""
    match = _RUNTIME.fullmatch(runtime)
    return (int(match[1]), int(match[2])) if match else None


def warning(runtime: str, chosen: Interpreter, *, where: str = "on this machine") -> str:
    """What a user should know about *runtime*, looked for at *where*; empty when it runs on what it says."""
    wanted = version_of(runtime)
    if wanted is None or wanted == chosen.version:
        return ""
    oldest = ".".join(map(str, _OLDEST))
    why = f"is older than Python {oldest}, which boto3 needs" if wanted < _OLDEST else f"is not {where}"
    return f"{runtime} {why}: its functions run on {chosen.name} ({chosen.program})"
