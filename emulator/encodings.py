"""Bodies as they read: what ``Content-Encoding`` did to them is undone, within bounds."""

from __future__ import annotations

import zlib

from emulator.model.exchanges import Headers

# What a body may be once it is decompressed: more would be a bomb.
MAX_DECODED = 4 * 1024 * 1024
# Told from the first bytes: gzip or zlib; some servers send bare deflate.
_AUTOMATIC, _BARE = 32 + zlib.MAX_WBITS, -zlib.MAX_WBITS
_WINDOWS = {"gzip": (_AUTOMATIC,), "x-gzip": (_AUTOMATIC,), "deflate": (_AUTOMATIC, _BARE)}


def unpacked(body: bytes, headers: Headers, *, most: int) -> bytes | None:
    """A body as it was before it was encoded; None when that can't be read whole, or has more than *most* bytes."""
    for encoding in reversed(encodings_of(headers)) if body else ():
        found = (_whole(body, window, most) for window in _WINDOWS.get(encoding, ()))
        plain = next((one for one in found if one is not None), None)
        if plain is None:
            return None
        body = plain
    return body


def _whole(body: bytes, window: int, most: int) -> bytes | None:
    unpacker = zlib.decompressobj(window)
    try:
        plain = unpacker.decompress(body, most)
    except zlib.error:
        return None
    return plain if unpacker.eof and not unpacker.unused_data else None


def encodings_of(headers: Headers) -> list[str]:
    """What was done to a body, in that order."""
    given = [
        part.strip().lower()
        for name, value in headers
        if name.lower() == "content-encoding"
        for part in value.split(",")
    ]
    return [one for one in given if one and one != "identity"]


def decoded(body: bytes, headers: Headers) -> bytes | None:
    """A body as it was before it was encoded, at most ``MAX_DECODED`` bytes of it; None when it can't be read."""
    for encoding in reversed(encodings_of(headers)):
        if encoding not in {"gzip", "x-gzip", "deflate"}:
            return None
        plain = _inflated(body, _AUTOMATIC)
        if plain is None and encoding == "deflate":
            plain = _inflated(body, _BARE)
        if plain is None:
            return None
        body = plain
    return body


def _inflated(body: bytes, window: int) -> bytes | None:
    try:
        return zlib.decompressobj(window).decompress(body, MAX_DECODED)
    except zlib.error:
        return None
