"""Sizes of machines as people write and read them: ``16GiB``, ``100Mbit/s``."""

from __future__ import annotations

import re

_BINARY = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_DECIMAL = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([kmgt])(ib|b)?", re.IGNORECASE)
_RATE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([kmg])bit/s", re.IGNORECASE)
# Of memory in one machine; what has more is a slip of the finger.
_MOST_BYTES = 2**50


def read_size(text: str) -> int:
    """
    Bytes from ``16GiB``, ``16g`` (the same, as Docker writes it) or ``16GB``.

    Raises:
        ValueError: *text* is none; the message completes "must be …".
    """
    match = _SIZE.fullmatch(text)
    units = _DECIMAL if match and (match[3] or "").lower() == "b" else _BINARY
    size = int(float(match[1]) * units[match[2].lower()]) if match else 0
    if not 0 < size <= _MOST_BYTES:
        raise ValueError('a size such as "16GiB" or "768m", up to 1024TiB')
    return size


def read_rate(text: str) -> float:
    """
    Bytes per second from ``100Mbit/s``.

    Raises:
        ValueError: As for :func:`read_size`.
    """
    match = _RATE.fullmatch(text)
    rate = float(match[1]) * _DECIMAL[match[2].lower()] / 8 if match else 0
    if not rate:
        raise ValueError('a rate such as "100Mbit/s" or "1Gbit/s"')
    return rate


def show_size(size: float) -> str:
    """Bytes with three digits at most before the point, e.g. ``12.4 GiB``."""
    for unit, name in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            shown = size / unit
            return f"{shown:.1f} {name}" if shown < 100 else f"{shown:,.0f} {name}"
    return f"{size:.0f} B"


def show_seconds(seconds: float) -> str:
    """Seconds as a person waits for them, e.g. ``8.4 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"
