"""``multistack debug``: an editor's debugger stops in a function's process, and nothing runs out of time meanwhile."""

from __future__ import annotations

import itertools
import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ProjectFolder
from tests.functional.cutting import until
from tests.functional.tiny import TEMPLATE, get, refused, tiny_project, write

pytestmark = pytest.mark.embedded("only its functions can be debugged")

HANDLER = """\
def handler(event, context):
    answer = 'before'
    return {'statusCode': 200, 'body': answer}
"""
LINE = 3
# A second: no call could stand at a breakpoint for long.
IMPATIENT = TEMPLATE.replace("Handler:", "Timeout: 1\n      Handler:")


class Editor:
    """As much of the Debug Adapter Protocol as an editor speaks."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        connect = configuration["connect"]
        self._socket = socket.create_connection((connect["host"], connect["port"]), timeout=30)
        self._stream = self._socket.makefile("rb")
        self._numbers = itertools.count(1)
        self._unread: list[dict[str, Any]] = []
        (mapping,) = configuration["pathMappings"]
        self._mappings, self._source = configuration["pathMappings"], Path(mapping["localRoot"])

    def attach(self, *, line: int) -> None:
        """Attach, with a breakpoint in ``app.py``."""
        self.ask("initialize", adapterID="test", pathFormat="path")
        attached = self._send("attach", pathMappings=self._mappings)
        self.event("initialized")
        path = str(self._source / "app.py")
        (found,) = self.ask("setBreakpoints", source={"path": path}, breakpoints=[{"line": line}])["breakpoints"]
        assert found["verified"], found
        self.ask("configurationDone")
        self._answer(attached)

    def ask(self, command: str, **arguments: Any) -> Any:
        """A request's answer."""
        return self._answer(self._send(command, **arguments))

    def event(self, name: str) -> Any:
        """The next event of that name."""
        return self._next(lambda message: message.get("event") == name).get("body")

    def close(self) -> None:
        """Go away without a word, as an editor that is killed."""
        self._stream.close()
        self._socket.close()

    def _send(self, command: str, **arguments: Any) -> int:
        number = next(self._numbers)
        message = {"seq": number, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        return number

    def _answer(self, number: int) -> Any:
        found = self._next(lambda one: one["type"] == "response" and one["request_seq"] == number)
        assert found["success"], found
        return found.get("body")

    def _next(self, is_it: Any) -> dict[str, Any]:
        for message in self._unread:
            if is_it(message):
                self._unread.remove(message)
                return message
        while not is_it(message := self._read()):
            self._unread.append(message)
        return message

    def _read(self) -> dict[str, Any]:
        length = 0
        while line := self._stream.readline().strip():
            length = int(line.partition(b":")[2])
        return dict(json.loads(self._stream.read(length)))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """The tiny service, with a timeout that nobody who thinks could keep."""
    with tiny_project(tmp_path_factory.mktemp("debug")) as project:
        write(project, "src/app.py", HANDLER)
        write(project, "template.yaml", IMPATIENT)
        project.run("up")
        yield project


def begin(project: ProjectFolder, *args: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """A running ``multistack debug``, and the configuration that it prints."""
    command = project.start("debug", *args)
    assert command.stdout is not None
    text = ""
    while not text.endswith("\n}\n"):
        part = command.stdout.readline()
        assert part, command.communicate()
        text += part
    return command, json.loads(text)


def end(command: subprocess.Popen[str]) -> str:
    """Press Ctrl-C; returns what it said on stderr."""
    command.send_signal(signal.SIGINT)
    _, said = command.communicate(timeout=30)
    assert command.returncode == 130
    return said


def test_a_breakpoint_stops_the_function_for_as_long_as_it_takes(running: ProjectFolder) -> None:
    """Where the source is edited, longer than its Timeout, and on the code of the next deployment as well."""
    command, configuration = begin(running, "Web")
    try:
        for turn in ("before", "deployed"):
            editor = Editor(configuration)
            editor.attach(line=LINE)
            with ThreadPoolExecutor() as pool:
                asked = pool.submit(get, running)
                thread = editor.event("stopped")["threadId"]
                frame = editor.ask("stackTrace", threadId=thread)["stackFrames"][0]
                assert (frame["line"], frame["source"]["path"]) == (LINE, str(running.folder / "src/app.py"))
                assert editor.ask("evaluate", expression="answer", frameId=frame["id"])["result"] == repr(turn)
                with pytest.raises(TimeoutError):
                    asked.result(timeout=1.2)
                editor.ask("continue", threadId=thread)
                assert (asked.result(timeout=30).status, asked.result().body) == (200, turn.encode())
            editor.close()
            if turn == "before":
                write(running, "src/app.py", HANDLER.replace("before", "deployed"))
                running.run("deploy")
                get(running)  # a process of the new code, with the debugger at the same place
    finally:
        said = end(command)
    assert f"Web waits for a debugger on 127.0.0.1:{configuration['connect']['port']}" in said
    assert get(running).body == b"deployed"
    with pytest.raises(ConnectionRefusedError):
        Editor(configuration)


def test_a_call_that_stands_at_a_breakpoint_ends_with_the_debugging(running: ProjectFolder) -> None:
    """Nobody would let it go on; the next call is answered as ever."""
    command, configuration = begin(running, "Web", "--environment", "test")
    editor = Editor(configuration)
    editor.attach(line=LINE)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(get, running)
        editor.event("stopped")
        end(command)
        assert asked.result(timeout=30).status == 502
    editor.close()
    until(lambda: get(running).status == 200)


def test_what_cannot_be_debugged_is_said_in_one_line(running: ProjectFolder) -> None:
    """A function that isn't there, a port that is taken, an environment that doesn't run."""
    assert "did you mean Web?" in refused(running, "debug", "Wep", code=2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"port {port} for the debugger is taken" in refused(running, "debug", "Web", "--port", port, code=3)
    assert "has no environment tset" in refused(running, "debug", "Web", "--environment", "tset", code=2)


def test_a_missing_debugpy_is_one_line(running: ProjectFolder, tmp_path: Path) -> None:
    """It is not one of multistack's own dependencies."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['debugpy'] = None\n")
    said = refused(running, "debug", "Web", code=2, env={"PYTHONPATH": str(tmp_path)})
    assert "error: debugpy is not installed" in said
    assert "-m pip install debugpy" in said
