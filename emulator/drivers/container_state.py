"""The state in a container: saved on request, and read out of its volume."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from emulator.drivers.containers import IMAGE, STATE
from emulator.drivers.engine import talking
from emulator.errors import MultistackError

# Of the plugin in our image.
_COMMAND = "multistack-localstack"


def keeps_state(container: Any) -> bool:
    """Whether it was made of an image of ours; what others leave in the same place is not to be brought back."""
    return IMAGE in (container.labels or {})


def checkpoint_now(container: Any, where: str) -> None:
    """
    Let a running container of our image write all its state of this moment into its volume.

    Raises:
        MultistackError: It can't; the message says why.
    """
    with talking(where):
        code, said = container.exec_run([_COMMAND, "checkpoint"])
    if code:
        lines = said.decode(errors="replace").strip().splitlines() or ["it does not say why"]
        raise MultistackError(f"{where}: its container can't save its state: {lines[-1]}")


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


def archive(container: Any, where: str) -> Iterable[bytes] | None:
    """The state in a container's volume as the engine sends it, a tar; None when there is none."""
    from docker.errors import NotFound

    with talking(where):
        try:
            chunks, _ = container.get_archive(STATE)
        except NotFound:
            return None
    return _received(chunks, where)


def _received(chunks: Iterable[bytes], where: str) -> Iterator[bytes]:
    """The engine may go away while it sends."""
    with talking(where):
        yield from chunks
