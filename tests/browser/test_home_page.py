"""The proxy's home page in a real browser."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from emulator.model import Api, ProcessId, Route
from emulator.process import spawn, start_time, stop
from emulator.routes import publish_routes

CHROMIUM = Path("/usr/bin/chromium")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]


class HelloHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = f"<h1>hello from {self.path}</h1>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def upstream() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), HelloHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(tmp_path: Path, upstream: str) -> Iterator[str]:
    started = start_time(os.getpid())
    assert started is not None
    running = ProcessId(pid=os.getpid(), started=started)
    api = Api(logical_id="Api", path="/_aws/execute-api/00bea1dc/live", stage="live")
    routes = [
        Route(
            environment=name,
            account_id=f"{number:012}",
            region=region,
            driver="embedded",
            url=url,
            process=running if url else None,
            release="ce9d3706731f" if url else None,
            digest="3f" * 32 if url else None,
            apis=(api,),
            default_api="Api",
        )
        for number, (name, region, url) in enumerate(
            [("test", "eu-central-1", upstream), ("staging", "eu-west-1", upstream), ("prod", "us-east-1", None)], 1
        )
    ]
    publish_routes(tmp_path / "routes.json", routes)
    folder = tmp_path / "proxy"
    arguments = ["--routes", str(tmp_path / "routes.json"), "--timeout", "5.0", "--max-body", "1000"]
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        port = listener.getsockname()[1]
        process = spawn(
            "emulator.proxy", folder=folder, listener=listener, arguments=arguments, environ=dict(os.environ)
        )
    with contextlib.ExitStack() as stack:
        stack.callback(process.wait)
        stack.callback(stop, folder, grace=5.0)
        yield f"http://127.0.0.1:{port}"


def test_home_page_lists_environments_and_leads_to_them(proxy):
    """A person finds every environment on one page, and the running ones a click away."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page()
        failures: list[str] = []
        page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)

        page.goto(proxy)
        headings = page.get_by_role("heading", level=2).all_inner_texts()
        assert [heading.split() for heading in headings] == [
            ["test", "ready"],
            ["staging", "ready"],
            ["prod", "stopped"],
        ]
        assert page.get_by_text("multistack up prod").is_visible()
        assert failures == []

        page.get_by_role("link", name="staging").click()
        assert page.get_by_role("heading").inner_text() == "hello from /_aws/execute-api/00bea1dc/live/"
        assert page.url == f"{proxy}/staging/"
        browser.close()
