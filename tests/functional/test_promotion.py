"""Gates, approvals, verification, secrets and everything that goes wrong with them, on a service of one function."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ProjectFolder, http
from tests.functional.tiny import SAM, refused, tiny_project, write

PROJECT = """
service = "tiny"

[config.Colour]
default = "red"

[config.Token]
secret = true

[verify]
checks = [{path = "/", contains = "colour"}]

[environments.test]
[environments.prod]
protected = true
soak = "1h"
"""
TEMPLATE = (
    SAM
    + """
Parameters:
  Colour: {Type: String}
  Token: {Type: String}
  MultistackRelease: {Type: String, Default: local}
Resources:
  Web:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: app.handler
      CodeUri: src/
      Environment: {Variables: {COLOUR: !Ref Colour, TOKEN: !Ref Token, RELEASE: !Ref MultistackRelease}}
      Policies:
        - AWSSecretsManagerGetSecretValuePolicy: {SecretArn: !Ref Token}
      Events:
        Get: {Type: Api, Properties: {Path: /, Method: GET}}
"""
)
SOURCE = """
import json, os
import boto3

def handler(event, context):
    token = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["TOKEN"])["SecretString"]
    return {"statusCode": 200, "body": json.dumps({"colour": os.environ["COLOUR"], "token": token, "v": 1})}
"""
TOKENS = {"test": "t0ken-of-test", "prod": "t0ken-of-prod"}


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """One project for all tests of this module: each leaves it so that the next can go on."""
    with tiny_project(tmp_path_factory.mktemp("promotion")) as project:
        write(project, "multistack.toml", PROJECT)
        write(project, "template.yaml", TEMPLATE)
        write(project, "src/app.py", SOURCE)
        for name, token in TOKENS.items():
            write(project, f".env.{name}", f"Token={token}\n")
        project.run("up")
        yield project
        project.run("down")


@pytest.fixture
def service(origin: ProjectFolder) -> Iterator[ProjectFolder]:
    """Its files as they were, whatever a test does to them."""
    files = {path: path.read_bytes() for path in origin.folder.glob("*.*") if path.is_file()}
    files |= {path: path.read_bytes() for path in (origin.folder / "src").iterdir() if path.is_file()}
    files |= {path: path.read_bytes() for path in origin.folder.glob(".env.*")}
    yield origin
    for path, content in files.items():
        path.write_bytes(content)
    origin.run("hold", "prod", "--lift")


def answer(project: ProjectFolder, environment: str) -> Any:
    """What its function answers."""
    return http("GET", project.url(environment)).json()


def ledger(project: ProjectFolder, environment: str) -> list[dict[str, Any]]:
    """Its deployments, oldest first."""
    found: list[dict[str, Any]] = json.loads(project.run("history", environment, "--last", "0", "--json").stdout)
    return found


def deploy_version(project: ProjectFolder, number: int) -> None:
    """Another artifact into test."""
    write(project, "src/app.py", SOURCE.replace('"v": 1', f'"v": {number}'))
    project.run("deploy", "test")


def later(hours: int) -> dict[str, str]:
    """The clock of gates, moved."""
    return {"MULTISTACK_CLOCK_OFFSET": f"{hours}h"}


def test_secrets_reach_the_function_and_nothing_else(service: ProjectFolder) -> None:
    """Neither template, artifact, ledger, log, route nor anything that commands print holds a value."""
    assert {name: answer(service, name)["token"] for name in TOKENS} == TOKENS
    shown = service.run("config", "list").stdout + service.run("history", "--json").stdout
    shown += service.run("status", "--json").stdout + service.run("logs").stdout
    shown += service.run("config", "diff", "test", "prod", check=False).stdout
    assert "********" in shown
    assert "t0ken" not in shown
    state = service.folder / ".multistack"
    kept = [path for path in state.rglob("*") if path.is_file() and b"t0ken" in path.read_bytes()]
    own = {path.relative_to(state).parts[0] for path in kept}
    assert own <= {"secrets", "environments"}  # the vault, and what the emulators keep of their Secrets Managers
    assert all(path.relative_to(state).parts[2:3] == ("state",) for path in kept if "environments" in path.parts)
    assert "is a secret" in refused(service, "config", "get", "prod", "Token", code=2)
    assert service.run("config", "get", "prod", "Token", "--reveal").stdout == "t0ken-of-prod\n"


def test_a_config_change_is_a_new_release_of_the_same_artifact(service: ProjectFolder) -> None:
    """Nothing is built; a secret's change is one too, and a rollback brings its old value back."""
    before = ledger(service, "test")[-1]["release"]
    service.run("config", "set", "test", "Colour", "blue")
    service.run("config", "set", "test", "Token", "t0ken-two")
    service.run("deploy", "test")
    after = ledger(service, "test")[-1]["release"]
    assert (after["digest"], after["id"] != before["id"]) == (before["digest"], True)
    assert answer(service, "test") == {"colour": "blue", "token": "t0ken-two", "v": 1}
    service.run("rollback", "test")
    service.run("hold", "test", "--lift")
    assert answer(service, "test") == {"colour": "red", "token": "t0ken-of-test", "v": 1}
    assert ledger(service, "test")[-1]["release"] == before


