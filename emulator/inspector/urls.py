"""Where a kept request can be made again."""

from __future__ import annotations

from urllib.parse import quote

# Everything that may stand in a target; what may not, bytes beyond ASCII, is encoded.
_SAFE = "".join(chr(code) for code in range(0x21, 0x7F))


def url_of(base: str, target: str) -> str:
    """
    The URL of *target* in an environment.

    Args:
        base: Where the environment is served, with or without a slash at its end.
    """
    return base.rstrip("/") + quote(target.encode("latin-1", "replace"), safe=_SAFE)
