"""
Files among a service's code that hold secrets.

They go into the artifact: the code may read them, and would fail without them in a way that nobody understands. So
whoever builds is told instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from emulator.events import Emit, Event

_VARIABLES = ".env"
# Stores of keys that can't be looked into without their password.
_STORES = (".p12", ".pfx")
# A key itself, not what only talks about keys, such as parsers. In JSON, as Google's, line ends are written out.
# Source: RFC 7468, 10; OpenSSH's PROTOCOL.key.
_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----(?:\r?\n|\\n)[A-Za-z0-9+/=]{20}")
# Bytes; a key, alone or with its certificates, is far smaller.
_MOST = 64 * 1024
# Packages of others, too: their tests bring keys that open nothing.
_INSTALLED = "node_modules"
_SHOWN = 3


def secret_files(contents: Mapping[str, Path], *, installed: Path) -> Sequence[str]:
    """
    Which of *contents*, archive name to file, hold secrets.

    Args:
        installed: The folder with packages of others, which are not looked at.

    Raises:
        OSError: A file can't be read.
    """
    own = {name for name, path in contents.items() if not path.is_relative_to(installed)}
    return [name for name in sorted(own) if _INSTALLED not in name.split("/") and _is_secret(contents[name])]


def _is_secret(path: Path) -> bool:
    if path.name == _VARIABLES or path.suffix.lower() in _STORES:
        return True
    return path.stat().st_size <= _MOST and _KEY.search(path.read_bytes()) is not None


def warn(names: Sequence[str], emit: Emit) -> None:
    """Say once of a build which files those are, and what to do; nothing when there are none."""
    if names:
        more = f" and {len(names) - _SHOWN} others" if len(names) > _SHOWN else ""
        emit(
            Event(
                None,
                "warning:",
                f"{', '.join(names[:_SHOWN])}{more}: secrets among the code go into the artifact;"
                " declare them as config, or keep them out of its folder (only .env.* never goes in)",
            )
        )
