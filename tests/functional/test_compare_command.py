"""``multistack compare``: a service in three environments, asked the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.conftest import ProjectFolder
from tests.functional.tiny import refused, tiny_project, write

PROJECT = """
service = "tiny"
[environments.test]
account_id = "111111111111"
[environments.test.config]
Size = 1
[environments.staging]
account_id = "222222222222"
[environments.staging.config]
Size = 1
[environments.prod]
account_id = "333333333333"
protected = true
[environments.prod.config]
Size = 2
"""
EXPECTED = """
[[compare.expected]]
between = ["test", "prod"]
json_path = "$.size"
reason = "prod is larger"
"""
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Size: {Type: Number}
Resources:
  Web:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: app.handler
      CodeUri: src/
      Environment: {Variables: {SIZE: !Ref Size}}
      Events:
        Any: {Type: Api, Properties: {Path: /, Method: ANY}}
"""
SOURCE = """
import json, os, uuid


def handler(event, context):
    answer = {"size": int(os.environ["SIZE"]), "id": str(uuid.uuid4()), "method": event["httpMethod"]}
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(answer)}
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """All three run."""
    with tiny_project(tmp_path_factory.mktemp("compare")) as folder:
        write(folder, "multistack.toml", PROJECT)
        write(folder, "template.yaml", TEMPLATE)
        write(folder, "src/app.py", SOURCE)
        folder.run("up")
        yield folder


@pytest.fixture
def project(service: ProjectFolder) -> ProjectFolder:
    """Without declared differences."""
    write(service, "multistack.toml", PROJECT)
    return service


def compared(project: ProjectFolder, *args: str, code: int) -> Any:
    """The document of one comparison."""
    done = project.run("compare", *args, "--json", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_environments_that_differ_end_with_7(project: ProjectFolder) -> None:
    """The ids of each request are masked; the size of prod is a difference."""
    found = compared(project, "/", code=7)

    assert list(found["environments"]) == ["test", "staging", "prod"]
    assert found["environments"]["staging"]["differences"] == []
    assert found["environments"]["prod"]["differences"] == [
        {"where": "$.size", "kind": "changed", "baseline": 1, "value": 2}
    ]
    assert "$.id" in [mask["where"] for mask in found["masked"]]
    assert found["environments"]["prod"]["release"] == project.status()["prod"]["release"]


def test_environments_that_are_alike_end_with_0(project: ProjectFolder) -> None:
    """But for the noise."""
    assert compared(project, "/", "--environments", "test,staging", code=0)["is_equal"] is True


def test_declared_differences_end_with_0(project: ProjectFolder) -> None:
    """An edit of the project file counts at once."""
    write(project, "multistack.toml", PROJECT + EXPECTED)

    found = compared(project, "/", code=0)

    assert [(one["environment"], one["where"], one["reason"]) for one in found["expected"]] == [
        ("prod", "$.size", "prod is larger")
    ]
    assert compared(project, "/", "--baseline", "staging", code=7)["baseline"] == "staging"


def test_answers_stand_side_by_side(project: ProjectFolder) -> None:
    """A column for each environment, and what the marks mean."""
    done = project.run("compare", "/", check=False)

    assert done.returncode == 7
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["GET", "/"]
    assert lines[1] == ["PLACE", "TEST", "STAGING", "PROD"]
    assert ["!", "$.size", "1", "1", "2"] in lines
    assert ["$.method", "GET", "GET", "GET"] in lines
    assert "! prod has 1 difference from test" in done.stdout
    assert "* masked: $.id" in done.stdout


def test_reports_for_pull_requests_and_pipelines(project: ProjectFolder, tmp_path: Path) -> None:
    """Markdown on stdout, JUnit in a file."""
    done = project.run("compare", "/", "--markdown", "--junit", str(tmp_path / "report.xml"), check=False)

    assert done.returncode == 7
    assert "| ! | $.size | 1 | 1 | 2 |" in done.stdout
    suite = ElementTree.parse(tmp_path / "report.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")


def test_writes_need_their_words(project: ProjectFolder) -> None:
    """One to write at all, one for protected environments."""
    assert "add --writes" in refused(project, "compare", "POST", "/", code=2)
    assert "prod, which is protected" in refused(project, "compare", "-d", "{}", "/", "--writes", code=2)

    found = compared(project, "-d", "{}", "/", "--writes", "--protected", "--environments", "test,prod", code=7)
    assert found["environments"]["prod"]["body"]["method"] == "POST"
    found = compared(project, "DELETE", "/", "--writes", "--environments", "test,staging", code=7)
    assert found["environments"]["staging"]["differences"][0]["where"] == "$.id"


def test_head_is_compared_too(project: ProjectFolder) -> None:
    """By status and headers."""
    done = project.run("compare", "HEAD", "/", "--environments", "test,staging", "--json", check=False)

    assert json.loads(done.stdout)["request"] == {"method": "HEAD", "target": "/"}


def test_wrong_declarations_are_named(project: ProjectFolder) -> None:
    """With their line, before anything is asked."""
    wrong = '\n[[compare.expected]]\nbetween = ["test", "pord"]\nregex = "("\n'
    write(project, "multistack.toml", PROJECT + wrong)

    told = refused(project, "compare", "/", code=2)

    assert 'compare.expected, number 1: between: environment "pord" is not there' in told
    assert 'regex: "(" can\'t be used' in told


def test_unknown_environments_are_named(project: ProjectFolder) -> None:
    """As by every other command."""
    assert "has no environment pord" in refused(project, "compare", "/", "--environments", "pord", code=2)


def test_a_stopped_environment_says_what_to_run(project: ProjectFolder) -> None:
    """It is no reason to keep the answers of the others back."""
    project.run("down", "staging")
    try:
        found = compared(project, "/", code=7)
        assert found["environments"]["staging"]["problem"]["next"] == "multistack up staging"
        assert found["environments"]["prod"]["status"] == 200
        assert "run `multistack up staging`" in project.run("compare", "/", check=False).stdout
    finally:
        project.run("up", "staging")


def test_without_a_proxy_nobody_is_asked(tmp_path: Path) -> None:
    """The command that starts it is named."""
    with tiny_project(tmp_path) as folder:
        assert "hint: run `multistack up`" in refused(folder, "compare", "/", code=3)
