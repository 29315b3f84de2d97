"""Functions that do what no function should: one clear error each, and the next call works."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.functional.emulators import Emulator, running

pytestmark = pytest.mark.embedded("its functions' processes")

_SIX_MB = 6 * 1024 * 1024
# Each event names what to do; anything else is answered.
_SOURCE = """
import ctypes, os, signal, subprocess, sys, time

class OrderRejected(Exception):
    pass

def handler(event, context):
    do = event.get("do") if isinstance(event, dict) else None
    if do == "raise":
        raise OrderRejected("no stock: ü")
    if do == "exit":
        sys.exit(3)
    if do == "leave":
        os._exit(0)
    if do == "quit":
        exit()
    if do == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if do == "hang":
        subprocess.Popen(["sleep", "987654"])
        time.sleep(60)
    if do == "fork":
        if os.fork() == 0:
            return "the child's"
        os.wait()
        return "the parent's"
    if do == "close":
        os.close(1)
        os.close(2)
        sys.stdout.close()
        return "closed"
    if do == "close all":
        os.closerange(3, 1000)
        return "never seen"
    if do == "binary":
        os.write(1, bytes(range(256)) + b"\\n")
    if do == "print":
        print("x" * 4095 + "\\n", end="", flush=True)
        for _ in range(2559):
            print("x" * 4095)
    if do == "child":
        subprocess.run(["sh", "-c", "echo from a child; echo to stderr >&2"])
        ctypes.CDLL(None).puts(b"from C")
        ctypes.CDLL(None).fflush(None)
    if do == "unserialisable":
        return {1, 2}
    if do == "grow":
        return "x" * (6 * 1024 * 1024 + 200)
    if do == "length":
        return len(event["text"])
    if do == "recurse":
        return handler(event, context)
    if do == "say":
        print(event["text"])
    return {"pid": os.getpid(), "event": event}
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One emulator with the function above, that may take two seconds."""
    with running(tmp_path_factory.mktemp("misbehaving") / "environment") as emulator:
        emulator.create("wild", _SOURCE, Timeout=2)
        yield emulator


@pytest.fixture(autouse=True)
def next_call_works(emulator: Emulator) -> Iterator[None]:
    """Whatever a test made the function do, it answers afterwards, and what it prints is its own."""
    yield
    assert emulator.invoke("wild", {"do": "say", "text": "fine"}).payload["event"]["text"] == "fine"
    tail = emulator.client("lambda").invoke(
        FunctionName="wild", Payload=json.dumps({"do": "say", "text": "mine"}), LogType="Tail"
    )
    assert tail["Payload"].read()
    assert _tail(tail) == "mine\n"


def _tail(answer: Any) -> str:
    return base64.b64decode(answer["LogResult"]).decode()


def test_an_exception_is_answered_as_on_aws(emulator: Emulator) -> None:
    """Class name, message and stack of the function's own; the process lives on."""
    before = emulator.invoke("wild").payload["pid"]
    answer = emulator.invoke("wild", {"do": "raise"})
    assert (answer.status, answer.error) == (200, "Unhandled")
    assert answer.payload["errorType"] == "OrderRejected"
    assert answer.payload["errorMessage"] == "no stock: ü"
    (frame,) = answer.payload["stackTrace"]
    assert "app.py" in frame
    assert "raise OrderRejected" in frame
    assert emulator.invoke("wild").payload["pid"] == before
    assert "[ERROR] OrderRejected: no stock: ü" in emulator.log("wild")


def test_deep_recursion_is_an_exception(emulator: Emulator) -> None:
    """Python's own limit ends it."""
    assert emulator.invoke("wild", {"do": "recurse"}).payload["errorType"] == "RecursionError"


@pytest.mark.parametrize(
    ("do", "reason"),
    [
        ("exit", "Runtime exited with error: exit status 3"),
        ("leave", "Runtime exited without providing a reason"),
        ("quit", "Runtime exited without providing a reason"),
        ("kill", "Runtime exited with error: signal: killed"),
        ("close all", "Runtime exited"),
    ],
)
def test_a_process_that_ends_is_told(emulator: Emulator, do: str, reason: str) -> None:
    """``Runtime.ExitError`` with the exit status; not a wait until the function times out."""
    answer = emulator.invoke("wild", {"do": do})
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == "Runtime.ExitError"
    assert reason in answer.payload["errorMessage"]


