"""
The file of all faults that are set, beside the proxy's record.

It names the very process of the proxy that it is for. Another one, started after ``down`` or after all was killed,
takes it for empty: so no fault outlives the proxy it was set in, whoever forgets to clear it.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from emulator.faults.fault import Effects, Fault, Latency
from emulator.model import ProcessId
from emulator.process import write_atomically
from emulator.watched_file import WatchedFile

FAULTS_FILE = "faults.json"
_LOCK_FILE = "faults.lock"


def load_faults(path: Path, proxy: ProcessId) -> tuple[Fault, ...]:
    """The faults in *path* for *proxy*, in the order in which they were set; those whose time is up too."""
    return _read(path, proxy)[0]


def add_fault(path: Path, proxy: ProcessId, fault: Fault) -> Fault:
    """Set *fault*, and return it with its number."""
    with _changing(path):
        faults, last = _read(path, proxy)
        numbered = replace(fault, id=last + 1)
        _write(path, proxy, (*faults, numbered), last + 1)
    return numbered


def remove_faults(path: Path, proxy: ProcessId, is_gone: Callable[[Fault], bool]) -> Sequence[Fault]:
    """Clear some faults, and return them."""
    with _changing(path):
        faults, last = _read(path, proxy)
        gone = [fault for fault in faults if is_gone(fault)]
        if gone:
            _write(path, proxy, [fault for fault in faults if fault not in gone], last)
    return gone


def _read(path: Path, proxy: ProcessId) -> tuple[tuple[Fault, ...], int]:
    """The faults, and the last number that was given to one."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return (), 0
    if content["proxy"] != asdict(proxy):
        return (), 0
    return tuple(_fault(one) for one in content["faults"]), content["last"]


def _write(path: Path, proxy: ProcessId, faults: Sequence[Fault], last: int) -> None:
    content = {"proxy": asdict(proxy), "last": last, "faults": [asdict(fault) for fault in faults]}
    write_atomically(path, json.dumps(content, indent=1, default=datetime.isoformat).encode())


def _fault(content: Mapping[str, Any]) -> Fault:
    effects = dict(content["effects"])
    if effects["latency"]:
        effects["latency"] = Latency(tuple((share, seconds) for share, seconds in effects["latency"]["points"]))
    expires = content["expires"]
    return Fault(
        **{
            **content,
            "effects": Effects(**effects),
            "expires": datetime.fromisoformat(expires) if expires else None,
        }
    )


@contextlib.contextmanager
def _changing(path: Path) -> Iterator[None]:
    """One at a time; not the project's lock, so that a fault can be set while a promotion runs."""
    with (path.parent / _LOCK_FILE).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def watch_faults(path: Path, proxy: ProcessId) -> WatchedFile[tuple[Fault, ...]]:
    """The faults for *proxy* as last set."""
    return WatchedFile(path, functools.partial(load_faults, proxy=proxy), missing=())
