"""Which source files are in what a framework's tool made as they are, and which it makes something else of."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from emulator.template import LocalCode, Template, local_code

# What people edit and tools copy. Of other files a tool may make something else.
_COPIED = (".py", ".js", ".mjs", ".cjs", ".html", ".css", ".md")
_NODE = (".js", ".cjs", ".mjs")
_VERSION, _ALIAS = "AWS::Lambda::Version", "AWS::Lambda::Alias"

# Source file to (archive, entry).
Copies = Mapping[Path, Sequence[tuple[Path, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """
    Files that a tool makes something of, as patterns of absolute paths.

    Attributes:
        named: The service's own file names them.
        run: The tool runs them; that it tells of them shows that it tells of all.
    """

    named: Sequence[str] = ()
    run: Sequence[str] = ()


def copies_in(
    templates: Sequence[Template], files: Sequence[Path], *, inputs: Inputs | None, loaded: frozenset[Path] | None
) -> Copies:
    """
    The copies of *files* in the archives that *templates* name; none where something else may depend on code.

    Args:
        inputs: What is known beforehand of what the tool makes something else of; None if nothing is.
        loaded: Files that the tool ran as code of its own; None if it doesn't tell.
    """
    if inputs is None or loaded is None or not all(_is_any(loaded, pattern) for pattern in inputs.run):
        return {}
    code = [one for template in templates for one in local_code(template, Path("/"))]
    found, unclear = _alike({one.path for one in code}, files, json.dumps(templates))
    copied = {place for places in found.values() for place in places}
    if any(map(_asks_for_version, templates)) or any(_is_bundled(one, copied) for one in code):
        return {}
    unclear |= {path for path in found if path.resolve() in loaded}
    unclear |= {path for path in found if any(_is_any([path], pattern) for pattern in inputs.named)}
    return {path: places for path, places in found.items() if path not in unclear}


def _alike(
    archives: Iterable[Path], files: Sequence[Path], template: str
) -> tuple[dict[Path, list[tuple[Path, str]]], set[Path]]:
    """The copies, and files of which it is unclear whether they are only copied."""
    by_name: dict[str, list[Path]] = {}
    for path in files:
        if path.suffix in _COPIED:
            by_name.setdefault(path.name, []).append(path)
    found: dict[Path, list[tuple[Path, str]]] = {}
    unclear: set[Path] = set()
    for archive in archives:
        with zipfile.ZipFile(archive) as content:
            for entry in content.namelist():
                sources = [one for one in by_name.get(Path(entry).name, ()) if f"{one}".endswith(f"/{entry}")]
                alike = [one for one in sources if one.is_file() and one.read_bytes() == content.read(entry)]
                if len(alike) != 1 or _is_in(template, alike[0]):
                    unclear.update(alike or sources)
                for source in alike:
                    found.setdefault(source, []).append((archive, entry))
    return found, unclear


def _is_any(paths: Iterable[Path], pattern: str) -> bool:
    return any(fnmatchcase(str(path), pattern) for path in paths)


def _is_in(template: str, source: Path) -> bool:
    """Whether the text of *source* is in a template, as the code of a resolver or a small function is."""
    text = source.read_text(encoding="utf-8", errors="replace").strip()
    return bool(text) and json.dumps(text)[1:-1] in template


def _asks_for_version(template: Template) -> bool:
    """Whether anything but an alias refers to a version: its name, which goes with code, may go into other names."""
    resources = template["Resources"]
    versions = [name for name, one in resources.items() if one["Type"] == _VERSION]
    text = json.dumps([one for one in resources.values() if one["Type"] not in (_VERSION, _ALIAS)])
    return any(name in text for name in versions)


def _is_bundled(code: LocalCode, copied: set[tuple[Path, str]]) -> bool:
    """Whether the handler's file of a Node function is none of the sources: what else was made of them nobody knows."""
    stem = str(code.handler).rpartition(".")[0]
    is_node = str(code.runtime).startswith("nodejs")
    return is_node and not {(code.path, f"{stem}{suffix}") for suffix in _NODE} & copied
