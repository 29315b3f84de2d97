"""Node functions: MiniStack's script, without its wait, and with AWS's errors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.emulators import Emulator, running

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="this machine has no Node"),
    pytest.mark.embedded("its functions' processes"),
]

_SOURCE = """
exports.handler = async (event, context) => {
  switch (event.do) {
    case "throw": throw new TypeError("no stock: ü");
    case "exit": process.exit(3);
    case "kill": process.kill(process.pid, "SIGKILL");
    case "hang": await new Promise(() => setTimeout(() => {}, 60000)); break;
    case "print": for (let i = 0; i < 2560; i++) console.log("x".repeat(4095)); break;
    case "binary": process.stdout.write(Buffer.from([0, 255, 254, 10])); break;
    case "length": return event.text.length;
    case "grow": return "x".repeat(6 * 1024 * 1024);
  }
  return {pid: process.pid, environ: process.env, left: context.getRemainingTimeInMillis()};
};
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One emulator with the function above, that may take two seconds."""
    with running(tmp_path_factory.mktemp("node") / "environment", environ={"GITHUB_TOKEN": "caller's"}) as emulator:
        for name in ("wild", "loud"):
            emulator.create(name, {"app.js": _SOURCE}, runtime="nodejs20.x", Timeout=2 if name == "wild" else 30)
        yield emulator


@pytest.fixture(autouse=True)
def next_call_works(emulator: Emulator) -> Iterator[None]:
    """Whatever a test made the function do, it answers afterwards."""
    yield
    assert emulator.invoke("wild", {}).error == ""


def test_an_exception_is_answered_as_on_aws(emulator: Emulator) -> None:
    """Its class, message and stack; the process lives on."""
    before = emulator.invoke("wild", {}).payload["pid"]
    answer = emulator.invoke("wild", {"do": "throw"})
    assert (answer.error, answer.payload["errorType"]) == ("Unhandled", "TypeError")
    assert answer.payload["errorMessage"] == "no stock: ü"
    assert answer.payload["trace"][0] == "TypeError: no stock: ü"
    assert emulator.invoke("wild", {}).payload["pid"] == before


@pytest.mark.parametrize(
    ("do", "kind", "message"),
    [
        ("exit", "Runtime.ExitError", "exit status 3"),
        ("kill", "Runtime.ExitError", "signal: killed"),
        ("hang", "Sandbox.Timedout", "Task timed out after 2.00 seconds"),
    ],
)
def test_a_call_without_an_answer_is_told(emulator: Emulator, do: str, kind: str, message: str) -> None:
    """In AWS's words."""
    answer = emulator.invoke("wild", {"do": do})
    assert (answer.error, answer.payload["errorType"]) == ("Unhandled", kind)
    assert message in answer.payload["errorMessage"]


def test_nothing_of_the_emulator_s_is_there(emulator: Emulator) -> None:
    """AWS's variables, and those that lead to the emulator."""
    answer = emulator.invoke("wild", {}).payload
    environ = answer["environ"]
    assert (environ["AWS_EXECUTION_ENV"], environ["_HANDLER"]) == ("AWS_Lambda_nodejs20.x", "app.handler")
    assert [name for name in environ if name.startswith(("MINISTACK", "GATEWAY", "STATE_", "GITHUB"))] == []
    assert 0 < answer["left"] <= 2000


def test_ten_megabytes_of_log_are_kept(emulator: Emulator) -> None:
    """No line is lost."""
    assert emulator.invoke("loud", {"do": "print"}).error == ""
    assert sum(line == "x" * 4095 for line in emulator.log("loud")) == 2560


def test_binary_output_is_log(emulator: Emulator) -> None:
    """It corrupts nothing."""
    assert emulator.invoke("wild", {"do": "binary"}).error == ""


def test_six_megabytes_come_and_go(emulator: Emulator) -> None:
    """More than a pipe holds does not block."""
    text = "x" * (6 * 1024 * 1024 - len(json.dumps({"do": "length", "text": ""})))
    assert emulator.invoke("loud", {"do": "length", "text": text}).payload == len(text)
    assert len(emulator.invoke("loud", {"do": "grow"}).payload) == 6 * 1024 * 1024


def test_a_module_of_either_kind_is_loaded(emulator: Emulator) -> None:
    """ES modules too; one that is missing is an import error."""
    emulator.create("module", {"app.mjs": "export const handler = async () => 'esm';"}, runtime="nodejs20.x")
    assert emulator.invoke("module").payload == "esm"
    emulator.create("lacking", {"app.js": "require('nowhere')"}, runtime="nodejs20.x")
    answer = emulator.invoke("lacking")
    assert (answer.error, answer.payload["errorType"]) == ("Unhandled", "Runtime.ImportModuleError")
    assert "Cannot find module 'nowhere'" in answer.payload["errorMessage"]


def test_a_function_that_cannot_be_started_says_why(tmp_path: Path) -> None:
    """Where there is no Node at all, each call is answered, and the emulator goes on."""
    with running(tmp_path / "environment", environ={"PATH": "/nonexistent"}) as emulator:
        emulator.create("lonely", {"app.js": _SOURCE}, runtime="nodejs20.x")
        emulator.create("python", "def handler(event, context): return 1")
        for _ in range(2):
            answer = emulator.invoke("lonely", {})
            assert (answer.error, answer.payload["errorType"]) == ("Unhandled", "Runtime.InvalidEntrypoint")
            assert "there is no node on the PATH" in answer.payload["errorMessage"]
        assert emulator.invoke("python").payload == 1
