"""What a framework's tool made before: a source file that is in it as it is needs no tool when it is saved again."""

from __future__ import annotations

import copy
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from emulator.frameworks.copies import Copies, Inputs, copies_in
from emulator.frameworks.service import Packaging
from emulator.frameworks.tool import loaded_by_tools
from emulator.template import CODE_PROPERTIES, Template, is_local

# What a file system tells of a file without reading it.
Stamp = tuple[int, ...]
Templates = Mapping[str, Template]


@dataclass(frozen=True, slots=True)
class Made:
    """
    Stage to template. *archives* are code that was made by an earlier build: zips as this one makes them.

    Their local paths of code are absolute, and one path is the same code in all stages.
    """

    templates: Templates
    archives: frozenset[Path] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Package:
    """
    What a tool made, and of what.

    Attributes:
        files: All that it may have read, as it was before.
        inputs: What is known beforehand of what it makes something else of; None if nothing is.
        loaded: Files that the tool ran as code of its own; None if it doesn't tell.
        copies: Source file to (archive, entry), of those that are in archives as they are; None until these stay.
    """

    stages: Mapping[str, str]
    environ: Mapping[str, str] = field(repr=False)
    files: Mapping[Path, Stamp]
    inputs: Inputs | None
    loaded: frozenset[Path] | None
    templates: Templates
    copies: Copies | None = None

    def changed(self, files: Mapping[Path, Stamp], others: Collection[Path]) -> list[Path] | None:
        """
        The source files to be replaced in it; None where it takes the tool.

        Args:
            others: Copied by other services only.
        """
        copies = self.copies or {}
        if files.keys() != self.files.keys() or not all(one.exists() for one in _archives_of(self.templates)):
            return None
        changed = [path for path, stamp in files.items() if stamp != self.files[path]]
        if copies and self.loaded is not None:
            changed = [path for path in changed if path in copies or path in self.loaded or path not in others]
        can_be = all(path in copies and files[path][0] == self.files[path][0] for path in changed)
        return changed if can_be else None

    def moved(self, to: Mapping[Path, Path]) -> _Package:
        """The same with its code in other places."""
        copies = self.copies or {}
        places = {source: [(to.get(path, path), entry) for path, entry in found] for source, found in copies.items()}
        return replace(self, templates=_moved(self.templates, to), copies=None if self.copies is None else places)


class KeptPackages:
    """
    What was packaged by this process.

    Args:
        look: All files that a tool may read, with their stamps; the mode of a file first.
    """

    def __init__(self, look: Callable[[], Mapping[Path, Stamp]]) -> None:
        self._look = look
        self._packages: dict[Path, _Package] = {}
        self._unsettled: dict[Path, _Package] = {}

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
            changed = before.changed(files, self._of_others(path))
            if changed is not None:
                package = replace(_replaced(before, changed, packaging.work.resolve()), files=files)
                self._unsettled[path] = package
                return Made(package.templates, frozenset(_archives_of(package.templates)))
        only = {} if before is None else {name: packaging.stages[name] for name in packaging.awaited}
        templates = make(replace(packaging, stages=only or packaging.stages))
        self._unsettled[path] = _Package(
            stages=packaging.stages,
            environ=packaging.environ,
            files=files,
            inputs=inputs,
            loaded=loaded_by_tools(packaging.work),
            templates=copy.deepcopy(templates),
        )
        return Made(templates)

    def _of_others(self, path: Path) -> set[Path]:
        """What other services copy, and the one of *path* has not in its folder."""
        folder = path.parent.resolve()
        copied = {one for other, package in self._packages.items() if other != path for one in package.copies or ()}
        return {one for one in copied if not one.is_relative_to(folder)}

    def settle(self, stored: Mapping[Path, Path]) -> None:
        """
        Say what became of the code of the build just done.

        Args:
            stored: Its path to an archive that stays until the next one.
        """
        for path, package in self._unsettled.items():
            if not stored.keys() >= set(_archives_of(package.templates)):  # of a build that failed
                continue
            settled = package.moved({code: archive.resolve() for code, archive in stored.items()})
            self._packages[path] = settled if settled.copies is not None else _with_copies(settled)
        self._unsettled.clear()


def _with_copies(package: _Package) -> _Package:
    templates, files = list(package.templates.values()), list(package.files)
    return replace(package, copies=copies_in(templates, files, inputs=package.inputs, loaded=package.loaded))


def _replaced(package: _Package, changed: Sequence[Path], work: Path) -> _Package:
    """*package* with *changed* files in the place of those that are in it."""
    entries: dict[Path, dict[str, Path]] = {}
    for source in changed:
        for archive, entry in (package.copies or {})[source]:
            entries.setdefault(archive, {})[entry] = source
    for archive, sources in entries.items():
        _write(work / archive.name, archive, sources)
    return package.moved({archive: work / archive.name for archive in entries})


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
