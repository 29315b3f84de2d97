"""The API behind the proxy's pages, held to the document that describes it."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulator.dashboard.jobs import Command
from emulator.dashboard.stream import MOST_STREAMS
from emulator.proxy.app import Settings, create_app
from emulator.proxy.keeping import Keeping
from emulator.proxy.server import Server
from emulator.routes import publish_routes
from tests.browser.serving import route, upstream, write_ledger
from tests.conftest import http as answered

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
# Stands for multistack: what is asked of it here must not do anything.
HARMLESS = (sys.executable, "-c", "print('done')")


@contextlib.contextmanager
def serving(state: Path) -> Iterator[tuple[str, Server]]:
    """A proxy in front of three environments, one of them down, with a ledger and some kept requests."""
    (state / "proxy").mkdir(parents=True)
    keeping = Keeping(state / "proxy")
    with upstream() as url, socket.create_server(("127.0.0.1", 0)) as listener:
        publish_routes(
            state / "routes.json",
            [route("test", url), route("staging", url, number=2), route("prod", None, number=3, protected=True)],
        )
        write_ledger(state)
        command = Command(program=HARMLESS, file=state / "multistack.toml", environ=dict)
        settings = Settings(routes=state / "routes.json", timeout=5.0, max_body=10_000, command=command)
        app = create_app(settings, keeping=keeping)
        server = Server(listener, app, closing=app.extensions["dashboard"].close)
        thread = threading.Thread(target=server.start)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        for path in ("/test/a", "/staging/b", "/prod/c"):
            answered("GET", address + path)
        assert keeping.feed.wait_until_idle(5.0)
        yield address, server
        server.stop()
        thread.join()
        keeping.close()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("api") / ".multistack") as (address, _):
        yield address


def token(base: str) -> str:
    return str(answered("GET", f"{base}/_multistack/api/session").json()["token"])


@pytest.mark.timeout(600)
def test_api_is_what_its_document_says(base, tmp_path):
    """Whatever is asked, valid or not, is answered as described; schemathesis makes up the questions."""
    done = subprocess.run(
        [
            SCHEMATHESIS, "run", f"{base}/_multistack/api/openapi.json",
            "--header", f"X-Multistack-Token: {token(base)}",
            "--exclude-path", "/_multistack/api/events",  # it never ends; see below
            "--checks", "all", "--max-examples", "15", "--seed", "1", "--no-color",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


class Events:
    """A stream of events, open until the test lets go of it."""

    def __init__(self, base: str, query: str = "") -> None:
        self._connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=20)
        self._connection.request("GET", f"/_multistack/api/events{query}")
        self.answer = self._connection.getresponse()

    def next(self) -> tuple[str, object]:
        """Topic and data of the next event; comments are none."""
        topic = ""
        while line := self.answer.readline().decode():
            if line.startswith("event: "):
                topic = line.removeprefix("event: ").strip()
            elif line.startswith("data: "):
                return topic, json.loads(line.removeprefix("data: "))
        raise AssertionError("the stream ended")

    def close(self) -> None:
        self.answer.close()
        self._connection.close()


@pytest.fixture
def listen() -> Iterator[Callable[..., Events]]:
    with contextlib.ExitStack() as stack:

        def begin(base: str, query: str = "") -> Events:
            events = Events(base, query)
            stack.callback(events.close)
            return events

        yield begin


def test_events_tell_of_requests_and_jobs(base, listen):
    """Each by its own name, soon after it happened; what is not listened to isn't told."""
    events = listen(base, "?topic=requests&topic=jobs")
    assert events.answer.headers["Content-Type"].startswith("text/event-stream")
    first = dict(events.next() for _ in range(2))
    assert first.keys() == {"requests", "jobs"}
    answered("GET", f"{base}/test/again")
    topic, data = events.next()
    assert topic == "requests"
    assert data != first["requests"]


def test_unknown_topics_are_refused(base, listen):
    """A typing error is no silence."""
    assert listen(base, "?topic=weather").answer.status == 422


def test_open_pages_hold_up_no_stop(tmp_path, listen, monkeypatch):
    """Streams end when the proxy does, long before its patience."""
    monkeypatch.setattr("emulator.proxy.server._SHUTDOWN_TIMEOUT", 60)
    with serving(tmp_path / ".multistack") as (address, server):
        streams = [listen(address, "?topic=environments") for _ in range(10)]
        for events in streams:
            events.next()
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 20
        for events in streams:
            with pytest.raises(AssertionError, match="the stream ended"):
                events.next()


def test_so_many_streams_leave_the_environments_alone(tmp_path, listen):
    """The last ones are refused, and requests are answered all the while."""
    with serving(tmp_path / ".multistack") as (address, _):
        streams = [listen(address, "?topic=environments") for _ in range(MOST_STREAMS + 2)]
        assert [events.answer.status for events in streams][-2:] == [503, 503]
        assert answered("GET", f"{address}/test/meanwhile").status == 200
