"""
Each of botocore's data files is parsed once, into plain dictionaries.

LocalStack makes dozens of sessions, each with a loader and so with a parsed copy of its own of the same descriptions of
regions and services: 100 MB and more.
"""

from __future__ import annotations

import gzip
import json
import sys
import threading
from pathlib import Path
from typing import Any

_SUFFIXES = (".json", ".json.gz")


class SharedFiles:
    """Parsed files by path; safe to use from several threads."""

    def __init__(self) -> None:
        self._parsed: dict[str, Any] = {}
        self._lock = threading.Lock()

    def load(self, path: str) -> Any:
        """What is in *path* with ``.json`` or ``.json.gz`` at its end; None if there is no such file."""
        found = self._parsed.get(path)
        if found is None:
            with self._lock:
                found = self._parsed.get(path)
                if found is None:
                    found = _parse(path)
                    if found is not None:
                        self._parsed[path] = found
        return found


def _parse(path: str) -> Any:
    for suffix in _SUFFIXES:
        file = Path(path + suffix)
        if file.is_file():
            data = file.read_bytes()
            return json.loads(gzip.decompress(data) if suffix.endswith(".gz") else data, object_pairs_hook=_interned)
    return None


def _interned(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The same names and short values recur thousands of times."""
    return {sys.intern(name): sys.intern(value) if type(value) is str else value for name, value in pairs}


def share() -> None:
    """Have all loaders of this process use the same parsed files."""
    from botocore.loaders import JSONFileLoader

    files = SharedFiles()

    def load_file(self: Any, file_path: str) -> Any:
        return files.load(file_path)

    JSONFileLoader.load_file = load_file
