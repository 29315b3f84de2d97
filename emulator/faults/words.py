"""Times, shares, rates and sizes as people write them: ``300ms``, ``10%``, ``20/s``, ``16kB``."""

from __future__ import annotations

import re

_UNITS = {"": 1, "B": 1, "kB": 1000, "KB": 1000, "MB": 1000**2, "KiB": 1024, "MiB": 1024**2}
_NUMBER = r"([0-9]{1,9}(?:\.[0-9]{1,6})?)"
_MOST_SECONDS = 60.0
_MOST_BYTES = 10**10


def read_seconds(text: str) -> float:
    """
    Seconds from ``300ms`` or ``1.5s``.

    Raises:
        ValueError: *text* is none; as of every function here, the message completes "must be …".
    """
    match = re.fullmatch(_NUMBER + "(ms|s)", text)
    seconds = float(match[1]) / (1000 if match[2] == "ms" else 1) if match else _MOST_SECONDS + 1
    if seconds > _MOST_SECONDS:
        raise ValueError('a time such as "300ms" or "1.5s", up to 60s')
    return seconds


def show_seconds(seconds: float) -> str:
    """Write *seconds* so that it can be read again."""
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:g}ms"


def read_share(text: str) -> float:
    """A share above 0 and up to 1 from ``12.5%``."""
    match = re.fullmatch(_NUMBER + "%", text)
    if match is None or not 0 < float(match[1]) <= 100:
        raise ValueError('a share above 0% and up to 100%, such as "10%"')
    return float(match[1]) / 100


def show_share(share: float) -> str:
    """Write *share* so that it can be read again."""
    return f"{share * 100:g}%"


def read_rate(text: str) -> float:
    """Requests per second from ``20/s`` or ``30/m``."""
    match = re.fullmatch(_NUMBER + "/(s|m)", text)
    if match is None or not float(match[1]):
        raise ValueError('a rate such as "20/s" or "30/m"')
    return float(match[1]) / (60 if match[2] == "m" else 1)


def show_rate(rate: float) -> str:
    """Write requests per second so that it can be read again."""
    return f"{rate:g}/s" if rate >= 1 else f"{rate * 60:g}/m"


def read_size(text: str) -> int:
    """Bytes from ``512``, ``16kB`` or ``1MiB``."""
    match = re.fullmatch(_NUMBER + " ?([kKM]?i?B)?", text)
    unit = _UNITS.get(match[2] or "") if match else None
    if match is None or unit is None or float(match[1]) * unit > _MOST_BYTES:
        raise ValueError('a number of bytes such as "512", "16kB" or "1MiB", up to 10000MB')
    return int(float(match[1]) * unit)


def show_size(size: int) -> str:
    """Write bytes so that they can be read again."""
    for unit in ("MB", "MiB", "kB", "KiB"):
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return f"{size}B"


def read_bandwidth(text: str) -> int:
    """Bytes per second from ``20kB/s``."""
    try:
        size = read_size(text.removesuffix("/s")) if text.endswith("/s") else 0
    except ValueError:
        size = 0
    if not size:
        raise ValueError('bytes per second such as "500B/s" or "20kB/s"')
    return size


def show_bandwidth(bandwidth: int) -> str:
    """Write bytes per second so that they can be read again."""
    return f"{show_size(bandwidth)}/s"
