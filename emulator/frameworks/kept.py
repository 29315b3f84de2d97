"""What a framework's tool made before: a source file that is in it as it is needs no tool when it is saved again."""

from __future__ import annotations

import copy
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from emulator.frameworks.service import Packaging
from emulator.frameworks.tool import loaded_by_tools
from emulator.template import CODE_PROPERTIES, Template, is_local

# What people edit and tools copy. Of other files a tool may make something else.
_COPIED = (".py", ".js", ".mjs", ".cjs", ".html", ".css", ".md")
_NODE = (".js", ".cjs", ".mjs")

# What a file system tells of a file without reading it.
Stamp = tuple[int, ...]
Templates = Mapping[str, Template]


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


@dataclass(frozen=True, slots=True)
class Made:
    """
    Stage to template. *archives* are code that was made by an earlier build: zips as this one makes them.

    Their local paths of code are absolute, and one path is the same code in all stages.
    """

    templates: Templates
    archives: frozenset[Path] = frozenset()


@dataclass(slots=True)
class _Package:
    """
    What a tool made, and of what.

    Attributes:
        files: All that it may have read, as it was before.
        inputs: What is known beforehand of what it makes something else of; None if nothing is.
        loaded: Files that the tool ran as code of its own; None if it doesn't tell.
        copies: Source file to (archive, entry), of those that are in archives as they are.
    """

    stages: Mapping[str, str]
    environ: Mapping[str, str] = field(repr=False)
    files: Mapping[Path, Stamp]
    inputs: Inputs | None
    loaded: frozenset[Path] | None
    templates: Templates
    copies: Mapping[Path, Sequence[tuple[Path, str]]] = field(default_factory=dict)
    is_settled: bool = False

    def changed(self, files: Mapping[Path, Stamp]) -> list[Path] | None:
        """The source files to be replaced in it; None where it takes the tool."""
        if not self.is_settled or files.keys() != self.files.keys():
            return None
        changed = [path for path, stamp in files.items() if stamp != self.files[path]]
        needed = {archive for of_one in self.copies.values() for archive, _ in of_one}
        if not all(path in self.copies and files[path][0] == self.files[path][0] for path in changed):
            return None
        return changed if all(archive.exists() for archive in needed | set(_archives_of(self.templates))) else None


class KeptPackages:
    """
    What was packaged by this process.

    Args:
        look: All files that a tool may read, with their stamps; the mode of a file first.
    """

    def __init__(self, look: Callable[[], Mapping[Path, Stamp]]) -> None:
        self._look = look
        self._packages: dict[Path, _Package] = {}

    def templates(
        self, path: Path, packaging: Packaging, inputs: Inputs | None, make: Callable[[Packaging], Templates]
    ) -> Made:
        """
        What *make* would make now of the service at *path*, without it if only copies of source files differ.

        Whatever else was saved, it makes the stage only that somebody waits for, unless it is the first time.

        Args:
            inputs: None where the tool has to run each time.
        """
        files, before = self._look(), self._packages.get(path)
        if before is not None and (before.stages, before.environ) == (packaging.stages, packaging.environ):
            changed = before.changed(files)
            if changed is not None:
                return _replaced(before, changed, packaging.work)
        only = {} if before is None else {name: packaging.stages[name] for name in packaging.awaited}
        templates = make(replace(packaging, stages=only or packaging.stages))
        self._packages[path] = _Package(
            stages=packaging.stages,
            environ=packaging.environ,
            files=files,
            inputs=inputs,
            loaded=loaded_by_tools(packaging.work),
            templates=copy.deepcopy(templates),
        )
        return Made(templates)

    def settle(self, stored: Mapping[Path, Path]) -> None:
        """
        Say what became of code that was just made.

        Args:
            stored: Its path to an archive that stays.
        """
        for package in self._packages.values():
            if not package.is_settled and set(_archives_of(package.templates)) <= stored.keys():
                package.templates = _moved(package.templates, stored)
                package.copies = _copies(package)
                package.is_settled = True


