"""The API behind the proxy's pages, held to the document that describes it."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.dashboard.jobs import Command
from emulator.proxy.app import Settings, create_app
from emulator.proxy.keeping import Keeping
from emulator.proxy.server import Server
from emulator.routes import publish_routes
from tests.browser.serving import route, upstream, write_ledger
from tests.conftest import http

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
# Stands for multistack: what is asked of it here must not do anything.
HARMLESS = (sys.executable, "-c", "print('done')")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A proxy in front of three environments, one of them down, with a ledger and some kept requests."""
    state = tmp_path_factory.mktemp("api") / ".multistack"
    (state / "proxy").mkdir(parents=True)
    keeping = Keeping(state / "proxy")
    with upstream() as url:
        publish_routes(
            state / "routes.json",
            [route("test", url), route("staging", url, number=2), route("prod", None, number=3, protected=True)],
        )
        write_ledger(state)
        command = Command(program=HARMLESS, file=state / "multistack.toml", environ=dict)
        app = create_app(
            Settings(routes=state / "routes.json", timeout=5.0, max_body=10_000, command=command), keeping=keeping
        )
        listener = socket.create_server(("127.0.0.1", 0))
        server = Server(listener, app, closing=app.extensions["dashboard"].close)
        thread = threading.Thread(target=server.start)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        for path in ("/test/a", "/staging/b", "/prod/c"):
            http("GET", address + path)
        assert keeping.feed.wait_until_idle(5.0)
        yield address
        server.stop()
        thread.join()
        keeping.close()


def token(base: str) -> str:
    return str(http("GET", f"{base}/_multistack/api/session").json()["token"])


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
