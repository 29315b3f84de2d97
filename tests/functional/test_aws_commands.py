"""AWS's own tools reach an environment through endpoint, environ, exec and aws-config, and never a real account."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import MULTISTACK, ProjectFolder

ACCOUNTS = {"test": "111111111111", "staging": "222222222222", "prod": "333333333333"}
# What a developer may have: none of it may be used.
REAL = {
    "AWS_PROFILE": "nonexistent",
    "AWS_ACCESS_KEY_ID": "AKIAREAL000000000000",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_SESSION_TOKEN": "real",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_REGION": "ap-south-1",
    "AWS_CA_BUNDLE": "/nonexistent",
    "HTTP_PROXY": "http://127.0.0.1:9",
}
IDENTITY = ("aws", "sts", "get-caller-identity", "--query", "Account", "--output", "text")

needs_aws = pytest.mark.skipif(
    not (MULTISTACK.parent / "aws").exists() and shutil.which("aws") is None, reason="the aws command is not installed"
)


def variables_of(project: ProjectFolder, environment: str, env: Mapping[str, str]) -> dict[str, str]:
    """What a command run by ``exec`` sees."""
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    done = project.run("exec", environment, "--", str(MULTISTACK.parent / "python"), "-c", script, env=env)
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("name", ACCOUNTS)
def test_endpoint_is_the_one_of_status(running_project: ProjectFolder, name: str) -> None:
    """One line on stdout and nothing else, for use in scripts."""
    assert running_project.run("endpoint", name).stdout == running_project.status()[name]["endpoint"] + "\n"


def test_endpoint_of_a_stopped_environment_says_what_to_run(project: ProjectFolder) -> None:
    """A script that goes on with an empty endpoint would reach real AWS."""
    done = project.run("endpoint", "test", check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert "hint: multistack up test" in done.stderr


@needs_aws
@pytest.mark.parametrize("name", ACCOUNTS)
def test_aws_through_exec_sees_the_environments_account(running_project: ProjectFolder, name: str) -> None:
    """Whatever the caller has set, the environment's account answers."""
    assert running_project.run("exec", name, "--", *IDENTITY, env=REAL).stdout.strip() == ACCOUNTS[name]


@needs_aws
def test_aws_reaches_the_environments_queues(running_project: ProjectFolder) -> None:
    """Version 1 of the client would ask AWS itself for them, whatever the endpoint variable says."""
    done = running_project.run("exec", "test", "--", "aws", "sqs", "list-queues", "--output", "text")
    assert "http://127.0.0.1:" in done.stdout


def test_exec_lets_nothing_real_through(running_project: ProjectFolder) -> None:
    """Every AWS variable of the caller is replaced or gone; its HTTP proxy stays, but not for this machine."""
    seen = variables_of(running_project, "staging", REAL)
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_STS", "AWS_CA_BUNDLE"} & seen.keys()
    assert "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" not in seen
    assert not {"AKIAREAL000000000000", "real", "ap-south-1"} & set(seen.values())
    assert seen["AWS_ACCESS_KEY_ID"] == ACCOUNTS["staging"]
    assert seen["HTTP_PROXY"] == "http://127.0.0.1:9"
    assert seen["NO_PROXY"] == seen["no_proxy"] == "127.0.0.1,localhost"


def test_localstacks_token_stays_with_who_has_it(running_project: ProjectFolder) -> None:
    """No command that works with an environment gets it; the shell that has it keeps it for the next `up`."""
    token = {"LOCALSTACK_AUTH_TOKEN": "ls-secret"}
    assert "LOCALSTACK_AUTH_TOKEN" not in variables_of(running_project, "test", token)
    assert "LOCALSTACK_AUTH_TOKEN" not in running_project.run("environ", "test", env=token).stdout


def test_exec_tells_environment_and_url(running_project: ProjectFolder) -> None:
    """Smoke tests find the service without being configured."""
    seen = variables_of(running_project, "prod", {"MULTISTACK_URL": "http://127.0.0.1:9/test/"})
    assert seen["MULTISTACK_ENVIRONMENT"] == "prod"
    assert seen["MULTISTACK_URL"] == running_project.status()["prod"]["url"]


def test_exec_can_run_multistack(running_project: ProjectFolder) -> None:
    """What a command is told about its environment does not disturb multistack itself."""
    inner = running_project.run("exec", "test", "--", str(MULTISTACK), "endpoint", "prod")
    assert inner.stdout.strip() == running_project.status()["prod"]["endpoint"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["sh", "-c", "exit 0"], 0),
        (["sh", "-c", "exit 7"], 7),
        (["no-such-command-here"], 127),
        (["/etc/passwd"], 126),
        (["/"], 126),
    ],
    ids=["ok", "own", "missing", "not executable", "folder"],
)
def test_exec_ends_with_the_exit_code_a_shell_gives(
    running_project: ProjectFolder, command: list[str], code: int
) -> None:
    """Scripts see the command's own result."""
    done = running_project.run("exec", "test", "--", *command, check=False)
    assert done.returncode == code
    assert done.stderr.count("\n") == (1 if code > 100 else 0)


def test_exec_passes_arguments_through_untouched(running_project: ProjectFolder) -> None:
    """Neither options nor spaces nor a second ``--`` are ours."""
    arguments = ["--json", "-h", "a b", "", "--", "$HOME"]
    script = "import json, sys; print(json.dumps(sys.argv[1:]))"
    python = str(MULTISTACK.parent / "python")
    done = running_project.run("exec", "test", "--", python, "-c", script, *arguments)
    assert json.loads(done.stdout) == arguments