def _replaced(package: _Package, changed: Sequence[Path], work: Path) -> Made:
    """*package* with *changed* files in the place of those that are in it."""
    entries: dict[Path, dict[str, Path]] = {}
    for source in changed:
        for archive, entry in package.copies[source]:
            entries.setdefault(archive, {})[entry] = source
    moved: dict[Path, Path] = {}
    for archive, sources in entries.items():
        moved[archive] = work / archive.name
        _write(moved[archive], archive, sources)
    templates = _moved(package.templates, moved)
    return Made(templates, frozenset(_archives_of(templates)))


def _write(path: Path, archive: Path, sources: Mapping[str, Path]) -> None:
    with zipfile.ZipFile(archive) as before, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as output:
        for info in before.infolist():
            source = sources.get(info.filename)
            output.writestr(info, before.read(info) if source is None else source.read_bytes())


def _code(template: Template) -> Iterator[tuple[dict[str, object], str]]:
    """Properties that have local code, and under which name."""
    for resource in template["Resources"].values():
        name, properties = CODE_PROPERTIES.get(resource["Type"]), resource.get("Properties", {})
        if name is not None and is_local(properties.get(name)):
            yield properties, name


def _archives_of(templates: Templates) -> list[Path]:
    return [Path(str(properties[name])) for one in templates.values() for properties, name in _code(one)]


def _moved(templates: Templates, to: Mapping[Path, Path]) -> Templates:
    moved = copy.deepcopy(templates)
    for template in moved.values():
        for properties, name in _code(template):
            path = Path(str(properties[name]))
            properties[name] = str(to.get(path, path))
    return moved


def _copies(package: _Package) -> Mapping[Path, Sequence[tuple[Path, str]]]:
    """Which source files are in which archives as they are; none where a tool makes something else of them."""
    inputs, loaded = package.inputs, package.loaded
    if inputs is None or loaded is None or not all(_is_any(loaded, pattern) for pattern in inputs.run):
        return {}
    by_name: dict[str, list[Path]] = {}
    for path in package.files:
        if path.suffix in _COPIED:
            by_name.setdefault(path.name, []).append(path)
    found: dict[Path, list[tuple[Path, str]]] = {}
    unclear = {path for path in package.files if path.resolve() in loaded}
    unclear |= {path for path in package.files if any(_is_any([path], pattern) for pattern in inputs.named)}
    template = json.dumps(package.templates)
    for archive in set(_archives_of(package.templates)):
        with zipfile.ZipFile(archive) as content:
            for entry in content.namelist():
                sources = [one for one in by_name.get(Path(entry).name, ()) if f"{one}".endswith(f"/{entry}")]
                alike = [one for one in sources if one.is_file() and one.read_bytes() == content.read(entry)]
                if len(alike) > 1 or (alike and _is_in(template, alike[0])):
                    unclear.update(alike)
                for source in alike:
                    found.setdefault(source, []).append((archive, entry))
    if _is_bundled(package, {(archive, entry) for places in found.values() for archive, entry in places}):
        return {}
    return {path: places for path, places in found.items() if path not in unclear}


def _is_any(paths: Iterable[Path], pattern: str) -> bool:
    return any(fnmatchcase(str(path), pattern) for path in paths)


def _is_in(template: str, source: Path) -> bool:
    """Whether the text of *source* is in a template, as the code of a resolver or a small function is."""
    text = source.read_text(encoding="utf-8", errors="replace").strip()
    return bool(text) and json.dumps(text)[1:-1] in template


def _is_bundled(package: _Package, copies: set[tuple[Path, str]]) -> bool:
    """Whether the handler's file of a Node function is none of the sources: what else was made of them nobody knows."""
    for template in package.templates.values():
        for properties, name in _code(template):
            if not str(properties.get("Runtime", "")).startswith("nodejs"):
                continue
            stem = str(properties.get("Handler", "")).rpartition(".")[0]
            files = {(Path(str(properties[name])), f"{stem}{suffix}") for suffix in _NODE}
            if not files & copies:
                return True
    return False
