"""`multistack explain`, and what it writes, deployed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.endpoint import client
from emulator.model import Endpoint
from tests.conftest import SAMPLE, ProjectFolder, http
from tests.drivers import assert_nothing_left
from tests.functional.tiny import refused, tiny_project, write

ENVIRONMENTS = ("test", "staging", "prod")
ACCOUNT = "111111111111"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """The single-stack sample in a folder of its own, without a project; all tests leave it as it is."""
    root = tmp_path_factory.mktemp("explain")
    (root / "home").mkdir()
    shutil.copytree(SAMPLE / "src", root / "project/src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(SAMPLE / "single-stack.yaml", root / "project/single-stack.yaml")
    return ProjectFolder(root / "project", root / "home")


@pytest.fixture(scope="module")
def migrated(folder: ProjectFolder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """What --fix made of the sample, up in three environments."""
    root = tmp_path_factory.mktemp("migrated")
    shutil.copytree(folder.folder, root / "project")
    project = ProjectFolder(root / "project", folder.home)
    project.run("explain", "single-stack.yaml", "--fix", "--code", "src")
    project.run("init", "--template", "multi-stack.yaml", "--service", "orders")
    file = project.folder / "multistack.toml"
    file.write_text(file.read_text().replace('# account_id = "111111111111"', f'account_id = "{ACCOUNT}"'))
    project.run("up")
    yield project
    project.run("down")
    assert project.processes() == []
    assert_nothing_left(project.folder)


def endpoint(project: ProjectFolder, environment: str) -> Endpoint:
    """Where a running environment is."""
    url = project.run("endpoint", environment).stdout.strip()
    return Endpoint(environment=environment, url=url, region="us-east-1", account_id=ACCOUNT)


def test_the_sample_is_explained_without_a_project(folder: ProjectFolder) -> None:
    """Each finding has its line, what it risks and the way out; the last lines are commands; exit code 7."""
    done = folder.run("explain", "single-stack.yaml", check=False)
    assert done.returncode == 7, done.stderr
    assert "single-stack.yaml:254: shared-api: test, staging, prod are stages of one API, Api\n  X13 " in done.stdout
    assert done.stdout.splitlines()[-1].endswith("multistack explain single-stack.yaml --fix")


def test_json_has_what_the_text_has(folder: ProjectFolder) -> None:
    """Line, pattern, risks and change of each finding; with --fix the diff as well."""
    found = json.loads(folder.run("explain", "single-stack.yaml", "--json", check=False).stdout)
    assert found["environments"] == list(ENVIRONMENTS)
    assert {"pattern", "line", "path", "message", "change", "risks"} == found["findings"][0].keys()
    done = folder.run("explain", "single-stack.yaml", "--json", "--fix", "--code", "src", "--output", "other.yaml")
    assert "+  Table:" in json.loads(done.stdout)["fixed"]["diff"]


def test_what_fix_writes_serves_in_three_environments(migrated: ProjectFolder) -> None:
    """The same code answers in each environment for itself, and an order of one is in no other."""
    answers = [http("GET", migrated.url(name, "config")).json() for name in ENVIRONMENTS]
    assert [answer["environment"] for answer in answers] == list(ENVIRONMENTS)
    order = {"id": "a-1", "item": "tea", "qty": 3, "price": 19.99}
    assert http("POST", migrated.url("prod", "orders"), order).status == 201
    assert [http("GET", migrated.url(name, "orders/a-1")).status for name in ENVIRONMENTS] == [404, 404, 200]


def test_nothing_is_left_to_find(migrated: ProjectFolder) -> None:
    """The project's own template is explained when none is named, and a second --fix changes nothing."""
    assert migrated.run("explain").stdout.startswith("multi-stack.yaml: nothing in it is shared")
    done = migrated.run("explain", "--fix")
    assert (done.stdout, done.stderr) == ("", "nothing to change: each environment can be a stack of it as it is\n")


def test_a_deployed_stack_is_explained_as_it_stands(migrated: ProjectFolder) -> None:
    """Aliases and stages that somebody made by hand are in no template, and are found all the same."""
    assert migrated.run("explain", "--stack", "orders-test").returncode == 0
    where = endpoint(migrated, "test")
    found = client(where, "cloudformation").describe_stacks(StackName="orders-test")["Stacks"][0]["Outputs"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found}
    name = outputs["FunctionName"]
    client(where, "lambda").create_alias(FunctionName=name, Name="qa", FunctionVersion="$LATEST")
    gateway = client(where, "apigateway")
    deployment = gateway.get_stages(restApiId=outputs["ApiId"])["item"][0]["deploymentId"]
    for stage in ("qa", "uat"):
        gateway.create_stage(
            restApiId=outputs["ApiId"], stageName=stage, deploymentId=deployment, variables={"table": f"orders-{stage}"}
        )
    done = migrated.run("explain", "--stack", "orders-test", "--json", check=False)
    assert done.returncode == 7, done.stderr
    patterns = {finding["pattern"] for finding in json.loads(done.stdout)["findings"]}
    assert {"alias-per-environment", "alias-on-latest", "shared-api", "config-in-stage-variables"} <= patterns
    fixed = migrated.run("explain", "--stack", "orders-test", "--fix", "--output", "of-stack.yaml")
    text = (migrated.folder / "of-stack.yaml").read_text()
    assert "qa" not in text
    assert text.count("AWS::ApiGateway::Stage") == 1
    assert fixed.stdout.startswith("--- stack orders-test in test")
    assert migrated.run("explain", "of-stack.yaml").returncode == 0


def test_a_stack_that_is_nowhere_is_refused(migrated: ProjectFolder) -> None:
    """The names of stacks follow a rule, which the hint tells."""
    said = refused(migrated, "explain", "--stack", "orders-live", code=3)
    assert "no running environment has a stack orders-live" in said
    assert "orders-ENVIRONMENT" in said


def test_nothing_is_overwritten_unasked(folder: ProjectFolder, tmp_path: Path) -> None:
    """A file of another content is only replaced when --output names it; the same again is no error."""
    copy = ProjectFolder(tmp_path, folder.home)
    shutil.copytree(folder.folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "multi-stack.yaml").write_text("mine")
    assert "is there already" in refused(copy, "explain", "single-stack.yaml", "--fix", code=2)
    assert (tmp_path / "multi-stack.yaml").read_text() == "mine"
    for _ in range(2):
        copy.run("explain", "single-stack.yaml", "--fix", "--output", "multi-stack.yaml")
    copy.run("explain", "single-stack.yaml", "--fix")


def test_code_must_stay_where_the_template_finds_it(tmp_path: Path) -> None:
    """A template names code as seen from its own folder, so its copy may be in no other."""
    with tiny_project(tmp_path) as project:
        write(project, "other/x", "")
        assert "names code" in refused(project, "explain", "--fix", "--output", "other/t.yaml", code=2)
        assert "serverless package" in _other_framework(project)
        for args in (["a.yaml", "--stack", "b"], ["--code", "src"], ["--from", "test"]):
            assert project.run("explain", *args, check=False).returncode == 2


def _other_framework(project: ProjectFolder) -> str:
    write(project, "serverless.yml", "service: a\nprovider: {name: aws}\n")
    return refused(project, "explain", "serverless.yml", code=2)
