"""Commands on config: config list, get, set, unset, diff, check."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from emulator.cli.context import Context
from emulator.errors import DIFFERENCES, ConfigError

if TYPE_CHECKING:
    from emulator.model import ConfigKey, Environment
    from emulator.workspace import Workspace


@click.group()
def config() -> None:
    """Show and change what differs between environments."""


@config.command("list")
@click.argument("names", nargs=-1, metavar="[ENVIRONMENT]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(context: Context, names: Sequence[str], as_json: bool) -> None:
    """Show every key with its value in each environment; secrets as asterisks."""
    from emulator.config_editing import values_of
    from emulator.render import print_json, table

    workspace = context.workspace()
    chosen = workspace.environments(names)
    shown = {environment.name: values_of(environment) for environment in chosen}
    if as_json:
        print_json(
            {
                environment.name: {
                    key: {
                        "value": value,
                        "from": environment.origins.get(key, ""),
                        "secret": key in environment.secrets,
                    }
                    for key, value in shown[environment.name].items()
                }
                for environment in chosen
            }
        )
        return
    keys = _keys(workspace, chosen)
    declared = workspace.project.config_keys
    rows = [[key, _type_of(declared.get(key)), *(_cell(shown[name].get(key)) for name in shown)] for key in keys]
    click.echo(table(["key", "type", *shown], rows))


def _type_of(key: ConfigKey | None) -> str:
    if key is None:
        return ""
    return "secret" if key.secret else key.type.value


def _cell(value: str | None) -> str:
    """A value on one short line; one that isn't set is a dash."""
    text = (value or "").replace("\n", "\\n")
    return '""' if value == "" else text if len(text) <= 40 else f"{text[:37]}..."


def _keys(workspace: Workspace, environments: Sequence[Environment]) -> list[str]:
    """In the order of their declaration, else of their appearance."""
    found = dict.fromkeys(workspace.project.config_keys)
    for environment in environments:
        found |= dict.fromkeys((*environment.config, *environment.secrets))
    return list(found)


@config.command()
@click.argument("environment")
@click.argument("key")
@click.option("--reveal", is_flag=True, help="Print a secret too.")
@click.pass_obj
def get(context: Context, environment: str, key: str, reveal: bool) -> None:
    """Print one value."""
    from emulator.config_keys import named

    (chosen,) = context.workspace().environments([environment])
    name = named(key, (*chosen.config, *chosen.secrets))
    if name in chosen.secrets and not reveal:
        raise ConfigError(f"{name} is a secret", hint="--reveal prints it")
    value = {**chosen.config, **chosen.secrets}.get(name)
    if value is None:
        raise ConfigError(f"{key} has no value in {environment}", hint=f"multistack config set {environment} {key}")
    click.echo(value)


@config.command("set")
@click.argument("environment")
@click.argument("key")
@click.argument("value", required=False)
@click.pass_obj
def set_(context: Context, environment: str, key: str, value: str | None) -> None:
    """Set one value; without VALUE it is read from the terminal, unseen, or from standard input."""
    from emulator.config_editing import set_value

    workspace = context.workspace()
    (chosen,) = workspace.environments([environment])
    if value is None:
        value = _ask(key)
    with workspace.changing("config set"):
        place = set_value(workspace.project, chosen, key, value)
    click.echo(f"set {key} of {environment} in {place}; `{workspace.project.way_into(environment)}` applies it")
    if place.startswith(".env.") and not _is_ignored(workspace, place):
        click.echo(f"note: git does not ignore {place}, which may hold secrets: add .env.* to .gitignore", err=True)


def _ask(key: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(key, hide_input=True, default="", show_default=False))
    return sys.stdin.read().removesuffix("\n")


def _is_ignored(workspace: Workspace, name: str) -> bool:
    """Whether git leaves the file out; also where there is no git, or no repository."""
    from emulator import git

    done = git.ask(workspace.project.root, "check-ignore", "--quiet", name)
    return done is None or done.returncode != 1


@config.command()
@click.argument("environment")
@click.argument("key")
@click.pass_obj
def unset(context: Context, environment: str, key: str) -> None:
    """Remove one value from where it is set."""
    from emulator.config_editing import unset_value

    workspace = context.workspace()
    (chosen,) = workspace.environments([environment])
    with workspace.changing("config unset"):
        places = unset_value(workspace.project, chosen, key)
    if not places:
        raise ConfigError(f"{key} of {environment} is set in no file", hint="multistack config list")
    click.echo(f"removed {key} of {environment} from {' and '.join(places)}")


@config.command()
@click.argument("one")
@click.argument("other")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def diff(context: Context, one: str, other: str, as_json: bool) -> None:
    """Compare the config of two environments; exit 7 when a key differs."""
    from emulator.config_editing import values_of
    from emulator.render import print_json, table

    workspace = context.workspace()
    (left,), (right,) = workspace.environments([one]), workspace.environments([other])
    mine, theirs = values_of(left), values_of(right)
    rows = []
    for key in _keys(workspace, [left, right]):
        if key in left.secrets and key in right.secrets:
            is_equal = left.secrets[key] == right.secrets[key]
        else:
            is_equal = mine.get(key) == theirs.get(key)
        said = "equal" if is_equal else f"missing in {one}" if key not in mine else f"missing in {other}"
        rows.append(
            (
                key,
                mine.get(key),
                theirs.get(key),
                said if is_equal or not (key in mine and key in theirs) else "different",
            )
        )
    if as_json:
        print_json([{"key": key, one: a, other: b, "result": said} for key, a, b, said in rows])
    else:
        cells = [
            [key, _cell(a), _cell(b), "" if said == "equal" else click.style(said, fg="yellow")]
            for key, a, b, said in rows
        ]
        click.echo(table(["key", one, other, "difference"], cells))
    if any(said != "equal" for *_, said in rows):
        sys.exit(DIFFERENCES)


@config.command()
@click.argument("names", nargs=-1, metavar="[ENVIRONMENT]...")
@click.pass_obj
def check(context: Context, names: Sequence[str]) -> None:
    """Say whether every environment's config is complete and fits the template."""
    from emulator.config_values import missing
    from emulator.frameworks.registry import reader_of
    from emulator.release import check_parameters

    workspace = context.workspace(needs_template=True)
    project = workspace.project
    template = {"Parameters": reader_of(project.template).parameters(project.template)}
    problems: list[str] = []
    chosen = workspace.environments(names)
    for environment in chosen:
        absent = list(missing(project.config_keys, environment.config, environment.secrets))
        problems += [f"environment {environment.name}: {key} has no value" for key in absent]
        try:
            check_parameters(project, template, environment.name, (*environment.config, *environment.secrets, *absent))
        except ConfigError as error:
            problems.append(error.message)
    if problems:
        raise ConfigError(problems[0], details=problems[1:], hint="multistack config set ENVIRONMENT KEY")
    click.echo(f"complete: {', '.join(environment.name for environment in chosen)}")


COMMANDS = (config,)
