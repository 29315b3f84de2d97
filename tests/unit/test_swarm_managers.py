"""Which manager of a swarm is asked."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from emulator.drivers.swarm_managers import connect
from emulator.errors import NotReady

MANAGES = {"LocalNodeState": "active", "ControlAvailable": True}
WORKS = {"LocalNodeState": "active", "ControlAvailable": False}
LEADERLESS = {**MANAGES, "Error": "The swarm does not have a leader."}


@contextlib.contextmanager
def engine(swarm: Mapping[str, Any], asked: list[str] | None = None) -> Iterator[str]:
    """The address of an engine that says that of its *swarm*; each time, it adds its address to *asked*."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_info = self.path.endswith("/info")
            if is_info and asked is not None:
                asked.append(where)
            body = json.dumps({"Swarm": swarm} if is_info else {"ApiVersion": "1.41"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        where = f"tcp://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever).start()
        try:
            yield where
        finally:
            server.shutdown()


def test_without_names_it_is_the_callers_engine(tmp_path: Path) -> None:
    """And a hint how there could be more."""
    with engine(MANAGES) as where:
        connect([], {"DOCKER_HOST": where}, allow_remote=False).close()
    with pytest.raises(NotReady, match="there is no socket") as refused:
        connect([], {"DOCKER_HOST": f"unix://{tmp_path}/gone"}, allow_remote=False)
    assert "swarm.managers" in str(refused.value.hint)
    with engine(WORKS) as where, pytest.raises(NotReady, match="is a worker") as refused:
        connect([], {"DOCKER_HOST": where}, allow_remote=False)
    assert "docker node promote" in str(refused.value.hint)


def test_the_first_that_answers_and_manages_is_taken(tmp_path: Path) -> None:
    """Whatever the caller's engine is; the next time it is asked first."""
    asked: list[str] = []
    with engine(WORKS, asked) as worker, engine(MANAGES, asked) as first, engine(MANAGES, asked) as second:
        for _ in range(2):
            named = [f"unix://{tmp_path}/gone", worker, first, second]
            client = connect(named, {"DOCKER_HOST": f"unix://{tmp_path}/other"}, allow_remote=False)
        assert client.api.base_url == first.replace("tcp", "http")
        assert asked == [worker, first, first]


def test_where_none_can_be_asked_it_says_of_each_why(tmp_path: Path) -> None:
    """The hint is that of one that answers."""
    gone = [f"unix://{tmp_path}/gone", f"unix://{tmp_path}/too"]
    with pytest.raises(NotReady) as refused:
        connect(gone, {}, allow_remote=False)
    assert all(one.removeprefix("unix://") in refused.value.message for one in gone)
    assert "name another manager" in str(refused.value.hint)
    with engine(LEADERLESS) as left, pytest.raises(NotReady) as refused:
        connect([*gone, left], {}, allow_remote=False)
    assert f"{left}: the swarm has no leader" in refused.value.message
    assert "more than half must be up" in str(refused.value.hint)
