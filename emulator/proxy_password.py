"""The password that the proxy asks of other machines: the user's or one that is made, in a file for its owner only."""

from __future__ import annotations

import ipaddress
import os
import secrets
from pathlib import Path

from emulator.model import ProxySettings

PASSWORD_FILE = "password"  # noqa: S105 (what it is called)
_BYTES = 15


def reaches_others(settings: ProxySettings) -> bool:
    """Whether other machines reach the proxy, by themselves or through a reverse proxy on this one."""
    is_open = not ipaddress.ip_address(settings.host).is_loopback
    return is_open or bool(settings.domains or settings.trusted)


def is_guarded(settings: ProxySettings) -> bool:
    """Whether they need a password for it."""
    return settings.asks_password and reaches_others(settings)


def public_form(url: str, settings: ProxySettings) -> str:
    """The proxy's *url* as other machines ask for it: by its first domain, with HTTPS where a reverse proxy has it."""
    if not settings.domains:
        return url
    name, _, port = settings.domains[0].partition(":")
    if settings.trusted:
        return f"https://{name}:{port}" if port else f"https://{name}"
    return f"http://{name}:{port or url.rpartition(':')[2]}"


def keep_password(path: Path, wanted: str | None) -> bool:
    """
    See to it that *path* holds a password; True if one was made.

    Args:
        wanted: The one to keep; None for what is there, or else a new one.
    """
    known = read_password(path)
    if known and wanted in (None, known):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    # Never readable for others, not even for a moment.
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{wanted or secrets.token_urlsafe(_BYTES)}\n")
    aside.replace(path)
    return wanted is None


def read_password(path: Path) -> str | None:
    """The password in *path*; None without one."""
    try:
        return path.read_text().strip() or None
    except FileNotFoundError:
        return None
