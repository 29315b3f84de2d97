"""The state in a container: saved on request, and read out of its volume."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from docker.errors import NotFound

from emulator.drivers import container_state
from emulator.errors import MultistackError, NotReady

WHERE = "environment test"


class Container:
    """A container as the SDK has it; *did* is what was asked of it."""

    def __init__(self, *, code: int = 0, said: bytes = b"", state: Any = None, running: bool = True) -> None:
        self.attrs = {"State": {"Running": running, "Paused": False}}
        self.labels: dict[str, str] | None = {}
        self.did: list[str] = []
        self._answer = (code, said)
        self._state = state

    def exec_run(self, command: list[str]) -> tuple[int, bytes]:
        """The plugin's command."""
        self.did.append(" ".join(command))
        return self._answer

    def get_archive(self, path: str) -> tuple[Iterator[bytes], dict[str, str]]:
        """What is at *path*; a tar."""
        self.did.append(path)
        if self._state is None:
            raise NotFound("404", explanation=f"no such file: {path}")
        return iter(self._state), {}

    def pause(self) -> None:
        """Nothing runs from now on."""
        self.did.append("pause")

    def unpause(self) -> None:
        """It goes on."""
        self.did.append("unpause")


def test_checkpoint_is_the_plugins_command() -> None:
    """Zero means that it is complete on disk."""
    container = Container()
    container_state.checkpoint_now(container, WHERE)
    assert container.did == ["multistack-localstack checkpoint"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [(b"writing\nthe disk is full\n", "the disk is full"), (b"", "it does not say why")],
    ids=["with a reason", "without"],
)
def test_failed_checkpoint_is_told_in_its_last_line(said: bytes, reason: str) -> None:
    """Nobody takes an older state for one of this moment."""
    with pytest.raises(MultistackError, match=f"its container can't save its state: {reason}"):
        container_state.checkpoint_now(Container(code=1, said=said), WHERE)


def test_running_container_stands_still_meanwhile() -> None:
    """And goes on whatever happens."""
    container = Container()
    with pytest.raises(ZeroDivisionError), container_state.still(container, WHERE):
        container.did.append(str(1 / len(container.did[1:])))
    assert container.did == ["pause", "unpause"]


def test_stopped_container_is_left_as_it_is() -> None:
    """It can't be paused."""
    container = Container(running=False)
    with container_state.still(container, WHERE):
        pass
    assert container.did == []


def test_archive_is_what_the_engine_sends() -> None:
    """Chunk by chunk; None where an image left nothing."""
    found = container_state.archive(Container(state=[b"a", b"b"]), WHERE)
    assert found is not None
    assert list(found) == [b"a", b"b"]
    assert container_state.archive(Container(), WHERE) is None


def test_engine_that_ends_while_sending_is_told() -> None:
    """In one line, as when it is asked."""

    def broken() -> Iterator[bytes]:
        yield b"a"
        raise requests.exceptions.ChunkedEncodingError("cut")

    found = container_state.archive(Container(state=broken()), WHERE)
    assert found is not None
    with pytest.raises(NotReady, match="environment test: the Docker engine no longer answers"):
        list(found)


@pytest.mark.parametrize(
    ("labels", "keeps"),
    [({"dev.multistack.image": "4f00"}, True), ({}, False), (None, False)],
    ids=["ours", "another's", "no labels"],
)
def test_only_images_of_ours_keep_state(labels: dict[str, str] | None, keeps: bool) -> None:
    """LocalStack's own image has a folder of the same name, with nothing to come back from."""
    container = Container()
    container.labels = labels
    assert container_state.keeps_state(container) is keeps
