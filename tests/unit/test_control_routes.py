"""Routes that need the token of the environment's folder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from emulator.drivers import control
from emulator.drivers.launcher import control_routes
from emulator.errors import MultistackError

TOKEN = "the-token"


@dataclass
class Routes:
    """The guarded application, and what reached it."""

    passed: list[str] = field(default_factory=list)
    done: list[Mapping[str, Any]] = field(default_factory=list)

    async def application(self, scope: Any, _receive: Any, send: Any) -> None:
        """What lies behind the guard."""
        self.passed.append(scope["path"])
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def act(self, content: Mapping[str, Any]) -> None:
        """An action; it fails when asked to."""
        self.done.append(content)
        if "fail" in content:
            raise MultistackError("no space left")

    def ask(
        self, method: str, path: str, *, tokens: Sequence[str] = (), body: Sequence[bytes] = (b"",)
    ) -> tuple[int, Any]:
        """Status and answer."""
        guarded = control_routes.guard(
            self.application, token=TOKEN, actions={"act": self.act}, condition=lambda: {"problem": "p"}
        )
        parts = list(body)
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"x-multistack-token", token.encode()) for token in tokens]
        scope = {"type": "http", "method": method, "path": path, "headers": headers}

        async def exchange() -> None:
            await guarded(scope, receive, send)

        asyncio.run(exchange())
        return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.mark.parametrize(
    "tokens",
    [[], [""], ["wrong"], [TOKEN[:-1]], [TOKEN + "x"], [TOKEN, TOKEN], ["wrong", TOKEN]],
    ids=["none", "empty", "wrong", "short", "long", "twice", "wrong first"],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/_multistack/act"),
        ("GET", "/_multistack/act"),
        ("POST", "/_multistack/none"),
        ("POST", "/_ministack/reset"),
        ("POST", "/_ministack/config"),
        ("DELETE", "/_ministack/anything"),
    ],
)
def test_without_the_token_nothing_happens(method: str, path: str, tokens: list[str]) -> None:
    """403, and nothing was reached."""
    routes = Routes()
    status, answer = routes.ask(method, path, tokens=tokens)
    assert (status, routes.passed, routes.done) == (403, [], [])
    assert answer == {"message": f"{path} needs the header X-Multistack-Token"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/_ministack/health"),
        ("GET", "/_localstack/health"),
        ("GET", "/_ministack/ses/messages"),
        ("PUT", "/_ministack/cfn-response/token"),
        ("POST", "/bucket/_multistack/act"),
        ("POST", "/"),
    ],
)
def test_everything_else_is_open(method: str, path: str) -> None:
    """Health, what only reads, what functions must be able to call, and AWS itself."""
    routes = Routes()
    assert routes.ask(method, path) == (299, {})
    assert routes.passed == [path]


def test_with_the_token_the_action_is_done() -> None:
    """It gets the object that was sent, in however many parts."""
    routes = Routes()
    assert routes.ask("POST", "/_multistack/act", tokens=[TOKEN], body=[b'{"a"', b": 1}"]) == (200, {})
    assert routes.ask("POST", "/_ministack/reset", tokens=[TOKEN]) == (299, {})
    assert (routes.done, routes.passed) == ([{"a": 1}], ["/_ministack/reset"])


def test_a_failed_action_says_why() -> None:
    """409 with the message."""
    status, answer = Routes().ask("POST", "/_multistack/act", tokens=[TOKEN], body=[b'{"fail": 1}'])
    assert (status, answer["message"]) == (409, "no space left")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        pytest.param("GET", "/_multistack/act", b"", 405, id="method"),
        pytest.param("POST", "/_multistack/none", b"", 404, id="route"),
        pytest.param("POST", "/_multistack/act", b"{", 400, id="no JSON"),
        pytest.param("POST", "/_multistack/act", b"[]", 400, id="no object"),
        pytest.param("POST", "/_multistack/act", b"x" * 100_000, 400, id="too long"),
    ],
)
def test_bad_requests_are_refused(method: str, path: str, body: bytes, status: int) -> None:
    """Nothing is done."""
    routes = Routes()
    assert routes.ask(method, path, tokens=[TOKEN], body=[body])[0] == status
    assert routes.done == []


def test_the_condition_is_no_secret() -> None:
    """Status asks for it with each look."""
    assert Routes().ask("GET", "/_multistack/state") == (200, {"problem": "p"})


def test_a_token_is_new_each_time_and_its_owners(tmp_path: Path) -> None:
    """Mode 600, also where a careless one lay."""
    (tmp_path / control.TOKEN_FILE).write_text("old")
    (tmp_path / control.TOKEN_FILE).chmod(0o644)
    tokens = [control.new_token(tmp_path), control.new_token(tmp_path)]
    assert len({*tokens, "old"}) == 3
    assert (tmp_path / control.TOKEN_FILE).read_text() == tokens[1]
    assert (tmp_path / control.TOKEN_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [control.TOKEN_FILE]
