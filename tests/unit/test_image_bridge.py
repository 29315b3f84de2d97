"""The Runtime API beside a function's container."""

from __future__ import annotations

import io
import json
import queue
from collections.abc import Iterator
from typing import Any

import docker.errors
import pytest
import requests

from emulator.drivers.launcher.functions import image_bridge
from emulator.drivers.launcher.functions.image_bridge import Bridge

HOST = "127.0.0.1:4000"
CALL = {
    "event": {"a": 1},
    "request_id": "one",
    "arn": "arn",
    "seconds": 3.0,
    "trace_id": None,
    "client_context": {"custom": 1},
}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bytes]]:
    """What goes to the emulator: file descriptor and bytes."""
    found: list[tuple[int, bytes]] = []
    monkeypatch.setattr(image_bridge, "_write", lambda fd, content: found.append((fd, content)))
    return found


@pytest.fixture
def bridge(written: list[tuple[int, bytes]]) -> Bridge:
    """One whose runtime has been handed a call."""
    bridge = Bridge("mark")
    bridge.host = HOST
    bridge.put(CALL)
    assert ask(bridge, "invocation/next") == ("200 OK", b'{"a": 1}')
    written.clear()
    return bridge


def ask(bridge: Bridge, path: str, body: bytes = b"", **headers: str) -> tuple[str, bytes]:
    """Status and body of the answer."""
    seen: list[str] = []
    environ: dict[str, Any] = {
        "PATH_INFO": f"/2018-06-01/runtime/{path}",
        "HTTP_HOST": HOST,
        "wsgi.input": io.BytesIO(body),
        **headers,
    }
    answer = b"".join(bridge(environ, lambda status, _headers: seen.append(status)))
    return seen[0], answer


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param(("response", b'{"b": 2}', {}), {"value": {"b": 2}}, id="JSON"),
        pytest.param(("response", b"text", {}), {"value": "text"}, id="text"),
        pytest.param(
            ("error", b'{"errorMessage": "no"}', {"HTTP_LAMBDA_RUNTIME_FUNCTION_ERROR_TYPE": "Own"}),
            {"error": {"errorType": "Own", "errorMessage": "no"}},
            id="error",
        ),
    ],
)
def test_what_came_of_a_call_is_told_behind_its_log(
    bridge: Bridge,
    written: list[tuple[int, bytes]],
    sent: tuple[str, bytes, dict[str, str]],
    expected: dict[str, Any],
) -> None:
    """The mark first, on the log's pipe."""
    path, body, headers = sent
    assert ask(bridge, f"invocation/one/{path}", body, **headers)[0] == "202 Accepted"
    (log, mark), (answers, answer) = written
    assert (log, mark, answers) == (2, b"mark", 1)
    assert json.loads(answer) == {"status": "done", **expected}


@pytest.mark.parametrize(
    "headers", [{"HTTP_HOST": "evil.example"}, {"HTTP_ORIGIN": "null"}, {"HTTP_SEC_FETCH_SITE": "a"}]
)
@pytest.mark.parametrize("path", ["invocation/next", "invocation/one/response", "init/error"])
def test_no_web_page_is_served(
    bridge: Bridge, written: list[tuple[int, bytes]], path: str, headers: dict[str, str]
) -> None:
    """One reaches any port of this machine, and would take events or answer them."""
    assert ask(bridge, path, b"{}", **headers)[0] == "403 Forbidden"
    assert written == []


@pytest.mark.parametrize("path", ["invocation/other/response", "invocation//error", "invocation"])
def test_only_the_call_that_runs_is_answered(bridge: Bridge, written: list[tuple[int, bytes]], path: str) -> None:
    """And once."""
    assert ask(bridge, path, b"{}")[0] == "400 Bad Request"
    assert written == []
    ask(bridge, "invocation/one/response", b"{}")
    written.clear()
    for over in ("one", ""):
        assert ask(bridge, f"invocation/{over}/response", b"{}")[0] == "400 Bad Request"
    assert written == []


def test_what_is_no_part_of_the_api_is_not_found(bridge: Bridge) -> None:
    """Extensions ask for more than there is, and the call that runs is answered all the same."""
    assert ask(bridge, "other")[0] == "404 Not Found"
    assert ask(bridge, "invocation/one/response", b"{}")[0] == "202 Accepted"


class Container:
    """One that the engine knows no more of, or that ended with 3."""

    def __init__(self, *, is_known: bool = True) -> None:
        self._is_known = is_known

    def wait(self, timeout: float) -> dict[str, int]:
        """As the SDK does it."""
        if not self._is_known:
            raise docker.errors.NotFound("no such container")
        return {"StatusCode": 3}


def broken_by(error: Exception) -> Iterator[bytes]:
    """The output of a container until the connection breaks."""
    yield b"one\n"
    raise error


def follow(bridge: Bridge, container: Container, output: Iterator[bytes]) -> int:
    """What is taken for its exit status."""
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()
    try:
        image_bridge._follow(container, output, bridge, ended)
    finally:
        status = ended.get_nowait()
    return status


@pytest.mark.parametrize(("is_known", "status"), [(True, 3), (False, 1)])
def test_a_container_that_ended_or_was_removed_ends_quietly(
    bridge: Bridge, capsys: pytest.CaptureFixture[str], is_known: bool, status: int
) -> None:
    """Its log is whole in both cases."""
    assert follow(bridge, Container(is_known=is_known), iter([b"one\n"])) == status
    assert capsys.readouterr().err == ""


def test_a_log_that_breaks_off_says_so(bridge: Bridge, capsys: pytest.CaptureFixture[str]) -> None:
    """What follows is missing, and nobody else would tell. How it ended is asked all the same."""
    assert follow(bridge, Container(), broken_by(requests.exceptions.ConnectionError())) == 3
    assert capsys.readouterr().err == "the log of this container breaks off: the Docker engine no longer answers\n"


def test_a_bug_while_a_log_is_passed_on_keeps_nobody_waiting(bridge: Bridge) -> None:
    """It is raised, which a thread prints; who waits for the container's end goes on."""
    with pytest.raises(ValueError, match="a bug"):
        follow(bridge, Container(), broken_by(ValueError("a bug")))
