"""All state of one moment, as it goes into a checkpoint."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from multistack_localstack.state import checkpoint, pickling
from multistack_localstack.state.checkpoint import Checkpoint, Contents, Header, Segment
from multistack_localstack.state.services import Group

_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    Where state comes from.

    Attributes:
        prepare: Called before a moment is taken, while nothing changes.
        objects: Name and size in bytes of the files that the state refers to.
        header: Made for the state of now.
    """

    prepare: Callable[[], None]
    groups: Callable[[], tuple[Group, ...]]
    objects: Callable[[], Mapping[str, int]]
    header: Callable[[], Header]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """
    All state of one moment.

    Attributes:
        raw: Bytes by the name of the group, of those that may have changed.
        same: Names of groups of which the last checkpoint has what is to be saved.
        unsaved: Why a group could not be turned into bytes, a line for each; what was saved last is kept.
        took: Seconds of processor time by the name of the group: on a busy machine others take the rest.
    """

    header: Header
    groups: tuple[Group, ...]
    raw: Mapping[str, bytes]
    same: frozenset[str]
    objects: Mapping[str, int]
    unsaved: tuple[str, ...] = field(default=())
    took: Mapping[str, float]


def is_same(group: Group, touched: AbstractSet[str] | None) -> bool:
    """Whether nothing of *group* can have changed when only services of these names were *touched*; None for any."""
    return touched is not None and touched.isdisjoint((group.name, *group.services))


def take(source: Source, last: Checkpoint | None, touched: AbstractSet[str] | None) -> Moment:
    """
    All state of now; nothing may change meanwhile.

    Args:
        last: The checkpoint before.
        touched: Services that may have changed since *last*; None for any.
    """
    groups, raw, same, unsaved, took = source.groups(), {}, set(), [], {}
    saved = last.packed if last else {}
    for group in groups:
        if group.name in saved and is_same(group, touched):
            same.add(group.name)
            continue
        began = time.thread_time()
        try:
            if content := _bytes_of(group):
                raw[group.name] = content
        except Exception as error:  # of any kind: the other services can be saved
            unsaved.append(f"{group.name}: {type(error).__name__}: {error}")
            same.update({group.name} & saved.keys())
        took[group.name] = time.thread_time() - began
    return Moment(
        header=source.header(),
        groups=groups,
        raw=raw,
        same=frozenset(same),
        objects=dict(source.objects()),
        unsaved=tuple(unsaved),
        took=took,
    )


def _bytes_of(group: Group) -> bytes:
    """The state of *group*; empty if there is none. What LocalStack does on its own may come in between."""
    for _ in range(_TRIES - 1):
        try:
            return _pickled(group)
        except RuntimeError:  # "dictionary changed size during iteration"
            continue
    return _pickled(group)


def _pickled(group: Group) -> bytes:
    content = group.save()
    return pickling.dumps(content) if content else b""


def put_together(moment: Moment, last: Checkpoint | None) -> Checkpoint:
    """The checkpoint of *moment*; what is as in the *last* one is taken from there."""
    before = {segment.name: segment for segment in last.contents.segments} if last else {}
    segments, packed = [], {}
    for group in moment.groups:
        old = before.get(group.name)
        raw = moment.raw.get(group.name)
        digest = hashlib.sha256(raw).hexdigest() if raw is not None else ""
        if old and last and (group.name in moment.same or digest == old.digest):
            packed[group.name] = last.packed[group.name]
            segments.append(old)
        elif raw is not None:
            packed[group.name] = checkpoint.pack(raw)
            length = len(packed[group.name])
            segments.append(Segment(name=group.name, services=group.services, digest=digest, length=length))
    contents = Contents(segments=tuple(segments), objects=moment.objects)
    return Checkpoint(header=moment.header, contents=contents, packed=packed)


def write(made: Checkpoint, path: Path, *, aside: Path) -> None:
    """Make *path* the checkpoint *made*; raises as :func:`checkpoint.write`."""
    checkpoint.write(path, made.header, made.contents, made.packed, aside=aside)