def test_a_missing_key_stops_before_anything_is_deployed(service: ProjectFolder) -> None:
    """In a deployment, a promotion and a check, in one line."""
    rows = len(ledger(service, "prod"))
    (service.folder / ".env.prod").unlink()
    assert "environment prod: Token of [config] has no value" in refused(service, "deploy", code=2)
    assert "Token of [config] has no value" in refused(service, "promote", "prod", code=2)
    assert "environment prod: Token has no value" in refused(service, "config", "check", code=2)
    assert len(ledger(service, "prod")) == rows


def test_prod_takes_a_release_that_has_soaked_and_is_approved(service: ProjectFolder) -> None:
    """Each gate that does not hold is told, with what to do; who approved what is on record."""
    deploy_version(service, 2)
    said = refused(service, "promote", "prod", code=6)
    assert "of 1h" in said
    assert "approval: prod is protected, and nobody approved" in said
    assert answer(service, "prod")["v"] == 1
    service.run("approve", "prod", "--by", "Ada", "--for", "90m")
    assert "expired" in refused(service, "promote", "prod", code=6, env=later(3))
    service.run("approve", "prod", "--by", "Ada", env=later(1))
    service.run("promote", "prod", env=later(2))
    assert answer(service, "prod")["v"] == 2
    last = ledger(service, "prod")[-1]
    assert (last["cause"]["kind"], last["cause"]["promoted_from"]) == ("promote", "test")
    assert {gate["name"]: gate["result"] for gate in last["gates"]} == dict.fromkeys(
        ("order", "source", "hold", "permissions", "approval", "GET /"), "passed"
    ) | {"soak": "overridden"}  # the clock was moved


def test_a_clock_that_went_back_is_told(service: ProjectFolder) -> None:
    """A soak time that can't be known is not passed."""
    deploy_version(service, 3)
    assert "the clock went back" in refused(service, "promote", "prod", code=6, env=later(-5))


def test_gained_permissions_are_shown_and_must_be_accepted(service: ProjectFolder) -> None:
    """By whom, which, on what."""
    policy = "        - SQSSendMessagePolicy: {QueueName: orders}\n      Events:"
    write(service, "template.yaml", TEMPLATE.replace("      Events:", policy))
    service.run("deploy", "test")
    service.run("approve", "prod", "--by", "Ada", env=later(2))
    said = refused(service, "promote", "prod", code=6, env=later(2))
    assert "permissions are 1 gained: WebRole may sqs:SendMessage* on arn:" in said
    plan = service.run("promote", "prod", "--dry-run", check=False, env=later(2))
    assert (plan.returncode, "does not hold" in plan.stdout) == (6, True)
    service.run("promote", "prod", "--accept-permissions", env=later(2))
    results = {gate["name"]: gate["result"] for gate in ledger(service, "prod")[-1]["gates"]}
    assert results["permissions"] == "overridden"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        pytest.param("sleep 60", "did not end within 1 s: sleep 60", id="hangs"),
        pytest.param("no-such-smoke-test", "command not found: no-such-smoke-test", id="missing"),
        pytest.param("head -c 3000 /dev/urandom; exit 3", "ended with 3", id="binary"),
        pytest.param("kill -9 $$", "ended with -9", id="killed"),
    ],
)
def test_smoke_tests_that_fail_in_any_way_are_a_failed_gate(service: ProjectFolder, command: str, said: str) -> None:
    """On record, with what they said fit for a terminal; nothing of them runs on."""
    service.run("config", "check")
    text = PROJECT.replace("[verify]", f"[verify]\ncommand = '{command}'\ntimeout = 1")
    write(service, "multistack.toml", text)
    done = service.run("verify", "test", check=False)
    assert done.returncode == 6
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert all(char.isprintable() or char in "\n\N{REPLACEMENT CHARACTER}" for char in done.stderr)
    assert [gate["result"] for gate in ledger(service, "test")[-1]["gates"]][-1] == "failed"


