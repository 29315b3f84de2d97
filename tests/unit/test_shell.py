"""Lines for every shell, variables for children, profiles for AWS tools."""

from __future__ import annotations

import configparser
import json
import shlex
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.config import scrubbed_environ
from emulator.model import Endpoint
from emulator.shell import (
    PROFILES_MARK,
    Shell,
    child_environ,
    export_lines,
    how_to_use,
    pin_endpoint,
    profile_name,
    profiles_text,
    shell_of,
    shell_variables,
)

NASTY = "a'b\"c $HOME `id` \\ !x ; \u2019 \u20ac %PATH% #"
OURS = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4600", "AWS_ACCESS_KEY_ID": "111111111111"}
REAL = {
    "PATH": "/bin",
    "AWS_PROFILE": "work",
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "AWS_SESSION_TOKEN": "secret",
    "AWS_ENDPOINT_URL_S3": "https://s3.example.com",
    "AWS_COMPANY_SETTING": "x",
}
# How each shell reads lines from its standard input and then prints the variable GIVEN.
PROGRAMS = {
    Shell.BASH: ["bash", "--norc", "-c", 'eval "$(cat)"; printf %s "$GIVEN-${AWS_PROFILE-unset}"'],
    Shell.ZSH: ["zsh", "-f", "-c", 'eval "$(cat)"; printf %s "$GIVEN-${AWS_PROFILE-unset}"'],
    Shell.FISH: [
        "fish",
        "--no-config",
        "-c",
        'source; set -q AWS_PROFILE; or set AWS_PROFILE unset; printf %s "$GIVEN-$AWS_PROFILE"',
    ],
    Shell.POWERSHELL: [
        "pwsh",
        "-NoProfile",
        "-Command",
        "$Input | Out-String | Invoke-Expression; "
        "if (-not $Env:AWS_PROFILE) { $Env:AWS_PROFILE = 'unset' }; "
        "[Console]::Write($Env:GIVEN + '-' + $Env:AWS_PROFILE)",
    ],
}


@pytest.mark.parametrize("shell", PROGRAMS, ids=lambda shell: shell.value)
def test_real_shell_reads_the_lines_back(shell: Shell) -> None:
    """Whatever a value holds, the shell has exactly that afterwards, and the real profile is gone."""
    program = shutil.which(PROGRAMS[shell][0])
    if program is None:
        pytest.skip(f"{PROGRAMS[shell][0]} is not installed")
    done = subprocess.run(
        [program, *PROGRAMS[shell][1:]],
        input=export_lines({"GIVEN": NASTY}, ["AWS_PROFILE", "NOT_SET"], shell),
        env={"PATH": "/usr/bin:/bin", "AWS_PROFILE": "work", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{NASTY}-unset"
    assert done.stderr == ""


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_bash_quoting_holds_for_any_text(value: str) -> None:
    """No value can end its quotes; checked against the rules of POSIX rather than a process per example."""
    line = export_lines({"GIVEN": value}, [], Shell.BASH)
    assert shlex.split(line) == ["export", f"GIVEN={value}"]


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        (Shell.FISH, r"set -gx GIVEN 'it\'s a \\'"),
        (Shell.POWERSHELL, "$Env:GIVEN = 'it''s a \\'"),
        (Shell.DOTENV, r"GIVEN='it\'s a \\'"),
    ],
    ids=lambda value: value.value if isinstance(value, Shell) else "",
)
def test_quotes_and_backslashes_are_escaped_as_each_shell_wants(shell: Shell, line: str) -> None:
    """Shells that may be missing on this machine have their quoting pinned."""
    assert export_lines({"GIVEN": "it's a \\"}, [], shell) == line


def test_powershell_doubles_typographic_quotes() -> None:
    """PowerShell ends a string at a curly quote too."""
    assert export_lines({"GIVEN": "\u2019; rm x"}, [], Shell.POWERSHELL) == "$Env:GIVEN = '\u2019\u2019; rm x'"


def test_dotenv_leaves_plain_values_unquoted() -> None:
    """Docker's --env-file takes quotes for part of the value."""
    assert export_lines({"A": "http://127.0.0.1:1/x", "B": ""}, ["AWS_PROFILE"], Shell.DOTENV) == (
        "A=http://127.0.0.1:1/x\nB="
    )


def test_json_is_one_object() -> None:
    """Programs read the variables without a shell."""
    assert json.loads(export_lines({"A": NASTY}, ["AWS_PROFILE"], Shell.JSON)) == {"A": NASTY}


@pytest.mark.parametrize(
    ("program", "shell"),
    [
        ("/bin/zsh", Shell.ZSH),
        ("/usr/local/bin/fish", Shell.FISH),
        ("/opt/pwsh", Shell.POWERSHELL),
        ("/bin/bash", Shell.BASH),
        ("/bin/dash", Shell.BASH),
        ("", Shell.BASH),
        (None, Shell.BASH),
    ],
    ids=str,
)
def test_shell_is_known_by_its_program(program: str | None, shell: Shell) -> None:
    """The last part of $SHELL decides; bash's lines serve all other POSIX shells."""
    assert shell_of(program) is shell


