"""``multistack diff`` and ``parity``: two environments, first alike, then not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import ProjectFolder
from tests.functional.tiny import refused, source, tiny_project, write

PROJECT = """
service = "tiny"
[environments.test]
account_id = "111111111111"
[environments.test.config]
Size = 1
Key = "first-secret"
[environments.prod]
account_id = "222222222222"
[environments.prod.config]
Size = {size}
Key = "{key}"
"""
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Size: {{Type: Number}}
  Key: {{Type: String, NoEcho: true}}
Resources:
  Web:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: app.handler
      CodeUri: src/
      Timeout: {timeout}
      Environment: {{Variables: {{SIZE: !Ref Size}}}}
Outputs:
  Name: {{Value: !Ref Web}}
"""


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """The same release in both environments."""
    with tiny_project(tmp_path_factory.mktemp("comparing")) as folder:
        write(folder, "multistack.toml", PROJECT.format(size=1, key="first-secret"))
        write(folder, "template.yaml", TEMPLATE.format(timeout=10))
        folder.run("up")
        yield folder


def asked(project: ProjectFolder, *command: str, code: int) -> Any:
    """What a comparison answers as JSON, with the exit code *code*."""
    done = project.run(*command, "--json", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "error:" not in done.stderr
    return json.loads(done.stdout)


def test_the_same_release_is_no_difference(project: ProjectFolder) -> None:
    """Neither accounts nor the names that AWS gives count."""
    found = asked(project, "diff", "test", "prod", code=0)
    assert found["is_equal"]
    assert [(one["name"], one["verdict"]) for one in found["outputs"]] == [("Name", "equal")]
    assert found["outputs"][0]["before"] != found["outputs"][0]["after"]
    assert asked(project, "parity", code=0)["in_parity"]


def deploy_another(project: ProjectFolder) -> None:
    """Into prod, with other code, template and config."""
    write(project, "multistack.toml", PROJECT.format(size=2, key="second-secret"))
    write(project, "template.yaml", TEMPLATE.format(timeout=20))
    write(project, "src/app.py", source("'two'"))
    write(project, "src/more.py", "")
    project.run("deploy", "prod")


def test_everything_that_differs_is_told(project: ProjectFolder) -> None:
    """Release, file, property and key, each with both values; of a secret only that it differs."""
    deploy_another(project)
    found = asked(project, "diff", "test", "prod", code=7)
    assert [one["verdict"] for one in found["release"]] == ["different"] * 3
    assert [(one["file"], one["kind"]) for one in found["code"]] == [("app.py", "changed"), ("more.py", "added")]
    assert [(one["path"], one["before"], one["after"]) for one in found["template"]] == [("Web.Timeout", 10, 20)]
    assert [(one["name"], one["before"], one["after"]) for one in found["config"]] == [
        ("Key", "(hidden)", "(hidden)"),
        ("Size", "1", "2"),
    ]
    for option in ("--json", "--markdown", None):
        done = project.run("diff", "test", "prod", *([option] if option else []), check=False)
        assert done.returncode == 7
        assert "-secret" not in done.stdout + done.stderr
    parity = asked(project, "parity", code=7)
    assert [one["name"] for one in parity["aspects"] if one["differing"]] == ["digest", "template"]
    assert asked(project, "parity", "--baseline", "prod", code=7)["baseline"] == "prod"
    assert asked(project, "parity", "test", code=0)["in_parity"]


def test_stopped_environments_are_compared_without_their_outputs(project: ProjectFolder) -> None:
    """All else is on record; what only an emulator knows is said to be missing."""
    deploy_another(project)
    project.run("down", "prod")
    found = asked(project, "diff", "prod", "test", code=7)
    assert found["outputs"] is None
    assert "prod is stopped" in found["no_outputs"]
    assert found["template"]
    asked(project, "parity", code=7)
    project.run("up", "prod")


def test_what_cannot_be_compared_is_an_error(project: ProjectFolder) -> None:
    """A name that is none, and an artifact that somebody changed."""
    assert "did you mean prod?" in refused(project, "diff", "test", "prd", code=2)
    assert "did you mean prod?" in refused(project, "parity", "--baseline", "prd", code=2)
    (manifest, *_) = sorted(project.folder.glob(".multistack/artifacts/*/artifact.json"))
    content = manifest.read_bytes()
    manifest.write_bytes(content + b" ")
    assert "was changed after it was built" in refused(project, "diff", "test", "prod", code=5)
    manifest.write_bytes(content)