def test_exec_leaves_pipes_as_a_command_expects_them(running_project: ProjectFolder) -> None:
    """Python ignores SIGPIPE; what it runs must not inherit that, else every ``| head`` ends with an error."""
    done = running_project.run("exec", "test", "--", "sh", "-c", "yes | head -n 1")
    assert (done.stdout, done.stderr) == ("y\n", "")


def test_exec_without_command_is_a_usage_error(running_project: ProjectFolder) -> None:
    """Nothing runs by accident."""
    for arguments in (["exec", "test"], ["exec", "test", "--"]):
        done = running_project.run(*arguments, check=False)
        assert done.returncode == 2
        assert "COMMAND" in done.stderr


def test_environ_turns_a_real_bash_to_the_environment(running_project: ProjectFolder) -> None:
    """After the eval the shell holds the environment's variables, and the real ones are gone."""
    script = (
        f'eval "$({shlex.quote(str(MULTISTACK))} environ test)" && '
        'printf "%s\\n" "$AWS_ENDPOINT_URL" "$AWS_ACCESS_KEY_ID" "${AWS_PROFILE-gone}" "${AWS_ENDPOINT_URL_STS-gone}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=running_project.folder,
        env={**running_project.command_environ(REAL), "SHELL": "/bin/bash"},
        capture_output=True,
        text=True,
        check=True,
    )
    endpoint = running_project.status()["test"]["endpoint"]
    assert done.stdout.split("\n") == [endpoint, ACCOUNTS["test"], "gone", "gone", ""]
    assert done.stderr == ""


def test_environ_speaks_the_callers_shell(running_project: ProjectFolder) -> None:
    """$SHELL decides, and the option decides over it."""
    assert "set -gx AWS_REGION 'eu-west-1'" in running_project.run("environ", "test", env={"SHELL": "/bin/fish"}).stdout
    done = running_project.run("environ", "test", "--shell", "json", env={"SHELL": "/bin/fish"})
    assert json.loads(done.stdout)["AWS_REGION"] == "eu-west-1"


@needs_aws
def test_profiles_serve_the_aws_command(running_project: ProjectFolder, tmp_path: Path) -> None:
    """The written file and a profile are all that ``aws`` needs."""
    output = tmp_path / "profiles"
    done = running_project.run("aws-config", "--output", str(output))
    assert done.stdout == f"{output}\n"
    assert f"export AWS_CONFIG_FILE={output}" in done.stderr
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    environ = {**running_project.command_environ(), "AWS_CONFIG_FILE": str(output)}
    for name, account in ACCOUNTS.items():
        answer = subprocess.run(
            [*IDENTITY, "--profile", f"multistack-{name}"], env=environ, capture_output=True, text=True, check=True
        )
        assert answer.stdout.strip() == account


def test_profiles_default_to_the_state_folder_and_are_overwritten(running_project: ProjectFolder) -> None:
    """Its own file can be written again and again; no half-written one is left beside it."""
    path = running_project.folder / ".multistack/aws-config"
    for _ in range(2):
        assert running_project.run("aws-config").stdout == f"{path}\n"
    assert [file.name for file in path.parent.iterdir() if "aws-config" in file.name] == ["aws-config"]


@pytest.mark.parametrize("name", ["config", "credentials"])
@pytest.mark.parametrize("is_link", [False, True], ids=["itself", "link"])
def test_real_profiles_are_never_written(
    running_project: ProjectFolder, tmp_path: Path, name: str, is_link: bool
) -> None:
    """Not even when they don't exist yet, nor through a link."""
    (tmp_path / ".aws").mkdir()
    target = tmp_path / ".aws" / name
    given = target
    if is_link:
        target.write_text("[default]\n")
        given = tmp_path / "innocent"
        given.symlink_to(target)
    done = running_project.run("aws-config", "--output", str(given), check=False, env={"HOME": str(tmp_path)})
    assert done.returncode == 2
    assert "hint:" in done.stderr
    assert (target.read_text() if is_link else target.exists()) == ("[default]\n" if is_link else False)


def test_no_foreign_file_is_overwritten(running_project: ProjectFolder, tmp_path: Path) -> None:
    """Only what multistack wrote is replaced."""
    mine = tmp_path / "notes"
    mine.write_text("mine")
    done = running_project.run("aws-config", "--output", str(mine), check=False)
    assert (done.returncode, mine.read_text()) == (2, "mine")


def test_a_folder_that_does_not_exist_is_a_clear_error(running_project: ProjectFolder, tmp_path: Path) -> None:
    """No traceback."""
    done = running_project.run("aws-config", "--output", str(tmp_path / "no" / "file"), check=False)
    assert done.returncode == 2
    assert "can't be written" in done.stderr


def test_profiles_of_stopped_environments_are_left_out(project: ProjectFolder) -> None:
    """Each missing one is told; without any there is nothing to write."""
    none = project.run("aws-config", check=False)
    assert (none.returncode, none.stdout) == (3, "")
    assert "hint: multistack up" in none.stderr
    project.run("up", "test")
    done = project.run("aws-config")
    assert "left out staging: it is stopped" in done.stderr
    text = Path(done.stdout.strip()).read_text()
    assert "multistack-test" in text
    assert "multistack-prod" not in text


def test_profiles_warn_of_an_endpoint_that_would_win(running_project: ProjectFolder, tmp_path: Path) -> None:
    """A variable takes precedence over a profile: one would silently work on another environment."""
    done = running_project.run("aws-config", "--output", str(tmp_path / "profiles"), env=REAL)
    assert "note: AWS_ENDPOINT_URL is set" in done.stderr


def test_the_callers_own_home_is_empty_in_these_tests(running_project: ProjectFolder) -> None:
    """These tests could otherwise pass thanks to somebody's real configuration."""
    assert running_project.command_environ()["HOME"] != os.environ.get("HOME")
