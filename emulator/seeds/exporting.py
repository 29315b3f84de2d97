"""What is in an environment's tables, buckets, queues and parameters, as seed files."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emulator.endpoint import answering
from emulator.errors import ConfigError, MultistackError, file_hint
from emulator.members import Member, members, of_types
from emulator.model import Endpoint
from emulator.seeds import buckets, parameters, queues, tables
from emulator.seeds.folders import PARAMETERS
from emulator.seeds.notation import as_json
from emulator.seeds.records import READERS
from emulator.seeds.targets import KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """
    One resource; the names of the attributes are the keys of ``export --json``.

    Attributes:
        path: Of its file or folder; None when nothing was written, because it holds nothing.
        left_out: What of it no seed can hold, each in a few words.
    """

    resource: str
    kind: str
    path: Path | None
    total: int
    left_out: Sequence[str] = ()


def export(endpoint: Endpoint, stack: str, folder: Path, *, replaces: bool) -> Sequence[Exported]:
    """
    Write a seed of everything that *stack* holds; equal data makes equal files.

    Args:
        replaces: Files and folders of the same names in *folder* may go.

    Raises:
        ConfigError: One of them is there already, or *folder* can't be written.
        NotReady: Nothing is deployed, or the emulator ended meanwhile.
        MultistackError: The emulator refused something.
    """
    with answering(endpoint, refusal=MultistackError):
        found = members(endpoint, stack)
        holders = sorted(of_types(found, KINDS), key=lambda one: one.logical_id)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            there = _there(folder, [one.logical_id for one in holders] + [PARAMETERS], replaces=replaces)
            # An emulator that ends midway costs nobody the export before.
            with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as work:
                done = [_export(endpoint, one, Path(work)) for one in holders]
                done.append(_parameters(endpoint, found, Path(work)))
                put_in_place(Path(work), folder, instead_of=there)
        except OSError as error:
            raise ConfigError(f"{error.filename or folder}: {error.strerror}", hint=file_hint(error)) from error
    return [one if one.path is None else replace(one, path=folder / one.path.name) for one in done]


def _there(folder: Path, names: Sequence[str], *, replaces: bool) -> Sequence[Path]:
    there = [path for name in names for path in _paths(folder, name) if path.exists()]
    if there and not replaces:
        raise ConfigError(f"{there[0]} is there already", hint="name another folder with -o, or add --replace")
    return there


def put_in_place(work: Path, folder: Path, *, instead_of: Sequence[Path]) -> None:
    """
    Move what is in *work* into *folder*, each by a rename. What was there before goes with *work*.

    Whatever ends it midway, a Ctrl-C too, puts everything back; after a kill it is in *work* under ``.before``.
    """
    before = work / ".before"
    moves = [(path, before / path.name) for path in instead_of]
    moves += [(path, folder / path.name) for path in sorted(work.iterdir())]
    before.mkdir()
    try:
        for source, target in moves:
            source.rename(target)
    except BaseException:
        for source, target in reversed(moves):
            if target.exists() and not source.exists():
                target.rename(source)
        raise


def _paths(folder: Path, name: str) -> Sequence[Path]:
    """Whatever a seed of *name* may be."""
    return [folder / name, *(folder / f"{name}{suffix}" for suffix in READERS)]


def _export(endpoint: Endpoint, member: Member, folder: Path) -> Exported:
    name, kind = member.logical_id, KINDS[member.type]
    if kind == "bucket":
        total, keys = buckets.dump_objects(endpoint, member.physical_id, folder / name)
        left_out = [f"the object {key!r}, which no file can be called" for key in keys]
        return Exported(resource=name, kind=kind, path=folder / name if total else None, total=total, left_out=left_out)
    if kind == "table":
        return _write(folder, name, kind, tables.dump_items(endpoint, member.physical_id))
    messages = queues.dump_messages(endpoint, member)
    if messages is None:
        why = "its messages: this emulator shows them only to whoever receives them"
        return Exported(resource=name, kind=kind, path=None, total=0, left_out=[why])
    return _write(folder, name, kind, messages)


def _parameters(endpoint: Endpoint, found: Sequence[Member], folder: Path) -> Exported:
    """Those of the template get their values from it."""
    own = {one.physical_id for one in of_types(found, {parameters.TYPE})}
    records, secret = parameters.dump_parameters(endpoint, without=own)
    left_out = [f"{name}, which is a SecureString" for name in secret]
    return _write(folder, PARAMETERS, PARAMETERS, records, left_out=left_out)


def _write(folder: Path, name: str, kind: str, records: Sequence[Any], *, left_out: Sequence[str] = ()) -> Exported:
    """A record on each line, so that git shows what changed."""
    path = folder / f"{name}.json"
    if records:
        path.write_text("[\n" + ",\n".join(map(as_json, records)) + "\n]\n", encoding="utf-8")
    return Exported(resource=name, kind=kind, path=path if records else None, total=len(records), left_out=left_out)
