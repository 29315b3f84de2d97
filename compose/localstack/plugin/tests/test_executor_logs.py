"""What functions write, in CloudWatch Logs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from running_functions import Function

MakeFunction = Callable[..., Function]


def _events(client: Callable[[str], Any], function: Function) -> list[dict[str, Any]]:
    return client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function.name}")["events"]


def test_log_has_lambdas_lines_around_the_functions(make_function: MakeFunction, client: Callable[[str], Any]) -> None:
    """START, the function's lines, END and REPORT of a call, at once there when the log is read."""
    function = make_function("print('while it starts')\ndef handler(event, context): print('line', event)")
    function.call(1)
    function.call(2)
    messages = [event["message"].rstrip("\n") for event in _events(client, function)]
    assert messages[0] == "while it starts"
    shape = [message.split()[0] for message in messages[1:]]
    assert shape == ["START", "line", "END", "REPORT"] * 2
    report = messages[4].split("\t")
    assert [field.partition(":")[0] for field in report if field] == [
        "REPORT RequestId",
        "Duration",
        "Billed Duration",
        "Memory Size",
        "Max Memory Used",
        "Init Duration",
    ]
    assert "Init Duration" not in messages[8]


def test_one_environment_is_one_stream(make_function: MakeFunction, client: Callable[[str], Any]) -> None:
    """Calls of one process share a log stream, named by day, version and environment."""
    function = make_function("def handler(event, context): return context.log_stream_name")
    names = {function.call().answer for _ in range(3)}
    streams = client("logs").describe_log_streams(logGroupName=f"/aws/lambda/{function.name}")["logStreams"]
    assert {stream["logStreamName"] for stream in streams} <= names
    client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function.name}")
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", names.pop())


def test_record_of_several_lines_is_one_event(make_function: MakeFunction, client: Callable[[str], Any]) -> None:
    """What is logged in one go stays together; what is printed is cut at its line ends, in the order of writing."""
    function = make_function(
        """
import logging, sys
logging.getLogger().setLevel("INFO")
def handler(event, context):
    print("before")
    logging.info("first\\nsecond")
    print("to stderr", file=sys.stderr)
    print("a\\n\\nb")
    sys.stdout.write("no line end")
"""
    )
    function.call()
    messages = [event["message"].rstrip("\n") for event in _events(client, function)][1:-2]
    assert messages[0] == "before"
    assert messages[1].startswith("[INFO]\t")
    assert messages[1].endswith("first\nsecond")
    assert messages[2:] == ["to stderr", "a", "b", "no line end"]


def test_long_output_is_complete(make_function: MakeFunction, client: Callable[[str], Any]) -> None:
    """A function that writes much more than a pipe holds loses nothing and does not stall."""
    function = make_function("def handler(event, context):\n    for n in range(20000): print(n, 'x' * 80)")
    assert function.call().error is None
    paginator = client("logs").get_paginator("filter_log_events")
    lines = [
        event["message"]
        for page in paginator.paginate(logGroupName=f"/aws/lambda/{function.name}")
        for event in page["events"]
        if "x" * 80 in event["message"]
    ]
    assert len(lines) == 20000


def test_json_log_format(make_function: MakeFunction) -> None:
    """A function that asks for it logs JSON, from its level on."""
    function = make_function(
        "import logging\ndef handler(event, context):\n    logging.debug('d')\n    logging.warning('w')",
        LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "WARN"},
    )
    log = function.call().log
    assert '"message": "w"' in log
    assert '"message": "d"' not in log
