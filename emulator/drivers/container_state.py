"""The state of a container: asked for while it runs, and kept as a tar file on this machine while it doesn't."""

from __future__ import annotations

import contextlib
import json
import os
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from emulator import checkpoint
from emulator.drivers.containers import STATE
from emulator.drivers.engine import talking
from emulator.errors import MultistackError

_FILE = "container.tar"
_CHECKPOINT = "checkpoint"
# Of the plugin in our image.
_COMMAND = "multistack-localstack"
# The user of our image. Source: compose/localstack/Dockerfile.
_OWNER = 1000


def checkpoint_now(container: Any, where: str) -> None:
    """
    Let a running container write all its state of this moment into its volume.

    Raises:
        MultistackError: It can't; the message says why.
    """
    with talking(where):
        code, said = container.exec_run([_COMMAND, "checkpoint"])
    if code:
        lines = said.decode(errors="replace").strip().splitlines() or ["it does not say why"]
        raise MultistackError(f"{where}: its container can't save its state: {lines[-1]}")


def problem(container: Any, where: str) -> str:
    """What is wrong with the state of a running container of our image; empty where nothing is."""
    with talking(where):
        code, said = container.exec_run([_COMMAND, "condition"])
    try:
        return str(json.loads(said)["problem"]) if code == 0 else ""
    except (ValueError, KeyError, TypeError):
        return ""  # one that is just starting


@contextlib.contextmanager
def still(container: Any, where: str) -> Iterator[None]:
    """Let nothing change in a running container; a killed command leaves it paused, which the next ``up`` mends."""
    is_running = container.attrs["State"].get("Running") and not container.attrs["State"].get("Paused")
    if is_running:
        with talking(where):
            container.pause()
    try:
        yield
    finally:
        if is_running:
            with talking(where):
                container.unpause()


@contextlib.contextmanager
def archive(container: Any, where: str) -> Iterator[Iterable[bytes] | None]:
    """The state in a container's volume as the engine sends it, a tar; None when its image keeps none."""
    from docker.errors import NotFound

    with talking(where):
        try:
            chunks, _ = container.get_archive(STATE)
        except NotFound:
            chunks = None
    yield chunks


def keep(folder: Path, chunks: Iterable[bytes]) -> None:
    """
    Replace the kept state in *folder* by *chunks* of a tar, in one step.

    Raises:
        OSError: It can't be written; what was kept stays.
    """
    aside = folder / f".{_FILE}"
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(folder / _FILE)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise


def kept(folder: Path) -> bytes | None:
    """The kept state, a tar; None when there is none."""
    try:
        return (folder / _FILE).read_bytes()
    except FileNotFoundError:
        return None


def kept_at(folder: Path) -> datetime | None:
    """When the state in *folder* was kept; None when there is none."""
    try:
        return datetime.fromtimestamp((folder / _FILE).stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def forget(folder: Path) -> None:
    """Remove the kept state."""
    (folder / _FILE).unlink(missing_ok=True)


def for_container(folder: Path) -> IO[bytes] | None:
    """The kept state as a tar whose files are those of the container's user; None when there is none."""
    try:
        source = tarfile.open(folder / _FILE)  # noqa: SIM115 (closed by the next statement)
    except FileNotFoundError:
        return None
    with source:
        result = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
        with tarfile.open(fileobj=result, mode="w") as target:
            for member in source:
                member.uid = member.gid = _OWNER
                member.uname = member.gname = ""
                target.addfile(member, source.extractfile(member) if member.isfile() else None)
    result.seek(0)
    return result


def fill_copy(aside: Path, header: checkpoint.Header, payload: bytes) -> None:
    """What a saved state consists of."""
    checkpoint.write(aside / _CHECKPOINT, header, payload)


def load_copy(folder: Path, saved: Path) -> None:
    """Keep in *folder* what is in the saved state *saved*; raises as :func:`checkpoint.read`, and OSError."""
    _, payload = checkpoint.read(saved / _CHECKPOINT)
    keep(folder, [payload])
