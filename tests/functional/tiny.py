"""A service of one function, and what every refusal has in common."""

from __future__ import annotations

import contextlib
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import Answer, ProjectFolder, http
from tests.drivers import assert_nothing_left

PROJECT = """
service = "tiny"
[environments.test]
account_id = "111111111111"
"""
SAM = "Transform: AWS::Serverless-2016-10-31\n"
TEMPLATE = (
    SAM
    + """
Resources:
  Web:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: app.handler
      CodeUri: src/
      Events:
        Get: {Type: Api, Properties: {Path: /, Method: GET}}
"""
)


def source(answer: str) -> str:
    """A function that answers *answer*, a Python expression."""
    return f"def handler(event, context):\n    return {{'statusCode': 200, 'body': {answer}}}\n"


def write(project: ProjectFolder, name: str, content: str | bytes) -> None:
    """A file of the project."""
    path = project.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).encode())


def write_service(project: ProjectFolder) -> None:
    """The service as it works; its function answers ``one``."""
    write(project, "multistack.toml", PROJECT)
    write(project, "template.yaml", TEMPLATE)
    write(project, "src/app.py", source("'one'"))


@contextlib.contextmanager
def tiny_project(root: Path) -> Iterator[ProjectFolder]:
    """A project with that service; everything it starts is stopped afterwards."""
    (root / "home").mkdir()
    (root / "project").mkdir()
    project = ProjectFolder(root / "project", root / "home")
    write_service(project)
    yield project
    write_service(project)
    project.run("down")
    assert project.left() == []
    assert_nothing_left(project.folder)


def get(project: ProjectFolder, path: str = "", method: str = "GET") -> Answer:
    """What the environment ``test`` answers."""
    record = json.loads((project.folder / ".multistack/proxy/server.json").read_text())
    return http(method, f"http://127.0.0.1:{record['port']}/test/{path}")


def refused(project: ProjectFolder, *args: str, code: int, env: dict[str, str] | None = None) -> str:
    """Run a command that must fail with *code* and one line that says why; returns all it says on stderr."""
    done = project.run(*args, check=False, env=env)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    return done.stderr
