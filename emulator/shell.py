"""What other programs are told about an environment: shell lines, a child's variables, AWS profiles. Pure text."""

from __future__ import annotations

import enum
import json
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath

from emulator.model import Endpoint

# The first line of a profile file; only a file that starts with it is ever overwritten.
PROFILES_MARK = "# Written by `multistack aws-config`, which overwrites it."
_PROFILE_PREFIX = "multistack-"
# With these, an SDK looks for credentials neither in the user's home nor at the address of a machine's own role.
NO_REAL_ACCOUNT = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
# What would lead an AWS tool to another account or endpoint, or past ours, although ours is set. Source: AWS SDKs and
# Tools Reference Guide, "Environment variables".
_MISLEADING = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_CA_BUNDLE",
)
_PROXY_VARIABLE = re.compile(r"(https?|all)_proxy", re.IGNORECASE)
_BYPASS_VARIABLES = ("NO_PROXY", "no_proxy")
_BYPASSED = ("127.0.0.1", "localhost")
# PowerShell takes all of these for the quote that ends a string. Source: about_Quoting_Rules and its tokenizer.
_POWERSHELL_QUOTES = re.compile("(['\u2018\u2019\u201a\u201b])")
_PLAIN = re.compile(r"[A-Za-z0-9_.,:/@%+=*-]*")


class Shell(enum.Enum):
    """Who reads the lines."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"
    DOTENV = "dotenv"
    JSON = "json"


def shell_of(program: str | None) -> Shell:
    """The shell that ``$SHELL`` names; bash, whose lines any POSIX shell reads, for an unknown or missing one."""
    name = PurePath(program or "").name
    known = {"zsh": Shell.ZSH, "fish": Shell.FISH, "pwsh": Shell.POWERSHELL, "powershell": Shell.POWERSHELL}
    return known.get(name, Shell.BASH)


def how_to_use(shell: Shell, command: str) -> str:
    """What to type so that *command*'s output takes effect."""
    return {
        Shell.BASH: f'eval "$({command})"',
        Shell.ZSH: f'eval "$({command})"',
        Shell.FISH: f"{command} | source",
        Shell.POWERSHELL: f"{command} | Out-String | Invoke-Expression",
        Shell.DOTENV: f"{command} > .env",
        Shell.JSON: f"{command} > variables.json",
    }[shell]


def export_lines(variables: Mapping[str, str], unset: Sequence[str], shell: Shell) -> str:
    """
    Text that sets *variables* in *shell*.

    Args:
        unset: Names to remove, where the format can say so: ``dotenv`` and ``json`` can't.
    """
    if shell is Shell.JSON:
        return json.dumps(dict(variables), indent=2)
    set_one, unset_all = _FORMATS[shell]
    removed = [unset_all(unset)] if unset_all and unset else []
    return "\n".join([*removed, *(set_one(name, value) for name, value in variables.items())])


def _fish(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _powershell(value: str) -> str:
    return "'" + _POWERSHELL_QUOTES.sub(r"\1\1", value) + "'"


def _dotenv(value: str) -> str:
    # Unquoted where possible, because `docker run --env-file` knows no quotes.
    return value if _PLAIN.fullmatch(value) else _fish(value)


_Format = tuple[Callable[[str, str], str], Callable[[Sequence[str]], str] | None]
_POSIX: _Format = (
    lambda name, value: f"export {name}={shlex.quote(value)}",
    lambda names: f"unset {' '.join(names)}",
)
_FORMATS: Mapping[Shell, _Format] = {
    Shell.BASH: _POSIX,
    Shell.ZSH: _POSIX,
    Shell.FISH: (
        lambda name, value: f"set -gx {name} {_fish(value)}",
        lambda names: f"set -e {' '.join(names)}",
    ),
    Shell.POWERSHELL: (
        lambda name, value: f"$Env:{name} = {_powershell(value)}",
        lambda names: f"Remove-Item -ErrorAction SilentlyContinue {', '.join(f'Env:{name}' for name in names)}",
    ),
    Shell.DOTENV: (lambda name, value: f"{name}={_dotenv(value)}", None),
}


def shell_variables(
    caller: Mapping[str, str], *, scrubbed: Mapping[str, str], variables: Mapping[str, str]
) -> tuple[Mapping[str, str], Sequence[str]]:
    """
    What a shell sets and unsets to talk to the environment of *variables*.

    Args:
        scrubbed: *caller* without what could lead to real AWS.

    Returns:
        Variables to set, and names to unset: known misleading ones, and any other that the caller has.
    """
    foreign = caller.keys() - scrubbed.keys()
    unset = [*_MISLEADING, *sorted(foreign.difference(_MISLEADING))]
    return {**variables, **_bypass(caller)}, [name for name in unset if _is_name(name) and name not in variables]


def _is_name(name: str) -> bool:
    """Whether a shell can name it; the environ of a process can hold anything."""
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is not None


def child_environ(scrubbed: Mapping[str, str], *, variables: Mapping[str, str]) -> dict[str, str]:
    """
    All variables of a command run for the environment of *variables*.

    HTTP proxies stay, because the command may need the network for other things, but never for this machine.

    Args:
        scrubbed: The caller's, without what could lead to real AWS.
    """
    return {**scrubbed, **_bypass(scrubbed), **variables}


def _bypass(caller: Mapping[str, str]) -> Mapping[str, str]:
    """``NO_PROXY`` in both spellings, with this machine added; nothing when there is no HTTP proxy to pass by."""
    if not any(_PROXY_VARIABLE.fullmatch(name) and value for name, value in caller.items()):
        return {}
    given = [host.strip() for name in _BYPASS_VARIABLES for host in caller.get(name, "").split(",")]
    hosts = list(dict.fromkeys([host for host in given if host] + list(_BYPASSED)))
    value = "*" if "*" in hosts else ",".join(hosts)
    return dict.fromkeys(_BYPASS_VARIABLES, value)


def pin_endpoint(arguments: Sequence[str], url: str) -> Sequence[str]:
    """
    A command line of the AWS command line interface, with the endpoint as an option too.

    For SQS in most regions and a few other services version 1 goes to AWS, whatever ``AWS_ENDPOINT_URL`` says, unless
    the option is there. Other commands are left alone.

    Source:
        ``awscli/customizations/overridesslcommonname.py`` of awscli 1.46.
    """
    is_pinned = any(argument.startswith("--endpoint-url") for argument in arguments)
    if PurePath(arguments[0]).name != "aws" or is_pinned:
        return arguments
    return [arguments[0], "--endpoint-url", url, *arguments[1:]]


def profile_name(environment: str) -> str:
    """The AWS profile of an environment."""
    return f"{_PROFILE_PREFIX}{environment}"


def profiles_text(endpoints: Sequence[Endpoint]) -> str:
    """An AWS config file with one profile per endpoint."""
    sections = [
        "\n".join(
            [
                f"[profile {profile_name(endpoint.environment)}]",
                f"region = {endpoint.region}",
                f"endpoint_url = {endpoint.url}",
                f"aws_access_key_id = {endpoint.access_key_id}",
                "aws_secret_access_key = multistack",
                "cli_pager =",
            ]
        )
        for endpoint in endpoints
    ]
    return "\n\n".join([PROFILES_MARK, *sections]) + "\n"
