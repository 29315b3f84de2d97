"""What this machine has and lacks, whatever the project: Python, packages, names, other programs."""

from __future__ import annotations

import importlib.metadata
import ipaddress
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

from emulator.config import scrubbed_environ
from emulator.doctor.check import Check, Verdict

PYTHON = (3, 11)
_DISTRIBUTIONS = ("multistack-emulator", "ministack", "boto3", "botocore")
_EXACT = re.compile(r"\s*([A-Za-z0-9._-]+)\s*==\s*([^\s;,]+)\s*$")
# Seconds that another program may take to tell its version.
_PATIENCE = 5.0


def check_python(version: Sequence[int]) -> Check:
    """Whether this Python is new enough."""
    found = ".".join(str(part) for part in version)
    if tuple(version[:2]) >= PYTHON:
        return Check(name="python", verdict=Verdict.OK, found=found)
    least = ".".join(str(part) for part in PYTHON)
    return Check(
        name="python",
        verdict=Verdict.PROBLEM,
        found=found,
        advice=f"multistack needs Python {least} or newer, e.g. `uv tool install --python {least} multistack-emulator`",
    )


def check_versions(version: Callable[[str], str], requires: Callable[[str], Sequence[str] | None]) -> Check:
    """
    Whether what is installed is what the exact pins of multistack and MiniStack ask for.

    Args:
        version: As ``importlib.metadata.version``.
        requires: As ``importlib.metadata.requires``.
    """
    installed, missing = {}, []
    for name in _DISTRIBUTIONS:
        try:
            installed[name] = version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    found = ", ".join(f"{name} {number}" for name, number in installed.items())
    repair = "reinstall: `pip install --force-reinstall multistack-emulator`"
    if missing:
        advice = f"{', '.join(missing)} not installed; {repair}"
        return Check(name="packages", verdict=Verdict.PROBLEM, found=found or "none", advice=advice)
    pins = [
        (owner, match[1], match[2])
        for owner in ("multistack-emulator", "ministack")
        for requirement in requires(owner) or ()
        if (match := _EXACT.fullmatch(requirement)) and match[1] in installed
    ]
    wrong = [f"{owner} needs {name} {pin}" for owner, name, pin in pins if installed[name] != pin]
    if wrong:
        advice = f"{'; '.join(wrong)}: another package has replaced it; install multistack in an environment of its own"
        return Check(name="packages", verdict=Verdict.PROBLEM, found=found, advice=advice)
    return Check(name="packages", verdict=Verdict.OK, found=found)


def check_localhost(resolved: Sequence[str]) -> Check:
    """Whether ``localhost`` means this machine."""
    found = ", ".join(resolved) or "does not resolve"
    if resolved and all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in resolved):
        return Check(name="localhost", verdict=Verdict.OK, found=found)
    return Check(
        name="localhost",
        verdict=Verdict.PROBLEM if resolved else Verdict.WARNING,
        found=found,
        advice="add `127.0.0.1 localhost` to /etc/hosts; multistack itself uses 127.0.0.1, other tools may not",
    )


def check_http_proxy(environ: Mapping[str, str]) -> Check:
    """Whether requests to this machine would go through an HTTP proxy."""
    names = [name for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY") if environ.get(name)]
    if not names:
        return Check(name="http proxy", verdict=Verdict.OK, found="none set")
    hosts = {host.strip() for name in ("no_proxy", "NO_PROXY") for host in environ.get(name, "").split(",")}
    if "*" in hosts or "127.0.0.1" in hosts:
        return Check(name="http proxy", verdict=Verdict.OK, found=f"{names[0]} set, 127.0.0.1 excepted")
    return Check(
        name="http proxy",
        verdict=Verdict.WARNING,
        found=f"{names[0]} set, 127.0.0.1 not excepted",
        advice="curl and AWS tools would ask it for 127.0.0.1: add `127.0.0.1,localhost` to NO_PROXY and no_proxy",
    )


def check_pip(is_importable: bool) -> Check:
    """Whether a function's requirements can be installed."""
    if is_importable:
        return Check(name="pip", verdict=Verdict.OK, found="can be imported")
    return Check(
        name="pip",
        verdict=Verdict.WARNING,
        found=f"not in {sys.prefix}",
        advice=f"functions with a requirements.txt can't be built: `{sys.executable} -m ensurepip`, "
        "or with uv: `uv tool install --with pip multistack-emulator`",
    )


def check_node(version: str | None) -> Check:
    """Which Node runs Node functions."""
    if version is not None:
        return Check(name="node", verdict=Verdict.OK, found=version)
    advice = "needed for functions with a nodejs runtime only"
    return Check(name="node", verdict=Verdict.INFO, found="not found", advice=advice)


def addresses(host: str) -> list[str]:
    """What *host* resolves to; nothing when it doesn't."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return sorted({str(address[4][0]) for address in found})


def version_of(command: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """The first line that *command* prints, or None when it is missing, fails or hangs."""
    try:
        done = subprocess.run(
            list(command),
            env=scrubbed_environ(environ),
            cwd=os.sep,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(done.stdout.split("\n"))).strip() or None
