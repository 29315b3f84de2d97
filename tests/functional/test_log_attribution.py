"""Log lines of functions: none is lost, each belongs to the call that printed it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.functional.emulators import Emulator, running

pytestmark = pytest.mark.embedded("its functions' processes")

_CALLS = 1_000
_AT_ONCE = 8
_PYTHON = """
import os

def handler(event, context):
    print(f"said {event} in {context.aws_request_id}")
    os.write(2, f"written {event} in {context.aws_request_id}\\n".encode())
    print(f"unended {event} in {context.aws_request_id}", end="")
    return context.aws_request_id
"""
_NODE = """
const fs = require("fs");
exports.handler = async (event, context) => {
  console.log(`said ${event} in ${context.awsRequestId}`);
  fs.writeSync(2, `written ${event} in ${context.awsRequestId}\\n`);
  process.stdout.write(`unended ${event} in ${context.awsRequestId}`);
  return context.awsRequestId;
};
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Two functions that print their caller's number in three ways."""
    with running(tmp_path_factory.mktemp("logs") / "environment") as emulator:
        emulator.create("python", _PYTHON, Timeout=30)
        emulator.create("node", {"app.js": _NODE}, runtime="nodejs20.x", Timeout=30)
        yield emulator


@pytest.mark.parametrize("name", ["python", "node"])
def test_every_line_belongs_to_its_call(emulator: Emulator, name: str) -> None:
    """1,000 calls, eight at once: between START and END of each request stand its own three lines, in order."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(lambda call: emulator.invoke(name, call).payload, range(_CALLS)))
    expected = {answer: [f"said {call}", f"written {call}", f"unended {call}"] for call, answer in enumerate(answers)}
    assert len(expected) == _CALLS
    assert lines_by_request(emulator, name) == expected


def lines_by_request(emulator: Emulator, name: str) -> dict[str, list[str]]:
    """What stands between START and END of each request; a line that names another request fails at once."""
    found: dict[str, list[str]] = {}
    request = ""
    for event in emulator.log(name):
        if start := re.match(r"START RequestId: (\S+)", event):
            request = start[1]
            found[request] = []
        elif line := re.fullmatch(r"(\w+ \d+) in (\S+)", event):
            assert line[2] == request
            found[request].append(line[1])
    return found
