"""
Runs a function's container, and passes calls between the emulator's pipes and AWS's Runtime API.

Whatever the image has in it, it asks this API for its next event: AWS's base images and the runtime interface clients
of any language do when ``AWS_LAMBDA_RUNTIME_API`` is there. When stdin ends, or by SIGTERM, the container is removed.
Killed by SIGKILL it can't do that; a runtime that then asks for its next event finds nobody, and ends.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html and
    https://docs.aws.amazon.com/lambda/latest/dg/images-create.html: a read-only file system but for /tmp, an
    unprivileged user, 1,024 processes.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import secrets
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cheroot import wsgi

from emulator.drivers import engine
from emulator.errors import NotReady

if TYPE_CHECKING:
    from docker import DockerClient

_VERSION = "/2018-06-01/runtime/"
_LABEL = "dev.multistack.function"
# AWS's; no image may expect to be anybody in particular.
_USER = "993:990"
_PROCESSES = 1024
_HOST = "127.0.0.1"
# Seconds without a line after which the log of a call is taken to be all there, and how long that is waited for: the
# engine passes the container's output on a moment after it was written.
_QUIET, _PATIENCE = 0.02, 0.5

_StartResponse = Callable[[str, list[tuple[str, str]]], object]


class Bridge:
    """
    The Runtime API of one execution environment.

    Args:
        mark: Ends the log of a call.

    Attributes:
        host: Its own host and port.
    """

    def __init__(self, mark: str) -> None:
        self.host = ""
        self._mark = mark.encode()
        self._request_id = ""
        self._calls: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._is_ready = False
        self._last_line = 0.0

    def put(self, call: Mapping[str, Any]) -> None:
        """Hand a call to the runtime when it asks for one."""
        self._calls.put(call)

    def log(self, output: bytes) -> None:
        """Pass on what the function printed."""
        self._last_line = time.monotonic()
        _write(2, output)

    def answer(self, **content: Any) -> None:
        """Tell the emulator what came of a call, or that the runtime is ready, after all that was printed until now."""
        until = time.monotonic() + _PATIENCE
        self._last_line = time.monotonic()
        while (now := time.monotonic()) < min(until, self._last_line + _QUIET):
            time.sleep(min(until, self._last_line + _QUIET) - now)
        _write(2, self._mark)
        _write(1, json.dumps({"status": "done", **content}).encode() + b"\n")

    def __call__(self, environ: Mapping[str, Any], start_response: _StartResponse) -> Iterable[bytes]:
        """The API, as a WSGI application."""
        # A page in a browser reaches any port of this machine, and would take events and answer them.
        if environ.get("HTTP_HOST") != self.host or environ.keys() & {"HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE"}:
            return _refused(start_response, "403 Forbidden")
        parts = str(environ["PATH_INFO"]).removeprefix(_VERSION).split("/")
        body = environ["wsgi.input"].read()
        kind = str(environ.get("HTTP_LAMBDA_RUNTIME_FUNCTION_ERROR_TYPE", ""))
        match parts:
            case ["invocation", "next"]:
                return self._next(start_response)
            case ["invocation", call, "response" | "error" as outcome] if call and call == self._request_id:
                self._request_id = ""
                self.answer(**{"value": _value(body)} if outcome == "response" else {"error": _error(body, kind)})
            case ["invocation", *_]:
                return _refused(start_response, "400 Bad Request")  # of a call that is over, or of none
            case ["init", "error"]:
                self.answer(error=_error(body, kind))
            case _:
                return _refused(start_response, "404 Not Found")
        accepted = b'{"status":"OK"}\n'
        start_response("202 Accepted", [("Content-Type", "application/json"), ("Content-Length", str(len(accepted)))])
        return [accepted]

    def _next(self, start_response: _StartResponse) -> Iterable[bytes]:
        if not self._is_ready:
            self._is_ready = True
            self.answer()
        call = self._calls.get()
        self._request_id = call["request_id"]
        event = json.dumps(call["event"]).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(event))),
            ("Lambda-Runtime-Aws-Request-Id", call["request_id"]),
            ("Lambda-Runtime-Invoked-Function-Arn", call["arn"]),
            ("Lambda-Runtime-Deadline-Ms", str(int((time.time() + call["seconds"]) * 1000))),
        ]
        if call["trace_id"]:
            headers.append(("Lambda-Runtime-Trace-Id", call["trace_id"]))
        if call["client_context"]:
            headers.append(("Lambda-Runtime-Client-Context", json.dumps(call["client_context"])))
        start_response("200 OK", headers)
        return [event]


def _refused(start_response: _StartResponse, status: str) -> Iterable[bytes]:
    start_response(status, [("Content-Length", "0")])
    return []


def main() -> int:
    """Serve until stdin or the container ends, or SIGTERM comes; the exit status is the container's if it was first."""
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()
    signal.signal(signal.SIGTERM, lambda *_: ended.put(0))
    hello = json.loads(sys.stdin.buffer.readline())
    bridge = Bridge(hello["mark"])
    server = wsgi.Server((_HOST, 0), bridge, numthreads=4)
    server.prepare()
    bridge.host = f"{_HOST}:{server.bind_addr[1]}"
    threading.Thread(target=server.serve, daemon=True).start()
    threading.Thread(target=_read, args=(bridge, ended), daemon=True).start()
    name = f"multistack-function-{secrets.token_hex(6)}"
    client = None
    try:
        client = engine.connect(hello["engine"], allow_remote=False)
        container, output = _start(client, name, hello, api=bridge.host)
        threading.Thread(target=_follow, args=(container, output, bridge, ended), daemon=True).start()
    except NotReady as error:
        bridge.answer(error={"errorType": "Runtime.InvalidEntrypoint", "errorMessage": error.message})
    try:
        return ended.get()
    finally:
        if client is not None:
            _remove(client, name)


