"""The URL of a store: what may stand in it, and how it is shown. Nothing here loads a database driver."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from emulator.model import StoreSettings

URL, TIMEOUT = "MULTISTACK_STORE", "MULTISTACK_STORE_TIMEOUT"
_SCHEMES = frozenset({"postgresql", "postgres"})


def checked_url(value: str) -> str:
    """
    *value*, if it can be a store's URL, or is empty.

    Raises:
        ValueError: It can't.
    """
    if value:
        parts = urlsplit(value)
        is_whole = bool(parts.path.strip("/")) and not parts.fragment and value.isprintable()
        # Of a password with a slash in it a part would pass for the database's name.
        if parts.scheme not in _SCHEMES or not is_whole or "@" in parts.path:
            raise ValueError("no URL of a PostgreSQL database")
        parts.port  # noqa: B018 (raises what is wrong with it)
    return value


def has_password(url: str) -> bool:
    """Whether *url* says a password, also as a parameter."""
    return bool(_passwords(urlsplit(url)))


def shown_url(url: str) -> str:
    """*url* without anything that may be secret: user, host and database."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2] or ",".join(parse_qs(parts.query).get("host", []))
    user = f"{parts.username}@" if parts.username else ""
    return f"postgresql://{user}{host}/{parts.path.strip('/')}"


def store_environ(settings: StoreSettings | None) -> Mapping[str, str]:
    """The variables by which a process of ours knows its store: others may look at its arguments."""
    return {} if settings is None else {URL: settings.url, TIMEOUT: f"{settings.timeout:g}"}


def store_in(environ: Mapping[str, str]) -> StoreSettings | None:
    """The opposite of :func:`store_environ`."""
    url, timeout = environ.get(URL), environ.get(TIMEOUT)
    if not url:
        return None
    return StoreSettings(url=url, timeout=float(timeout)) if timeout else StoreSettings(url=url)


def without_password(text: str, url: str) -> str:
    """*text*, e.g. of an error, without a password that stands in *url*."""
    for password in _passwords(urlsplit(url)):
        text = text.replace(password, "***")
    return text


def _passwords(parts: SplitResult) -> list[str]:
    query = parse_qs(parts.query)
    written = parts.password or ""
    found = (written, unquote(written), *query.get("password", []), *query.get("sslpassword", []))
    return [one for one in found if one]
