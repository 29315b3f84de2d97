"""Which seed files an environment has: folders of a project, with a file or a folder for each resource."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emulator.errors import ConfigError
from emulator.seeds.buckets import read_objects
from emulator.seeds.records import READERS, Record, read_records

# The file of parameters, which need not be resources of the template.
PARAMETERS = "parameters"
_FOR_PEOPLE = "readme"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """
    What was found, read.

    Attributes:
        records: Logical id of a table or queue, or :data:`PARAMETERS`, to records of all folders in their order.
        objects: Logical id of a bucket to key to file; of several folders the last one's.
        places: Each of them to the files and folders that name it, for messages.
    """

    records: Mapping[str, Sequence[Record]] = field(default_factory=dict)
    objects: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)
    places: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def without(self, names: Collection[str]) -> Seed:
        """The same but for what it has for *names*."""
        return Seed(
            records={name: found for name, found in self.records.items() if name not in names},
            objects={name: found for name, found in self.objects.items() if name not in names},
            places={name: found for name, found in self.places.items() if name not in names},
        )


def read_seed(folders: Sequence[Path], *, root: Path) -> Seed:
    """
    Everything in *folders*.

    Args:
        root: What they, and paths in messages, are relative to.

    Raises:
        ConfigError: A folder or file can't be read, or isn't what it should be; with file and line.
    """
    records: dict[str, list[Record]] = {}
    objects: dict[str, dict[str, Path]] = {}
    places: dict[str, list[str]] = {}
    for folder in folders:
        for name, path in _entries(root / folder, root):
            shown = _shown(path, root)
            if path.is_dir():
                objects.setdefault(name, {}).update(read_objects(path, shown=shown))
            else:
                records.setdefault(name, []).extend(read_records(path, shown=shown))
            places.setdefault(name, []).append(shown)
    if both := records.keys() & objects.keys():
        name = min(both)
        raise ConfigError(f"{places[name][-1]}: {name} has a file as well as a folder of objects")
    return Seed(records=records, objects=objects, places=places)


def _entries(folder: Path, root: Path) -> Iterator[tuple[str, Path]]:
    """Logical id and path, by name."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else error.strerror
        raise ConfigError(
            f"seed folder {_shown(folder, root)}: {reason}", hint="make it, or correct seed.folders"
        ) from error
    names: dict[str, Path] = {}
    for path in paths:
        if path.name.startswith(".") or path.stem.lower() == _FOR_PEOPLE:
            continue
        if not path.is_dir() and path.suffix not in READERS:
            known = ", ".join(READERS)
            raise ConfigError(
                f"{_shown(path, root)} is no seed: files end in {known}; objects of a bucket are in a folder"
            )
        name = path.name if path.is_dir() else path.stem
        if name in names:
            raise ConfigError(f"{_shown(path, root)}: {name} has {names[name].name} already")
        names[name] = path
        yield name, path


def _shown(path: Path, root: Path) -> str:
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
