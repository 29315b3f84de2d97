"""Where the Docker engine is, whether it may be used, and its errors in our words."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
import requests
import urllib3
from docker.errors import APIError, DockerException, NotFound

from emulator.drivers.engine import address, connect, refuse_old, refuse_remote, talking
from emulator.errors import MultistackError, NotReady

LOCAL = [
    "unix:///var/run/docker.sock",
    "http+unix:///run/user/1000/podman.sock",
    "npipe:////./pipe/docker_engine",
    "tcp://127.0.0.1:2375",
    "tcp://[::1]:2375",
    "https://127.0.0.1:2376",
]
REMOTE = [
    "tcp://192.0.2.7:2375",
    "tcp://10.0.0.7:2375",
    "http://192.0.2.7:2375",
    "ssh://root@127.0.0.1",
    "tcp://does-not-exist.invalid:2375",
]
NONE = ["nowhere", "unix://", "tcp://", "tcp://[", "://127.0.0.1"]


@pytest.mark.parametrize("where", LOCAL)
def test_engine_of_this_machine_may_be_used(where: str) -> None:
    """A socket, or loopback."""
    refuse_remote(where)


@pytest.mark.parametrize("where", REMOTE)
def test_engine_elsewhere_is_refused(where: str) -> None:
    """Nobody's environments run on another machine by accident; SSH leads to one whatever it is called."""
    with pytest.raises(NotReady, match="is on another machine") as refused:
        refuse_remote(where)
    assert "allow_remote" in str(refused.value.hint)


@pytest.mark.parametrize("where", NONE)
def test_what_is_no_address_is_refused(where: str) -> None:
    """With the form that one has."""
    with pytest.raises(NotReady, match="is no address of an engine"):
        refuse_remote(where)


def test_docker_host_decides_on_the_address(tmp_path: Path) -> None:
    """As for the docker command; an empty one counts as not set."""
    assert address({"DOCKER_HOST": "unix:///tmp/a.sock"}) == "unix:///tmp/a.sock"
    assert address({"DOCKER_HOST": ""}) == address({})


FAULTS: dict[str, tuple[str, str]] = {
    "nowhere": ("unix://{folder}/nowhere.sock", "no Docker engine: there is no socket {folder}/nowhere.sock"),
    "a file": ("unix://{folder}/file", "no Docker engine: {folder}/file is no socket"),
    "a folder": ("unix://{folder}", "no Docker engine: {folder} is no socket"),
    "nobody listens": ("unix://{folder}/dead.sock", "no Docker engine answers at"),
    "no port": ("tcp://127.0.0.1:1", "no Docker engine answers at"),
    "remote": ("tcp://192.0.2.7:2375", "is on another machine"),
}


@pytest.mark.parametrize(("where", "message"), FAULTS.values(), ids=FAULTS)
def test_engine_that_does_not_answer_is_one_line(tmp_path: Path, where: str, message: str) -> None:
    """What is wrong with it, and what to do."""
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
        with pytest.raises(NotReady) as refused:
            connect({"DOCKER_HOST": where.format(folder=tmp_path)}, allow_remote=False)
    assert message.format(folder=tmp_path) in refused.value.message
    assert refused.value.hint


def test_remote_engine_is_tried_when_allowed() -> None:
    """Then it is as any other."""
    with pytest.raises(NotReady, match="no Docker engine answers at"):
        connect({"DOCKER_HOST": "tcp://does-not-exist.invalid:2375"}, allow_remote=True)


@pytest.mark.parametrize("version", ["1.40", "1.9", "0.99"])
def test_old_engine_is_refused(version: str) -> None:
    """Versions are numbers: 1.9 is older than 1.41."""
    with pytest.raises(NotReady, match=f"speaks API {version}, multistack needs 1.41"):
        refuse_old("unix:///a", version)


@pytest.mark.parametrize("version", ["1.41", "1.50", "2.0"])
def test_new_engine_is_taken(version: str) -> None:
    """From Docker 20.10 on."""
    refuse_old("unix:///a", version)


SAID: dict[str, tuple[Exception, str, str]] = {
    "port": (
        APIError("500", explanation="driver failed: Bind for 127.0.0.1:4600 failed: port is already allocated."),
        "environment test: the Docker engine says: driver failed: Bind for 127.0.0.1:4600 failed: "
        "port is already allocated",
        "stop the program",
    ),
    "disk": (
        APIError("500", explanation="write /var/lib/docker: no space left on device"),
        "environment test: the Docker engine says: write /var/lib/docker: no space left on device",
        "free some space",
    ),
    "gone": (
        NotFound("404", explanation="No such container: f00"),
        "environment test: the Docker engine says: No such container: f00",
        "",
    ),
    "too few managers": (
        APIError("500", explanation="rpc error: code = Unknown desc = The swarm does not have a leader. …"),
        "environment test: the swarm has no leader, and decides nothing",
        "more than half must be up",
    ),
    "ended": (
        requests.ConnectionError("refused"),
        "environment test: the Docker engine no longer answers",
        "start it",
    ),
    "ended while sending": (
        urllib3.exceptions.ProtocolError("cut"),
        "environment test: the Docker engine no longer answers",
        "start it",
    ),
    "hanging": (requests.ReadTimeout("60 s"), "environment test: the Docker engine no longer answers", "start it"),
    "broken": (DockerException("no JSON"), "environment test: the Docker engine no longer answers", "start it"),
}


@pytest.mark.parametrize(("error", "message", "hint"), SAID.values(), ids=SAID)
def test_errors_of_the_engine_are_one_line(error: Exception, message: str, hint: str) -> None:
    """In its words, with what they are about."""
    with pytest.raises(NotReady) as told, talking("environment test"):
        raise error
    assert told.value.message == message
    assert hint in str(told.value.hint or "")


OTHERS: Mapping[str, Exception] = {
    "file": FileNotFoundError(2, "No such file", "/a"),
    "ours": MultistackError("its own"),
    "bug": KeyError("Labels"),
}


@pytest.mark.parametrize("error", OTHERS.values(), ids=OTHERS)
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    """A file of this machine, or a bug, is no fault of the engine."""
    with pytest.raises(type(error)) as raised, talking("environment test"):
        raise error
    assert raised.value is error