def test_smoke_tests_see_one_environment_only(service: ProjectFolder) -> None:
    """Its URL, its endpoint, and none of the caller's AWS."""
    command = 'test "$MULTISTACK_ENVIRONMENT" = test && env > "$HOME/seen"'
    write(service, "multistack.toml", PROJECT.replace("[verify]", f"[verify]\ncommand = '{command}'"))
    service.run("verify", "test", env={"AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_PROFILE": "work"})
    seen = (service.home / "seen").read_text()
    assert f"MULTISTACK_URL={service.url('test')}" in seen
    assert f"AWS_ENDPOINT_URL={service.status()['test']['endpoint']}" in seen
    assert "AKIAREAL" not in seen
    assert "AWS_PROFILE" not in seen


def test_an_artifact_changed_by_one_byte_stops_everything(service: ProjectFolder) -> None:
    """Promotion, rollback and show; what serves goes on serving."""
    digest = ledger(service, "test")[-1]["release"]["digest"]
    folder = service.folder / ".multistack/artifacts" / digest
    (archive,) = (folder / "code").iterdir()
    content = archive.read_bytes()
    archive.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    service.run("approve", "prod", "--by", "Ada", check=False)
    assert "its bytes no longer match its digest" in refused(service, "promote", "prod", code=5, env=later(2))
    assert "its bytes no longer match its digest" in refused(service, "artifact", "show", digest[:9], code=5)
    archive.unlink()
    assert f"artifact {digest[:12]} is not in" in refused(service, "promote", "prod", code=5, env=later(2))
    archive.write_bytes(content)
    assert answer(service, "prod")["colour"] == "red"


def test_an_artifact_travels(service: ProjectFolder, tmp_path: Path) -> None:
    """Built here, deployed there, with the digest it always had."""
    digest = service.run("build").stdout.strip()
    service.run("artifact", "export", digest, str(tmp_path / "tiny.tar"))
    there = tmp_path / "there"
    shutil.copytree(service.folder, there, ignore=shutil.ignore_patterns(".multistack", "src"))
    other = ProjectFolder(there, service.home)
    assert other.run("artifact", "import", str(tmp_path / "tiny.tar")).stdout.startswith(f"{digest}\n")
    assert json.loads(other.run("artifact", "list", "--json").stdout)[0]["digest"] == digest


def test_a_second_command_waits_or_fails(service: ProjectFolder) -> None:
    """One deployment at a time."""
    go = service.folder / "go"
    command = f"until [ -e {go} ]; do sleep 0.05; done"
    write(service, "multistack.toml", PROJECT.replace("[verify]", f"[verify]\ncommand = '{command}'"))
    first = service.start("verify", "test")
    try:
        _await_line(first, "verifying")
        said = refused(service, "promote", "prod", "--no-wait", code=3)
        assert "another command changes this project: multistack verify (pid" in said
        second = service.start("verify", "test")
        _await_line(second, "waiting for another command: multistack verify")
    finally:
        go.touch()
    for process in (first, second):
        process.communicate(timeout=60)
        assert process.returncode == 0
    go.unlink()


def _await_line(process: subprocess.Popen[str], part: str) -> None:
    """Read what a command says up to the line with *part*."""
    assert process.stderr is not None
    assert any(part in line for line in iter(process.stderr.readline, ""))


def test_what_comes_first_is_not_promoted_into_and_order_holds(service: ProjectFolder) -> None:
    """Skipping needs a reason, which goes on record."""
    assert "nothing is promoted into test" in refused(service, "promote", "test", code=2)
    assert "prod does not come before prod" in refused(service, "promote", "prod", "--from", "prod", code=2)
    deploy_version(service, 5)
    text = PROJECT.replace("[environments.prod]", "[environments.staging]\n[environments.prod]")
    write(service, "multistack.toml", text)
    write(service, ".env.staging", "Token=t0ken\n")
    assert "staging has no deployment" in refused(service, "promote", "prod", code=6)
    assert "that would skip staging" in refused(service, "promote", "prod", "--from", "test", code=6, env=later(2))


def test_a_verified_release_goes_on_by_itself_where_the_project_says_so(service: ProjectFolder) -> None:
    """And not where a gate or a hold is in the way."""
    open_prod = PROJECT.replace("protected = true\n", "").replace('soak = "1h"\n', "")
    write(
        service, "multistack.toml", open_prod.replace("[config.Colour]", 'auto_promote_to = ["prod"]\n[config.Colour]')
    )
    deploy_version(service, 7)
    service.run("hold", "prod", "--reason", "freeze", "--by", "Bob")
    said = service.run("verify", "test").stderr
    assert "by Bob: freeze" in said
    assert answer(service, "prod")["v"] != 7
    service.run("hold", "prod", "--lift")
    assert "prod: promoted" in service.run("verify", "test").stdout
    assert answer(service, "prod")["v"] == 7


