"""A proxy with environments that never were: routes, a ledger and answers made for looking at pages."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from emulator.history import History
from emulator.model import Api, Cause, Gate, GateResult, Kind, Outcome, Phase, ProcessId, Release, Route
from emulator.permits import Permits
from emulator.process import spawn, start_time, stop
from emulator.routes import publish_routes

HOSTILE = "<img src=x onerror=alert(1)>'\"</script>&"
PROJECT = 'service = "shop"\n[environments.test]\naccount_id = "111111111111"\n'


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = f"<h1>hello from {self.path}</h1>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("X-Hostile", HOSTILE)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def upstream() -> contextlib.AbstractContextManager[str]:
    """The URL of what answers in place of emulators."""
    return served(_Handler)


@contextlib.contextmanager
def served(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    """The URL of a server whose requests *handler* answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def route(name: str, url: str | None, *, number: int = 1, protected: bool = False) -> Route:
    """An environment that answers at *url*, or is down."""
    started = start_time(os.getpid())
    assert started is not None
    api = Api(logical_id="Api", path="/_aws/execute-api/00bea1dc/live", stage="live")
    return Route(
        environment=name,
        account_id=f"{number:012}",
        region="eu-central-1",
        driver="embedded",
        url=url,
        process=ProcessId(pid=os.getpid(), started=started) if url else None,
        release="ce9d3706731f" if url else None,
        digest="3f" * 32 if url else None,
        apis=(api,),
        default_api="Api",
        protected=protected,
    )


def write_ledger(state: Path) -> None:
    """Deployments of all kinds and ends, a verification that failed, a hold; with words that are no markup."""
    history = History(state / "history.sqlite")

    def deploy(
        name: str, number: int, kind: Kind, outcome: Outcome, *, detail: str = "", source: str | None = None
    ) -> int:
        release = Release(id=f"{number:012x}", digest=f"{number:064x}", config_hash="0123456789ab", config={})
        cause = Cause(kind=kind, by=HOSTILE, promoted_from=source, reason="")
        gate = Gate(name="order", phase=Phase.BEFORE, result=GateResult.OVERRIDDEN, detail=HOSTILE)
        started = history.begin(name, release, cause=cause, gates=[gate] if source else [])
        history.end(started, outcome, detail=detail)
        return started

    deploy("test", 1, Kind.DEPLOY, Outcome.SUCCEEDED)
    deploy("staging", 1, Kind.PROMOTE, Outcome.SUCCEEDED, source="test")
    second = deploy("test", 2, Kind.DEPLOY, Outcome.SUCCEEDED)
    failed = Gate(name="smoke tests", phase=Phase.AFTER, result=GateResult.FAILED, detail=f"ended with 1: {HOSTILE}")
    history.add_gates(second, [failed])
    deploy("prod", 1, Kind.PROMOTE, Outcome.SUCCEEDED, source="staging")
    deploy("prod", 2, Kind.PROMOTE, Outcome.FAILED, detail=f"the stack failed: {HOSTILE}", source="staging")
    Permits(state / "history.sqlite").hold("staging", reason=HOSTILE, by="me")


@contextlib.contextmanager
def proxy(state: Path, routes: Sequence[Route], *, can_act: bool = True, port: int = 0) -> Iterator[str]:
    """The base URL of a proxy's process in front of *routes*, at any port or at *port*."""
    state.mkdir(exist_ok=True)
    project = state.parent / "multistack.toml"
    project.write_text(PROJECT)
    if routes:
        publish_routes(state / "routes.json", routes)
    folder = state / "proxy"
    arguments = ["--routes", str(state / "routes.json"), "--timeout", "5.0", "--max-body", "1000"]
    arguments += ["--project", str(project)] if can_act else []
    with socket.create_server(("127.0.0.1", port), backlog=64) as listener:
        port = listener.getsockname()[1]
        process = spawn(
            "emulator.proxy", folder=folder, listener=listener, arguments=arguments, environ=dict(os.environ)
        )
    with contextlib.ExitStack() as stack:
        stack.callback(process.wait)
        stack.callback(stop, folder, grace=5.0)
        yield f"http://127.0.0.1:{port}"