def _read(bridge: Bridge, ended: queue.SimpleQueue[int]) -> None:
    """Take calls from the emulator until it hangs up."""
    for line in sys.stdin.buffer:
        bridge.put(json.loads(line))
    ended.put(0)


def _start(client: DockerClient, name: str, hello: Mapping[str, Any], *, api: str) -> tuple[Any, Iterator[bytes]]:
    """
    The container, which runs, and what it prints.

    Args:
        api: Host and port of the Runtime API.

    Raises:
        NotReady: There is no such image, or the engine can't start it.
    """
    given = {"entrypoint": hello["entrypoint"], "command": hello["command"], "working_dir": hello["folder"]}
    memory = f"{hello['megabytes']}m"
    with engine.talking(f"image {hello['image']}"):
        container = client.containers.create(
            hello["image"],
            name=name,
            environment={**hello["environ"], "AWS_LAMBDA_RUNTIME_API": api},
            # What listens on loopback only, as emulators do, is reached from nowhere else.
            network_mode="host",
            user=_USER,
            read_only=True,
            tmpfs={"/tmp": f"rw,exec,mode=1777,size={hello['temporary_megabytes']}m"},  # noqa: S108 - the container's
            mem_limit=memory,
            memswap_limit=memory,
            pids_limit=_PROCESSES,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            healthcheck={"test": ["NONE"]},
            labels={_LABEL: hello["function"]},
            **{key: value for key, value in given.items() if value},
        )
        container.start()
        # Podman attaches to what runs only; what was printed until then comes first.
        return container, container.attach(stdout=True, stderr=True, stream=True, logs=True)


def _follow(container: Any, output: Iterator[bytes], bridge: Bridge, ended: queue.SimpleQueue[int]) -> None:
    """Pass on what the container prints, and its exit status: 1 where nobody can tell."""
    status = 1
    try:
        try:
            with engine.talking("the log of this container breaks off"):
                for chunk in output:
                    bridge.log(chunk)
        except NotReady as error:
            sys.stderr.write(f"{error.message}\n")
        # Removed meanwhile, by us too: its log is whole all the same.
        with contextlib.suppress(NotReady), engine.talking("the container"):
            status = int(container.wait(timeout=10)["StatusCode"])
    finally:
        ended.put(status)


def _remove(client: DockerClient, name: str) -> None:
    from docker.errors import DockerException

    with contextlib.suppress(DockerException):
        client.api.remove_container(name, force=True)


def _value(body: bytes) -> Any:
    """What a function returned: JSON, or as text what is none."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode(errors="replace")


def _error(body: bytes, kind: str) -> Mapping[str, Any]:
    said = _value(body)
    if isinstance(said, dict):
        return {"errorType": kind or "Error", "errorMessage": "", **said}
    return {"errorType": kind or "Error", "errorMessage": str(said or "")}


def _write(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


if __name__ == "__main__":
    status = 1
    try:
        status = main()
    except Exception:  # as the interpreter would, which waits for the server's threads then
        traceback.print_exc()
    os._exit(status)  # threads of the server would be waited for
