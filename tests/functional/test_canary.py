"""A release for a share of the calls, on an alias inside one stack: real calls, real counts, everything on record."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.endpoint import client
from emulator.history import History
from emulator.model import Endpoint, Outcome
from tests.conftest import Answer, ProjectFolder, http
from tests.functional.tiny import PROJECT, TEMPLATE, refused, tiny_project, write

ALIASED = TEMPLATE.replace("Resources:", "Parameters: {MultistackRelease: {Type: String}}\nResources:").replace(
    "      CodeUri: src/\n",
    "      CodeUri: src/\n"
    "      AutoPublishAlias: live\n"
    "      AutoPublishCodeSha256: !Ref MultistackRelease\n"
    "      Environment: {Variables: {RELEASE: !Ref MultistackRelease}}\n",
)
STAGES = f'{PROJECT}[environments.prod]\naccount_id = "333333333333"\n'
ANSWERS = "import os\n\ndef handler(event, context):\n    return {'statusCode': 200, 'body': os.environ['RELEASE']}\n"
BROKEN = "def handler(event, context):\n    raise ValueError('two')\n"
# Of calls at a half: too few to be sure of both versions in one try of a million.
ENOUGH = 24


@pytest.fixture
def project(tmp_path: Path) -> Iterator[ProjectFolder]:
    """A service with an alias, up in prod; its function answers its release."""
    with tiny_project(tmp_path) as project:
        write(project, "multistack.toml", STAGES)
        write(project, "template.yaml", ALIASED)
        write(project, "src/app.py", ANSWERS)
        project.run("up", "prod")
        yield project
        write(project, "multistack.toml", STAGES)


def get(project: ProjectFolder) -> Answer:
    """What prod answers."""
    record = json.loads((project.folder / ".multistack/proxy/server.json").read_text())
    return http("GET", f"http://127.0.0.1:{record['port']}/prod/")


def endpoint(project: ProjectFolder) -> Endpoint:
    """The AWS API of prod."""
    row = project.status()["prod"]
    return Endpoint(environment="prod", url=row["endpoint"], account_id=row["account_id"], region=row["region"])


def alias(project: ProjectFolder) -> dict[str, Any]:
    """The alias as Lambda has it."""
    aws = client(endpoint(project), "lambda")
    (function,) = aws.list_functions()["Functions"]
    found: dict[str, Any] = aws.get_alias(FunctionName=function["FunctionName"], Name="live")
    return found


def drifted(project: ProjectFolder) -> list[str]:
    """The resources that are not what CloudFormation thinks."""
    aws = client(endpoint(project), "cloudformation")
    number = aws.detect_stack_drift(StackName="tiny-prod")["StackDriftDetectionId"]
    deadline = time.monotonic() + 60
    while aws.describe_stack_drift_detection_status(StackDriftDetectionId=number)["DetectionStatus"].endswith(
        "PROGRESS"
    ):
        assert time.monotonic() < deadline
    rows = aws.describe_stack_resource_drifts(StackName="tiny-prod")["StackResourceDrifts"]
    return [row["LogicalResourceId"] for row in rows if row["StackResourceDriftStatus"] != "IN_SYNC"]


def versions(project: ProjectFolder, *, calls: int) -> dict[str, dict[str, Any]]:
    """``canary status --json`` by release, once it counts so many calls: logs are written after the answer."""
    deadline = time.monotonic() + 60
    while True:
        found = json.loads(project.run("canary", "status", "prod", "--json").stdout)["versions"]
        if sum(one["requests"] for one in found) >= calls or time.monotonic() > deadline:
            return {one["release"]: one for one in found}


def start(project: ProjectFolder, code: str, share: str = "50%") -> tuple[str, str]:
    """Start a canary of *code*: the releases before and beside."""
    before = project.status()["prod"]["release"]
    write(project, "src/app.py", code)
    assert f"gives {share} of the calls to" in project.run("deploy", "prod", "--canary", share).stdout
    return before, project.status()["prod"]["canary"]


def test_a_canary_gets_its_share_of_real_calls_and_promotion_gives_it_all(project: ProjectFolder) -> None:
    """Each call runs the code and the config of one of the two; nothing drifts at any point."""
    before, new = start(project, ANSWERS + "# two\n")
    answers = [get(project) for _ in range(ENOUGH)]
    assert {answer.body.decode() for answer in answers} == {before, new}
    # Who asks from outside is told no release rather than a wrong one.
    assert all("X-Multistack-Release" not in answer.headers for answer in answers)
    found = versions(project, calls=ENOUGH)
    shares = {answer.body.decode() for answer in answers}
    assert shares == set(found)
    for release, one in found.items():
        assert (one["share"], one["errors"]) == (0.5, 0)
        assert one["requests"] == sum(answer.body.decode() == release for answer in answers)
    assert drifted(project) == []
    project.run("drift", "prod")  # would end with 7
    assert f"all calls go to {new}" in project.run("canary", "promote", "prod").stdout
    assert {get(project).body.decode() for _ in range(8)} == {new}
    assert get(project).headers["X-Multistack-Release"] == new
    assert "RoutingConfig" not in alias(project)
    assert drifted(project) == []
    row = project.status()["prod"]
    assert (row["release"], row["canary"]) == (new, None)
    assert "no canary runs" in project.run("canary", "status", "prod").stdout


def test_errors_are_counted_per_version_and_abort_goes_back(project: ProjectFolder) -> None:
    """What fails is the canary's; the release before has never stopped to serve."""
    before, new = start(project, BROKEN)
    answers = [get(project).status for _ in range(ENOUGH)]
    assert set(answers) == {200, 502}
    found = versions(project, calls=ENOUGH)
    assert (found[before]["errors"], found[new]["errors"]) == (0, answers.count(502))
    assert (found[before]["error_rate"], found[new]["error_rate"]) == (0, 1)
    assert "100.0%" in project.run("canary", "status", "prod").stdout
    assert f"all calls go to {before} again" in project.run("canary", "abort", "prod").stdout
    assert {get(project).body.decode() for _ in range(8)} == {before}
    assert drifted(project) == []
    assert project.run("up", "prod").stderr.startswith("nothing to do")
    history = History(project.folder / ".multistack/history.sqlite").deployments("prod")
    assert [(one.cause.kind.value, one.release.id, one.outcome) for one in history] == [
        ("deploy", before, Outcome.SUCCEEDED),
        ("canary", new, Outcome.CANARY),
        ("canary", before, Outcome.SUCCEEDED),
    ]
    assert [one.cause.reason for one in history[1:]] == ["50% of the calls", f"canary {new} aborted"]