def test_a_call_without_end_is_ended_with_all_it_started(emulator: Emulator) -> None:
    """At its Timeout, in AWS's words; the processes that it started end as well."""
    answer = emulator.invoke("wild", {"do": "hang"})
    assert answer.payload["errorType"] == "Sandbox.Timedout"
    assert answer.payload["errorMessage"].endswith("Task timed out after 2.00 seconds")
    assert any(line.endswith("Task timed out after 2.00 seconds") for line in emulator.log("wild"))
    assert not _runs("987654")


def _runs(argument: str) -> bool:
    return any(argument in (process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))


def test_a_forked_child_that_returns_does_not_answer(emulator: Emulator) -> None:
    """One call, one answer: the parent's."""
    assert emulator.invoke("wild", {"do": "fork"}).payload == "the parent's"


def test_a_function_may_close_its_output(emulator: Emulator) -> None:
    """The answer does not go through it, and the next call can print again."""
    assert emulator.invoke("wild", {"do": "close"}).payload == "closed"


def test_binary_output_is_log(emulator: Emulator) -> None:
    """What is not UTF-8 is replaced, and corrupts nothing."""
    assert emulator.invoke("wild", {"do": "binary"}).error == ""


def test_output_of_children_and_of_c_is_log(emulator: Emulator) -> None:
    """Whoever writes to stdout or stderr writes the log."""
    assert emulator.invoke("wild", {"do": "child"}).error == ""
    lines = emulator.log("wild")
    assert {"from a child", "to stderr", "from C"} <= set(lines)


def test_ten_megabytes_of_log_are_kept(emulator: Emulator) -> None:
    """No line is lost, and nobody waits for anybody."""
    emulator.create("loud", _SOURCE, Timeout=30)
    assert emulator.invoke("loud", {"do": "print"}).error == ""
    assert sum(line == "x" * 4095 for line in emulator.log("loud")) == 2560


def test_a_result_that_is_not_json_is_told(emulator: Emulator) -> None:
    """``Runtime.MarshalError`` names the type."""
    payload = emulator.invoke("wild", {"do": "unserialisable"}).payload
    assert payload["errorType"] == "Runtime.MarshalError"
    assert "Object of type set is not JSON serializable" in payload["errorMessage"]


def test_a_result_over_six_megabytes_is_told(emulator: Emulator) -> None:
    """``Function.ResponseSizeTooLarge``."""
    assert emulator.invoke("wild", {"do": "grow"}).payload["errorType"] == "Function.ResponseSizeTooLarge"


def test_six_megabytes_are_a_payload(emulator: Emulator) -> None:
    """To the byte; and more than a socket holds does not block."""
    empty = len(json.dumps({"do": "length", "text": ""}))
    text = "x" * (_SIX_MB - empty)
    assert emulator.invoke("wild", {"do": "length", "text": text}).payload == len(text)


@pytest.mark.parametrize("event", ["ünïcode ✓ 🎉", "x" * 8192, [], None, 3.5, {"\x1e": "\x00"}], ids=ascii)
def test_any_json_is_an_event(emulator: Emulator, event: Any) -> None:
    """It arrives as it was sent."""
    assert emulator.invoke("wild", {"sent": event}).payload["event"]["sent"] == event


@pytest.mark.parametrize(
    ("source", "handler", "kind", "message"),
    [
        pytest.param(
            "import nowhere", "app.handler", "Runtime.ImportModuleError", "No module named 'nowhere'", id="import"
        ),
        pytest.param(
            "def handler(:", "app.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'", id="syntax"
        ),
        pytest.param(
            "", "app.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'", id="missing"
        ),
        pytest.param("", "handler", "Runtime.MalformedHandlerName", "Bad handler 'handler'", id="name"),
        pytest.param("1 / 0", "app.handler", "ZeroDivisionError", "division by zero", id="raises"),
        pytest.param("import sys; sys.exit(4)", "app.handler", "Runtime.ExitError", "exit status 4", id="exits"),
    ],
)
def test_a_function_that_cannot_be_imported_says_why(
    emulator: Emulator, source: str, handler: str, kind: str, message: str
) -> None:
    """Each kind of init error has AWS's type, and every call says it again."""
    name = f"broken-{kind.rpartition('.')[2]}"
    emulator.create(name, source, handler=handler)
    for _ in range(2):
        answer = emulator.invoke(name)
        assert answer.error == "Unhandled"
        assert answer.payload["errorType"] == kind
        assert message in answer.payload["errorMessage"]
