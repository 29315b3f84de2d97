"""
A base image without a registry: Debian 13 and its Python 3.13 from Debian's own archive.

The packed file system can be kept in a folder, so that a machine whose engine is new each time, such as CI's, downloads
it once.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.drivers.engine import talking
from emulator.errors import MultistackError, file_hint
from emulator.events import Emit, Event

if TYPE_CHECKING:
    from docker import DockerClient

NAME = "multistack/base"
TAG = "trixie"
BASE = f"{NAME}:{TAG}"
_LABEL = "dev.multistack.base"
_PACKAGES = "ca-certificates,python3,python3-venv"
# What a base image of a registry leaves out as well.
_LEFT_OUT = (
    "./dev/",
    "./proc/",
    "./sys/",
    "./var/cache/apt/",
    "./var/lib/apt/lists/",
    "./var/log/",
    "./usr/share/doc/",
    "./usr/share/info/",
    "./usr/share/locale/",
    "./usr/share/man/",
    "./tmp/",
)
_INSTALL = "`apt-get install debootstrap`, or name an image with Python 3.13: `multistack image build --base IMAGE`"

Run = Callable[[Sequence[str]], tuple[int, str]]


def recipe_hash() -> str:
    """Changes with what the base is made of."""
    return hashlib.sha256(repr((TAG, _PACKAGES, _LEFT_OUT)).encode()).hexdigest()[:12]


def missing(*, which: Callable[[str], str | None] = shutil.which, user: Callable[[], int] | None = None) -> str:
    """What debootstrap can't be run for, with what to do; empty when it can."""
    ask = user or getattr(os, "geteuid", None)
    if platform.system() != "Linux" or ask is None:
        return "debootstrap needs Linux"
    if which("debootstrap") is None and not Path("/usr/sbin/debootstrap").exists():
        return "debootstrap is not installed"
    return "" if ask() == 0 else "debootstrap needs root"


def make_base(client: DockerClient, *, cache: Path | None, emit: Emit, run: Run | None = None) -> str:
    """
    Make the image :data:`BASE`; returns its name.

    Args:
        cache: A folder that keeps the packed file system, or None.
        run: Runs a command; returns its exit status and output.

    Raises:
        MultistackError: debootstrap is missing or failed, the disk is full, or the engine refuses.
    """
    packed = cache / f"base-{TAG}-{platform.machine()}-{recipe_hash()}.tar.gz" if cache else None
    if packed is not None and _is_whole(packed):
        emit(Event(None, "using", f"the base kept in {packed}"))
        return _import(client, packed)
    if reason := missing():
        raise MultistackError(f"no base image for the build: {reason}", hint=_INSTALL)
    began = time.monotonic()
    emit(Event(None, "making", f"the base image {BASE} with debootstrap"))
    try:
        with tempfile.TemporaryDirectory(prefix="multistack-base-") as work:
            tree = Path(work) / "tree"
            _debootstrap(tree, run or _run)
            made = Path(work) / "base.tar.gz"
            _pack(tree, made)
            name = _import(client, made)
            if packed is not None:
                _keep(made, packed)
    except OSError as error:
        what = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        raise MultistackError(f"the base image can't be made: {what}", hint=file_hint(error)) from error
    emit(Event(None, "made", f"the base image {BASE}", seconds=time.monotonic() - began))
    return name


def is_current(labels: dict[str, str] | None) -> bool:
    """Whether a base with these labels was made by this version's recipe."""
    return (labels or {}).get(_LABEL) == recipe_hash()


def _debootstrap(tree: Path, run: Run) -> None:
    program = shutil.which("debootstrap") or "/usr/sbin/debootstrap"
    status, output = run([program, "--variant=minbase", f"--include={_PACKAGES}", TAG, str(tree)])
    if status == 0:
        return
    lines = [line for line in output.splitlines() if line.strip()][-6:]
    if "No space left on device" in output:
        hint = "free some space, then run the same command again"
    else:
        hint = f"check that this machine reaches Debian's archive; or give another base: {_INSTALL.split(', or ')[1]}"
    raise MultistackError(f"debootstrap failed (exit status {status})", hint=hint, details=lines)


def _run(command: Sequence[str]) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    return done.returncode, done.stdout + done.stderr


def _pack(tree: Path, target: Path) -> None:
    """The tree as a tar, without what a base needs not."""

    def keep(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if f"{entry.name}/".startswith(_LEFT_OUT) and f"{entry.name}/" not in _LEFT_OUT else entry

    with tarfile.open(target, "w:gz", compresslevel=1) as tar:
        tar.add(tree, arcname=".", filter=keep)


def _import(client: DockerClient, packed: Path) -> str:
    with talking("the base image"):
        client.api.import_image_from_file(
            str(packed), repository=NAME, tag=TAG, changes=[f"LABEL {_LABEL}={recipe_hash()}", 'CMD ["/bin/sh"]']
        )
    return BASE


def _keep(made: Path, packed: Path) -> None:
    """All or nothing: a file that breaks off would be used by the next build."""
    packed.parent.mkdir(parents=True, exist_ok=True)
    unfinished = packed.with_suffix(f".{os.getpid()}")
    try:
        shutil.copyfile(made, unfinished)
        unfinished.replace(packed)
    finally:
        unfinished.unlink(missing_ok=True)


def _is_whole(packed: Path) -> bool:
    """Whether it can be read to its end; one that can't is made again."""
    try:
        with tarfile.open(packed) as tar:
            return any(entry.name.endswith("bin/python3.13") for entry in tar)
    except (OSError, tarfile.TarError, EOFError):
        return False
