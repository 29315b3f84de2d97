"""A seed put into an environment."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from emulator.endpoint import answering
from emulator.errors import MultistackError
from emulator.members import Member, members, of_types
from emulator.model import Endpoint
from emulator.seeds import buckets, parameters, queues, tables
from emulator.seeds.folders import PARAMETERS, Seed
from emulator.seeds.mark import Mark, read_mark, write_mark
from emulator.seeds.targets import KINDS, target_of

# Messages last: the functions that they reach may want all the rest.
_ORDER = ("parameters", "bucket", "table", "queue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """
    One resource; the names of the attributes are the keys of ``seed --json``.

    Attributes:
        resource: Logical id, or ``parameters``.
        written: How many of *total* were not there as the seed has them.
    """

    environment: str
    resource: str
    kind: str
    written: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What is to be done about one resource; *put* returns how much was missing of *total*."""

    resource: str
    kind: str
    total: int
    put: Callable[[], int]


def sow(endpoint: Endpoint, stack: str, seed: Seed) -> Sequence[Seeded]:
    """
    Put *seed* into an environment: what is there as the seed has it stays untouched, and so does everything else.

    Nothing is written while any file is wrong.

    Raises:
        ConfigError: A file is wrong, with its line, or is for a resource that isn't there.
        NotReady: Nothing is deployed, or the emulator ended meanwhile.
        MultistackError: The emulator refused something.
    """
    with answering(endpoint, refusal=MultistackError):
        mark, done = read_mark(endpoint, stack), []
        for job in _jobs(endpoint, seed, members(endpoint, stack), mark):
            try:
                written = job.put()
            finally:
                write_mark(endpoint, stack, mark)
            done.append(
                Seeded(
                    environment=endpoint.environment,
                    resource=job.resource,
                    kind=job.kind,
                    written=written,
                    total=job.total,
                )
            )
        mark.is_complete = True
        write_mark(endpoint, stack, mark)
    return done


def _jobs(endpoint: Endpoint, seed: Seed, found: Sequence[Member], mark: Mark) -> Sequence[_Job]:
    """Everything read and checked, in the order in which it is done."""
    jobs = []
    for name in sorted(seed.places):
        if name == PARAMETERS:
            jobs.append(_parameters(endpoint, seed, found))
            continue
        target = target_of(seed, name, found)
        if KINDS[target.type] == "queue":
            jobs.append(_queue(endpoint, seed, target, mark))
        else:
            make = _bucket if KINDS[target.type] == "bucket" else _table
            jobs.append(make(endpoint, seed, target))
    return sorted(jobs, key=lambda job: _ORDER.index(job.kind))


def _parameters(endpoint: Endpoint, seed: Seed, found: Sequence[Member]) -> _Job:
    """One that the template makes may be called by its logical id."""
    names = {one.logical_id: one.physical_id for one in of_types(found, {parameters.TYPE})}
    given = parameters.read_parameters(seed.records[PARAMETERS])
    wanted = {names.get(name, name): value for name, value in given.items()}
    put = functools.partial(parameters.put_parameters, endpoint, wanted)
    return _Job(resource=PARAMETERS, kind="parameters", total=len(wanted), put=put)


def _bucket(endpoint: Endpoint, seed: Seed, target: Member) -> _Job:
    objects = seed.objects[target.logical_id]
    put = functools.partial(buckets.put_objects, endpoint, target.physical_id, objects)
    return _Job(resource=target.logical_id, kind="bucket", total=len(objects), put=put)


def _table(endpoint: Endpoint, seed: Seed, target: Member) -> _Job:
    keys = tables.keys_of(endpoint, target.physical_id)
    items = tables.read_items(seed.records[target.logical_id], keys)
    put = functools.partial(tables.put_items, endpoint, target.physical_id, items, keys)
    return _Job(resource=target.logical_id, kind="table", total=len(items), put=put)


def _queue(endpoint: Endpoint, seed: Seed, target: Member, mark: Mark) -> _Job:
    messages = queues.read_messages(seed.records[target.logical_id])
    sent = mark.sent.setdefault(target.logical_id, Counter())
    put = functools.partial(queues.send_new, endpoint, target, messages, sent)
    return _Job(resource=target.logical_id, kind="queue", total=len(messages), put=put)