def test_a_promotion_that_was_killed_while_it_verified_is_verified_by_the_next(service: ProjectFolder) -> None:
    """What is there already counts only once it was found good; what is not goes back."""
    write(service, "multistack.toml", PROJECT.replace("protected = true\n", "").replace('soak = "1h"\n', ""))
    deploy_version(service, 11)
    service.run("promote", "prod")
    good = ledger(service, "prod")[-1]["release"]["id"]
    deploy_version(service, 12)
    slow = PROJECT.replace(
        "[verify]", "[verify]\ncommand = 'test $MULTISTACK_ENVIRONMENT = test || { sleep 5; exit 1; }'"
    )
    write(service, "multistack.toml", slow.replace("protected = true\n", "").replace('soak = "1h"\n', ""))
    command = service.start("promote", "prod")
    line = ""
    while "prod  verifying" not in line:
        line = command.stderr.readline() if command.stderr else ""
    os.killpg(command.pid, signal.SIGKILL)
    command.communicate(timeout=60)
    assert answer(service, "prod")["v"] == 12
    assert "did not pass in prod" in refused(service, "promote", "prod", code=6)
    assert ledger(service, "prod")[-1]["release"]["id"] == good
    assert answer(service, "prod")["v"] == 11


def test_a_project_file_that_changes_while_a_command_waits_is_not_ignored(service: ProjectFolder) -> None:
    """Else the change would be lost without a word."""
    write(service, "multistack.toml", PROJECT.replace("[verify]", "[verify]\ncommand = 'sleep 3'"))
    first = service.start("verify", "test")
    line = ""
    while "verifying" not in line:
        line = first.stderr.readline() if first.stderr else ""
    second = service.start("deploy", "test")
    while "waiting" not in line:
        line = second.stderr.readline() if second.stderr else ""
    write(service, "multistack.toml", PROJECT)
    first.communicate(timeout=60)
    _, said = second.communicate(timeout=60)
    assert (second.returncode, "was changed while this command waited" in said) == (2, True)


def test_a_secret_deleted_by_hand_comes_back(service: ProjectFolder) -> None:
    """Also while it could still be restored, which keeps its name from being taken."""
    service.run("exec", "test", "--", "aws", "secretsmanager", "delete-secret", "--secret-id", "tiny-test/Token")
    write(service, "src/app.py", SOURCE + "# new\n")
    service.run("deploy", "test")
    assert answer(service, "test")["token"] == "t0ken-of-test"


def test_config_of_environments_goes_into_no_artifact(service: ProjectFolder) -> None:
    """Although the code lies beside it."""
    write(service, "template.yaml", TEMPLATE.replace("CodeUri: src/", "CodeUri: ."))
    write(service, "app.py", SOURCE)
    digest = service.run("build").stdout.strip()
    (archive,) = (service.folder / ".multistack/artifacts" / digest / "code").iterdir()
    with zipfile.ZipFile(archive) as content:
        assert sorted(content.namelist()) == ["app.py", "src/app.py", "template.yaml"]
    (service.folder / "app.py").unlink()


@pytest.mark.parametrize(
    "command", [["deploy", "test", "--artifact", ""], ["up", "--artifact", ""], ["approve", "prod", "--digest", ""]]
)
def test_an_empty_digest_is_no_digest(service: ProjectFolder, command: list[str]) -> None:
    """What a script could not find must not mean something else."""
    assert "no artifact has a digest that begins with ''" in refused(service, *command, code=5)


def test_what_goes_on_record_is_one_line(service: ProjectFolder) -> None:
    """Else a reason could look like another deployment."""
    for command in (["rollback", "test", "--reason", "a\nb"], ["approve", "prod", "--by", "a\nb"]):
        done = service.run(*command, check=False)
        assert (done.returncode, "must be one line of text" in done.stderr) == (2, True)


def test_up_leaves_what_runs_until_it_knows_that_the_new_one_can_start(service: ProjectFolder) -> None:
    """A port that is taken is no reason to stop what serves."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = refused(service, "up", "test", code=3, env={"MULTISTACK_ENVIRONMENT_TEST_PORT": port})
    assert port in said
    assert service.status()["test"]["status"] == "ready"
    assert answer(service, "test")["colour"] == "red"
