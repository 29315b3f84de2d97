"""Which headers a corpus keeps, and which are sent again."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from emulator.differences.noise import ALWAYS
from emulator.proxy.rewrite import HOP_BY_HOP

Headers = Sequence[tuple[str, str]]

# Said anew by whoever sends a request again. Bodies are kept decoded (emulator.inspector.redaction), and asked for so.
_OF_A_CONNECTION = HOP_BY_HOP | {"accept-encoding", "content-encoding", "content-length", "expect", "host"}
_OURS = "x-multistack-"
# What no comparison looks at makes only noise in git; the proxy says who it is where the environment doesn't.
_NEVER_COMPARED = frozenset({"server", *(str(mask.place.at[0]) for mask in ALWAYS)})


def request_headers(headers: Headers) -> list[tuple[str, str]]:
    """Those of a request that mean the same in any environment."""
    return [(name, value) for name, value in headers if _is_kept(name)]


def answer_headers(headers: Headers) -> list[tuple[str, str]]:
    """Those of an answer that say something about the service."""
    return [(name, value) for name, value in headers if _is_compared(name)]


# The same names come with every request.
@functools.lru_cache(maxsize=1024)
def _is_kept(name: str) -> bool:
    key = name.lower()
    return key not in _OF_A_CONNECTION and not key.startswith((_OURS, ":"))


@functools.lru_cache(maxsize=1024)
def _is_compared(name: str) -> bool:
    return _is_kept(name) and name.lower() not in _NEVER_COMPARED
