"""`multistack requests` on a real service: what was asked is found, shown with the function's own lines, taken out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import ProjectFolder
from tests.functional.tiny import get, refused, tiny_project, write

SERVICE = """
    import json

    def handler(event, context):
        print("asked for", event["path"], json.dumps(event.get("queryStringParameters")))
        names = sorted(name.lower() for name in event["headers"])
        return {"statusCode": 200, "body": json.dumps({"id": context.aws_request_id, "headers": names})}
    """


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """One environment with a function that prints what it is asked, and three requests to it."""
    with tiny_project(tmp_path_factory.mktemp("requests")) as project:
        write(project, "src/app.py", SERVICE)
        project.run("up")
        yield project


@pytest.fixture
def asked(project: ProjectFolder) -> list[dict[str, Any]]:
    """Three requests of which one was refused, as `requests list` has them; nothing else is kept."""
    project.run("requests", "clear")
    for path in ("?n=1", "?n=2&token=hidden", "nowhere"):
        get(project, path)
    return listed(project, count=3)


def listed(project: ProjectFolder, *arguments: str, count: int) -> list[dict[str, Any]]:
    """What `requests list --json` says, as soon as so many are kept."""
    deadline = time.monotonic() + 60
    while True:
        found = json.loads(project.run("requests", "list", "--json", *arguments).stdout)
        if len(found) >= count or time.monotonic() > deadline:
            assert len(found) == count
            return list(found)


def test_list_is_oldest_first_with_what_matters(project: ProjectFolder, asked: list[dict[str, Any]]) -> None:
    """A table for people has the same rows."""
    assert [(one["method"], one["target"], one["environment"]) for one in asked] == [
        ("GET", "/?n=1", "test"),
        ("GET", "/?n=2&token=redacted", "test"),
        ("GET", "/nowhere", "test"),
    ]
    lines = project.run("requests", "list", "-n", "2").stdout.splitlines()
    assert lines[0].split() == ["ID", "AT", "ENVIRONMENT", "METHOD", "STATUS", "TOOK", "TARGET"]
    assert [line.split()[-1] for line in lines[1:]] == ["/?n=2&token=redacted", "/nowhere"]


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["--path", "n=1"], 1),
        (["--path", "/*"], 3),
        (["--status", "4xx"], 1),
        (["--method", "post"], 0),
        (["--environment", "test", "--text", "N=2"], 1),
        (["--since", "1h", "--source", "client"], 3),
    ],
)
def test_filters(project: ProjectFolder, asked: list[dict[str, Any]], arguments: list[str], count: int) -> None:
    """Each finds what it says."""
    assert len(asked) == 3
    listed(project, *arguments, count=count)


def test_show_has_timing_and_the_function_s_own_lines(project: ProjectFolder, asked: list[dict[str, Any]]) -> None:
    """By the request id of the call: another call's lines are not there."""
    shown = json.loads(project.run("requests", "show", str(asked[0]["id"]), "--json").stdout)
    (call,) = shown["invocations"]
    body = json.loads(shown["answer"]["body"])
    assert call["request_id"] == body["id"]
    assert "x-multistack-trace" not in body["headers"]
    messages = [line["message"] for line in shown["log"]]
    assert shown["log_problem"] is None
    assert messages[0].startswith(f"START RequestId: {body['id']}")
    assert messages[-1].startswith(f"REPORT RequestId: {body['id']}")
    assert 'asked for / {"n": "1"}' in messages
    assert not [message for message in messages if '"n": "2"' in message]
    timing = shown["timing"]
    assert min(timing.values()) >= 0
    assert sum(timing.values()) == pytest.approx(shown["seconds"], abs=1e-4)
    text = project.run("requests", "show", str(asked[0]["id"])).stdout
    assert text.startswith("GET /?n=1  200\ntest, release ")
    assert f"request id {body['id']}" in text
    assert 'asked for / {"n": "1"}' in text


def test_show_of_what_is_not_there(project: ProjectFolder) -> None:
    """The hint says where ids come from."""
    assert "multistack requests list" in refused(project, "requests", "show", "999999", code=2)


def test_a_wrong_status_is_refused(project: ProjectFolder) -> None:
    """In one line, with what it could be."""
    assert "404, 5xx or 400-499" in refused(project, "requests", "list", "--status", "bad", code=2)


def test_exports(project: ProjectFolder, asked: list[dict[str, Any]]) -> None:
    """By id or by filter, to a file or to stdout; the tests run against the environment."""
    har = json.loads(project.run("requests", "export").stdout)
    assert [entry["request"]["url"].partition("/test")[2] for entry in har["log"]["entries"]] == [
        one["target"] for one in asked
    ]
    done = project.run("requests", "export", "--as", "curl", str(asked[0]["id"]))
    assert done.stdout.startswith("curl ")
    assert "1 request" in done.stderr
    project.run("requests", "export", "--status", "4xx", "--as", "pytest", "-o", "test_kept.py")
    tests = project.folder / "test_kept.py"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)],
        cwd=project.folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("MULTISTACK")},
        capture_output=True,
        text=True,
        check=False,
    )
    tests.unlink()
    assert ran.returncode == 0, ran.stdout


def test_clear_forgets_what_is_meant(project: ProjectFolder, asked: list[dict[str, Any]]) -> None:
    """The rest stays."""
    assert project.run("requests", "clear", "--status", "4xx").stdout == "forgot 1 request\n"
    left = listed(project, count=2)
    assert [one["id"] for one in left] == [one["id"] for one in asked[:2]]


def test_settings_count_without_a_restart(project: ProjectFolder) -> None:
    """An edit of the project file reaches the proxy with the next command."""
    project.run("requests", "clear")
    original = (project.folder / "multistack.toml").read_text()
    try:
        write(project, "multistack.toml", original + '[inspector]\nredact = ["user-agent", "n"]\n')
        project.run("requests", "list")
        get(project, "?n=1")
        assert listed(project, count=1)[0]["target"] == "/?n=redacted"
        write(project, "multistack.toml", original + "[inspector]\nenabled = false\n")
        assert "kept" in project.run("requests", "list", "--path", "x").stderr
        get(project, "?n=2")
        project.run("requests", "clear")
        done = project.run("requests", "list")
        assert "`inspector.enabled` is false" in done.stderr
    finally:
        write(project, "multistack.toml", original)
        project.run("requests", "list")


def test_nothing_secret_of_a_terminal(project: ProjectFolder) -> None:
    """Signs that steer a terminal are shown, not obeyed."""
    project.run("requests", "clear")
    get(project, "?a=%1b[31m")
    assert "\x1b" not in project.run("requests", "show", str(listed(project, count=1)[0]["id"])).stdout