def test_while_a_canary_runs_nothing_else_goes_there(project: ProjectFolder) -> None:
    """Deployments, further canaries and rollbacks are told what to do; up, status and history leave it as it is."""
    before, new = start(project, ANSWERS + "# two\n", "10%")
    write(project, "src/app.py", ANSWERS + "# three\n")
    project.run("drift", "prod")  # it is what was deployed
    for command in (
        ["deploy", "prod"],
        ["deploy", "prod", "--canary", "20%"],
        ["rollback", "prod", "--to", before],
        ["drift", "prod", "--repair"],
    ):
        said = refused(project, *command, code=6)
        assert f"a canary of {new} runs in prod" in said
        assert "`multistack canary promote prod` or `multistack canary abort prod`" in said
    assert f"a canary of {new} runs" in project.run("up", "prod").stdout
    assert alias(project)["RoutingConfig"]["AdditionalVersionWeights"] == {"2": 0.1}
    assert f"prod         canary  {new}" in project.run("history", "prod").stdout
    project.run("down")
    project.run("up", "prod")
    assert alias(project)["RoutingConfig"]["AdditionalVersionWeights"] == {"2": 0.1}
    project.run("canary", "promote", "prod")
    project.run("deploy", "prod")


def test_a_change_of_config_alone_can_be_a_canary(project: ProjectFolder) -> None:
    """A version freezes its variables, so each of the two has the config of its release."""
    write(project, "template.yaml", ALIASED.replace("Parameters: {", "Parameters: {Word: {Type: String, Default: a}, "))
    project.run("deploy", "prod")
    before = project.status()["prod"]["release"]
    project.run("deploy", "prod", "--canary", "50%", env={"MULTISTACK_CONFIG_PROD_Word": "b"})
    new = project.status()["prod"]["canary"]
    assert {get(project).body.decode() for _ in range(ENOUGH)} == {before, new}
    project.run("canary", "abort", "prod")


def test_an_aborted_canary_can_be_tried_again(project: ProjectFolder) -> None:
    """Lambda makes no second version of the same code, so the aborted one's has to go."""
    _, new = start(project, ANSWERS + "# two\n", "50%")
    project.run("canary", "abort", "prod")
    project.run("deploy", "prod", "--canary", "50%")
    assert project.status()["prod"]["canary"] == new
    project.run("canary", "abort", "prod")
    project.run("deploy", "prod")
    assert {get(project).body.decode() for _ in range(8)} == {new}


def test_what_can_be_no_canary_is_refused_and_changes_nothing(project: ProjectFolder) -> None:
    """A template without the alias gets one line that says what to add."""
    before = project.status()["prod"]["release"]
    assert "serves" in refused(project, "deploy", "prod", "--canary", "10%", code=2)
    assert "must be a share" in refused(project, "deploy", "prod", "--canary", "100%", code=2)
    assert "no canary runs in prod" in refused(project, "canary", "promote", "prod", code=6)
    write(project, "template.yaml", TEMPLATE)
    said = refused(project, "deploy", "prod", "--canary", "10%", code=2)
    assert "template.yaml has no function with an alias live" in said
    assert "AutoPublishAlias: live" in said
    assert project.run("deploy", "prod", "test", "--canary", "10%", check=False).returncode == 2
    assert get(project).body.decode() == before
    assert [one.outcome for one in History(project.folder / ".multistack/history.sqlite").deployments("prod")] == [
        Outcome.SUCCEEDED
    ]


def test_a_first_deployment_with_an_alias_is_no_canary(project: ProjectFolder) -> None:
    """There is nothing to share calls with yet."""
    write(project, "template.yaml", TEMPLATE.replace("Path: /,", "Path: /a,"))
    project.run("up", "test")
    write(project, "template.yaml", ALIASED)
    assert "deploy once without --canary" in refused(project, "deploy", "test", "--canary", "10%", code=2)


def test_a_dry_run_shows_the_canary_and_starts_none(project: ProjectFolder) -> None:
    """The change set that would be executed."""
    write(project, "src/app.py", BROKEN)
    said = project.run("deploy", "prod", "--canary", "10%", "--dry-run").stdout
    assert "WebAliaslive" in said
    assert project.status()["prod"]["canary"] is None
    assert "RoutingConfig" not in alias(project)
