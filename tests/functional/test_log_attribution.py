"""Log lines of functions: none is lost, each belongs to the call that printed it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from emulator.endpoint import client
from emulator.model import Endpoint
from tests.conftest import ProjectFolder
from tests.functional.tiny import get, tiny_project, write

_CALLS = 400
_SOURCE = """
import os, sys

def handler(event, context):
    call = event["queryStringParameters"]["call"]
    print(f"said {call} in {context.aws_request_id}")
    os.write(2, f"written {call} in {context.aws_request_id}\\n".encode())
    print(f"unended {call} in {context.aws_request_id}", end="")
    return {"statusCode": 200, "body": context.aws_request_id}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """A function that prints its caller's number in three ways."""
    with tiny_project(tmp_path_factory.mktemp("logs")) as project:
        write(project, "src/app.py", _SOURCE)
        project.run("up", "test")
        yield project


def test_every_line_belongs_to_its_call(project: ProjectFolder) -> None:
    """400 calls, eight at once: between START and END of each request stand its own three lines, in order."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda call: get(project, f"?call={call}"), range(_CALLS)))
    found: dict[str, list[str]] = {}
    for events in streams(project):
        request = None
        for event in events:
            if start := re.match(r"START RequestId: (\S+)", event):
                request = start[1]
                found[request] = []
            elif line := re.match(r"(said|written|unended) \d+ in (\S+)$", event):
                assert line[2] == request
                found[line[2]].append(line[1])
    assert found == {answer.body.decode(): ["said", "written", "unended"] for answer in answers}


def streams(project: ProjectFolder) -> Iterator[list[str]]:
    """The messages of each log stream of the one function, oldest first."""
    row = project.status()["test"]
    endpoint = Endpoint(environment="test", url=row["endpoint"], account_id=row["account_id"], region=row["region"])
    logs = client(endpoint, "logs")
    (group,) = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    for page in logs.get_paginator("describe_log_streams").paginate(logGroupName=group):
        for stream in page["logStreams"]:
            name = stream["logStreamName"]
            events = logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True, limit=10_000)
            yield [event["message"].rstrip() for event in events["events"]]