@pytest.mark.parametrize("shell", Shell, ids=lambda shell: shell.value)
def test_every_shell_says_how_to_use_its_lines(shell: Shell) -> None:
    """The advice contains the command itself."""
    assert "multistack environ test" in how_to_use(shell, "multistack environ test")


def test_shell_unsets_all_that_is_real_and_not_set_by_us() -> None:
    """A leftover profile, token or service endpoint would lead a tool elsewhere."""
    variables, unset = shell_variables(REAL, scrubbed=scrubbed_environ(REAL), variables=OURS)
    assert variables == OURS
    assert {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"} <= set(
        unset
    )
    assert {"AWS_ENDPOINT_URL_S3", "AWS_COMPANY_SETTING"} <= set(unset)
    assert not set(unset) & ({"PATH"} | OURS.keys())
    assert len(unset) == len(set(unset))


def test_names_that_no_shell_can_say_are_not_unset() -> None:
    """A strange variable of the caller must not become a command of its shell."""
    caller = {"AWS_X; rm -rf /": "1"}
    assert "AWS_X; rm -rf /" not in shell_variables(caller, scrubbed={}, variables=OURS)[1]


def test_child_gets_the_environment_and_nothing_real() -> None:
    """Every AWS variable of the caller is gone, its others stay."""
    environ = child_environ(scrubbed_environ(REAL), variables=OURS)
    assert environ == {"PATH": "/bin", **OURS}


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        ({"HTTPS_PROXY": "http://p:1"}, "127.0.0.1,localhost"),
        ({"http_proxy": "http://p:1", "NO_PROXY": "corp, .lan"}, "corp,.lan,127.0.0.1,localhost"),
        ({"all_proxy": "x", "no_proxy": "a,127.0.0.1", "NO_PROXY": "b"}, "b,a,127.0.0.1,localhost"),
        ({"HTTP_PROXY": "x", "no_proxy": "*"}, "*"),
    ],
    ids=["none", "upper", "both", "all"],
)
def test_http_proxy_stays_but_not_for_this_machine(caller: dict[str, str], expected: str) -> None:
    """The command may need the network; the emulator must be reached directly, in both spellings of the variable."""
    environ = child_environ(scrubbed_environ(caller), variables=OURS)
    assert caller.items() - {"NO_PROXY": "", "no_proxy": ""}.items() <= {**environ, **caller}.items()
    assert environ["NO_PROXY"] == environ["no_proxy"] == expected
    assert {name for name in caller if "no_proxy" not in name.lower()} <= environ.keys()
    assert shell_variables(caller, scrubbed={}, variables=OURS)[0]["no_proxy"] == expected


def test_without_http_proxy_nothing_is_said_about_one() -> None:
    """No needless variables."""
    assert "NO_PROXY" not in child_environ({"PATH": "x"}, variables=OURS)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["aws", "sqs", "list-queues"], ["aws", "--endpoint-url", "URL", "sqs", "list-queues"]),
        (["/usr/bin/aws", "s3", "ls"], ["/usr/bin/aws", "--endpoint-url", "URL", "s3", "ls"]),
        (["aws", "--endpoint-url=X", "s3", "ls"], ["aws", "--endpoint-url=X", "s3", "ls"]),
        (["terraform", "aws"], ["terraform", "aws"]),
    ],
    ids=["name", "path", "given", "other"],
)
def test_the_aws_command_gets_its_endpoint_as_an_option(arguments: list[str], expected: list[str]) -> None:
    """Version 1 of it ignores the variable for some services."""
    assert pin_endpoint(arguments, "URL") == expected


def test_profiles_have_all_that_a_tool_needs() -> None:
    """Each environment has its region, endpoint and account, and no pager stops a script."""
    endpoints = [
        Endpoint(environment="test", url="http://127.0.0.1:4600", account_id="111111111111", region="eu-west-1"),
        Endpoint(environment="feature-x", url="http://127.0.0.1:4601", account_id="222222222222", region="us-east-1"),
    ]
    text = profiles_text(endpoints)
    assert text.startswith(PROFILES_MARK + "\n")
    parsed = configparser.ConfigParser()
    parsed.read_string(text)
    assert parsed.sections() == ["profile multistack-test", "profile multistack-feature-x"]
    assert profile_name("feature-x") == "multistack-feature-x"
    assert dict(parsed["profile multistack-feature-x"]) == {
        "region": "us-east-1",
        "endpoint_url": "http://127.0.0.1:4601",
        "aws_access_key_id": "222222222222",
        "aws_secret_access_key": "multistack",
        "cli_pager": "",
    }
