"""
What pip of this machine needs to reach its package index, for the time of a build.

Behind a company's proxy or mirror a build would fail without it. Paths, and what is not about reaching an index, are
left out: they mean nothing inside a container.
"""

from __future__ import annotations

import configparser
from collections.abc import Iterator, Mapping
from pathlib import Path

# pip's option to the variable that sets it. Source: https://pip.pypa.io/en/stable/topics/configuration/
_OPTIONS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
_CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
_SYSTEM_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_SECTIONS = ("global", "install")
# Which a build gets without the image keeping them. Source: Dockerfile reference, "Predefined ARGs".
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


def proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """The build arguments by which pip and apt in a build find the HTTP proxy of *environ*, in both spellings."""
    found: dict[str, str] = {}
    for name in _PROXIES:
        # Programs look at the lower-case one first.
        if value := environ.get(name.lower()) or environ.get(name):
            found |= {name: value, name.lower(): value}
    return found


def host_files(environ: Mapping[str, str], *, root: Path = Path("/")) -> dict[str, bytes]:
    """
    Files for the folder ``host`` of the build context; none where pip needs nothing.

    Args:
        environ: The caller's variables.
        root: The file system that system-wide settings are read from.
    """
    settings = _settings(environ, root)
    files = {}
    lines = [f"{option} = {settings[option]}" for option in _OPTIONS if settings.get(option)]
    if lines:
        files["pip.conf"] = "\n".join(["[global]", *lines, ""]).encode()
    certificates = _certificates(environ, settings, root)
    if certificates is not None:
        files["ca-certificates.crt"] = certificates
    return files


def _settings(environ: Mapping[str, str], root: Path) -> dict[str, str]:
    """What pip's files say, in the order in which pip reads them, and then its variables."""
    found: dict[str, str] = {}
    for path in _configuration_files(environ, root):
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue  # pip itself will complain about it
        for section in _SECTIONS:
            if parser.has_section(section):
                found |= dict(parser.items(section))
    for option in (*_OPTIONS, "default-timeout"):
        if value := environ.get(f"PIP_{option.upper().replace('-', '_')}"):
            found[option] = value
    found.setdefault("timeout", found.get("default-timeout", ""))
    for option in ("index-url", "extra-index-url"):
        urls = [url for url in found.get(option, "").split() if url.startswith(("http://", "https://"))]
        found[option] = " ".join(urls)
    return found


def _configuration_files(environ: Mapping[str, str], root: Path) -> Iterator[Path]:
    own = environ.get("PIP_CONFIG_FILE", "")
    if own == "/dev/null":
        return
    for folder in reversed(environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")):
        yield root / folder.lstrip("/") / "pip" / "pip.conf"
    yield root / "etc" / "pip.conf"
    if home := environ.get("HOME"):
        yield Path(home) / ".pip" / "pip.conf"
        yield Path(environ.get("XDG_CONFIG_HOME") or Path(home) / ".config") / "pip" / "pip.conf"
    if own:
        yield Path(own)


def _certificates(environ: Mapping[str, str], settings: Mapping[str, str], root: Path) -> bytes | None:
    candidates = [environ.get("PIP_CERT"), settings.get("cert"), *(environ.get(name) for name in _CERTIFICATES)]
    paths = [Path(candidate) for candidate in candidates if candidate]
    for path in [*paths, root / _SYSTEM_CERTIFICATES.lstrip("/")]:
        try:
            return path.read_bytes()
        except OSError:
            continue
    return None
