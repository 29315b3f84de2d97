"""An upstream that costs next to nothing, so that all that is left to measure is the proxy."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from emulator import ports, process
from emulator.model import Api, InspectorSettings, ProcessId, Route, Rules
from emulator.ports import HOST
from emulator.routes import ROUTES_FILE, publish_routes
from emulator.rules import RULES_FILE, publish_rules
from tests.benchmarks.sample import await_answers, free_port, stop_group

_PATH = "/_aws/execute-api/00000000/live"
_NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path {folder};
  proxy_temp_path {folder};
  fastcgi_temp_path {folder};
  uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  server {{
    listen {host}:{port};
    location / {{ default_type application/json; return 200 '{{"status": "ok"}}'; }}
  }}
}}
"""
_PYTHON = """\
import asyncio, sys

HEAD = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: 16\\r\\n\\r\\n"
ANSWER = HEAD + b'{"status": "ok"}'


class Server(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.rest = transport, b""

    def data_received(self, data):
        *heads, self.rest = (self.rest + data).split(b"\\r\\n\\r\\n")
        self.transport.write(ANSWER * len(heads))


async def main(port):
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", port)
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1])))
"""


def name() -> str:
    """What serves it."""
    return "nginx" if _nginx() else "a bare asyncio server"


@contextlib.contextmanager
def fast_upstream() -> Iterator[tuple[str, str]]:
    """Its URL, and the same through a proxy of its own."""
    with upstream() as (folder, direct, origin), proxy(folder / "proxy", origin) as url:
        yield direct, f"{url}/fast/health"


@contextlib.contextmanager
def upstream() -> Iterator[tuple[Path, str, str]]:
    """A folder for its time, the URL of its answer, and its origin."""
    with tempfile.TemporaryDirectory(prefix="multistack-bench-fast-") as root:
        folder = Path(root)
        port = free_port()
        server = _start(folder, port)
        try:
            direct = f"http://{HOST}:{port}{_PATH}/health"
            await_answers([direct], started=time.monotonic(), is_alive=lambda: server.poll() is None)
            yield folder, direct, f"http://{HOST}:{port}"
        finally:
            stop_group(server)


def _start(folder: Path, port: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _PYTHON, str(port)]
    if nginx := _nginx():
        config = folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=folder, host=HOST, port=port))
        command = [nginx, "-c", str(config), "-e", str(folder / "error.log")]
    return subprocess.Popen(
        command,
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


@contextlib.contextmanager
def proxy(
    folder: Path, origin: str, *, names: Sequence[str] = ("fast",), inspector: InspectorSettings | None = None
) -> Iterator[str]:
    """The URL of a proxy that keeps its things in *folder* and leads to *origin* as each environment of *names*."""
    folder.mkdir()
    routes = folder / ROUTES_FILE
    publish_rules(folder / RULES_FILE, Rules(inspector=inspector or InspectorSettings()))
    # This process stands for the emulator's: the proxy asks before every request whether it is alive, as in real use.
    started = process.start_time(os.getpid())
    if started is None:
        raise RuntimeError("the system does not tell when a process started")
    route = Route(
        environment=names[0],
        account_id="111111111111",
        region="eu-west-1",
        driver="external",
        url=origin,
        process=ProcessId(pid=os.getpid(), started=started),
        release="0" * 12,
        digest="0" * 64,
        apis=(Api(logical_id="Api", path=_PATH, stage="live"),),
        default_api="Api",
    )
    publish_routes(routes, [replace(route, environment=name) for name in names])
    with ports.listen(port=free_port(), candidates=(), purpose="the proxy") as listener:
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        server = process.spawn(
            "emulator.proxy",
            folder=folder,
            listener=listener,
            arguments=[f"--routes={routes}", "--timeout=30", "--max-body=10485760"],
            environ={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(folder)},
        )
    try:
        await_answers([f"{url}/{names[0]}/health"], started=time.monotonic(), is_alive=lambda: server.poll() is None)
        yield url
    finally:
        process.stop(folder, grace=2.0)
        server.wait()


def _nginx() -> str | None:
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
