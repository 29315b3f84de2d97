"""Commands that keep requests: record start, stop, list, import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emulator.cli.context import Context
from emulator.errors import ConfigError, NotReady

if TYPE_CHECKING:
    from emulator.model import Project
    from emulator.workspace import Workspace

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
# Seconds to wait until what the proxy has answered is in the corpus.
_PATIENCE = 10.0


@click.group()
def record() -> None:
    """Record requests and their answers as a corpus, to be replayed."""


@record.command()
@click.argument("name")
@click.option("--environment", metavar="ENVIRONMENT", help="Whose requests; default: the first of the project.")
@click.option("--append", is_flag=True, help="Add to a corpus that is there.")
@click.option("--replace", is_flag=True, help="Begin a corpus that is there anew.")
@click.pass_obj
def start(context: Context, name: str, environment: str | None, append: bool, replace: bool) -> None:
    """Record what clients ask an environment from now on."""
    from emulator.replay.recording import Recording, write_recording

    if append and replace:
        raise click.UsageError("Give one of --append and --replace.")
    workspace = context.workspace()
    project = workspace.project
    chosen = workspace.environments([environment] if environment else ())[0]
    proxy_url(workspace)
    _check_free(project)
    path = _begin(project, name, chosen.name, append=append, replace=replace)
    workspace.front.publish_rules()
    write_recording(_switch(project), Recording(name=name, path=path, environment=chosen.name))
    click.echo(f"recording requests to {chosen.name} in {_shown(path)}; next: multistack record stop {name}")


def _switch(project: Project) -> Path:
    from emulator.replay.recording import RECORDING_FILE

    return project.state / "proxy" / RECORDING_FILE


def _check_free(project: Project) -> None:
    from emulator.replay.recording import read_recording

    if current := read_recording(_switch(project)):
        raise ConfigError(f"{current.name} is being recorded already", hint=f"multistack record stop {current.name}")


def _begin(project: Project, name: str, environment: str, *, append: bool, replace: bool) -> Path:
    """The corpus's file, ready to be added to."""
    from emulator.process import write_atomically
    from emulator.replay.corpus import corpus_path, read_corpus
    from emulator.replay.lines import head_line

    path = corpus_path(project, name)
    if path.exists() and append:
        found = read_corpus(path, shown=_shown(path))
        if found.environment not in (None, environment):
            raise ConfigError(
                f"{_shown(path)} was recorded in {found.environment}", hint=f"add --environment {found.environment}"
            )
        if not path.read_bytes().endswith(b"\n"):  # an editor left it so
            with path.open("ab") as file:
                file.write(b"\n")
        return path
    if path.exists() and not replace:
        raise ConfigError(f"{_shown(path)} is there already", hint="add --append or --replace, or take another name")
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, head_line(environment))
    return path


def _shown(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def proxy_url(workspace: Workspace) -> str:
    """
    Where the proxy answers.

    Raises:
        NotReady: It does not run.
    """
    url = workspace.front.url()
    if url is None:
        raise NotReady("the proxy does not run, and requests go through it", hint="multistack up")
    return url


@record.command()
@click.argument("name", required=False)
@click.pass_obj
def stop(context: Context, name: str | None) -> None:
    """End the recording."""
    from emulator.replay.corpus import read_corpus
    from emulator.replay.recording import end_recording, read_recording

    workspace = context.workspace()
    project = workspace.project
    current = read_recording(_switch(project))
    if current is None or (name is not None and name != current.name):
        raise ConfigError(
            f"{name or 'nothing'} is not being recorded" if name else "nothing is being recorded",
            hint=f"{current.name} is: multistack record stop {current.name}" if current else None,
        )
    if not workspace.front.await_exchanges(timeout=_PATIENCE) and workspace.front.url():
        click.echo(
            "note: the proxy was too busy to say that all is written: the last requests may be missing", err=True
        )
    end_recording(_switch(project))
    found = read_corpus(current.path, shown=_shown(current.path))
    lost = f", {found.lost} could not be written" if found.lost else ""
    click.echo(f"{current.name}: {len(found.entries)} requests in {_shown(current.path)}{lost}")


@record.command("list")
@_json
@click.pass_obj
def list_corpora(context: Context, as_json: bool) -> None:
    """List the project's corpora."""
    from emulator.render import print_json, table
    from emulator.replay.corpus import corpus_names
    from emulator.replay.recording import read_recording

    project = context.workspace().project
    current = read_recording(_switch(project))
    rows = [_row(project, name, is_recording=bool(current and current.name == name)) for name in corpus_names(project)]
    if as_json:
        print_json(rows)
    elif rows:
        columns = ["corpus", "requests", "writes", "environment", "state"]
        click.echo(table(columns, [["" if row[one] is None else str(row[one]) for one in columns] for row in rows]))
    else:
        click.echo("no corpora; next: multistack record start NAME")


def _row(project: Project, name: str, *, is_recording: bool) -> dict[str, Any]:
    from emulator.replay.corpus import corpus_path, read_corpus

    row: dict[str, Any] = {"corpus": name, "requests": None, "writes": None, "environment": None}
    path = corpus_path(project, name)
    try:
        found = read_corpus(path, shown=_shown(path))
    except ConfigError as error:
        return {**row, "state": f"broken: {error.message}"}
    return {
        **row,
        "requests": len(found.entries),
        "writes": sum(entry.is_write for entry in found.entries),
        "environment": found.environment,
        "state": "recording" if is_recording else f"{found.lost} lost" if found.lost else "whole",
    }


@record.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--origin", metavar="URL", help="Take requests below that URL; default: those to the proxy.")
@click.option("--replace", is_flag=True, help="Begin a corpus that is there anew.")
@click.pass_obj
def import_har(context: Context, name: str, file: Path, origin: str | None, replace: bool) -> None:
    """Make a corpus of a HAR file, as developer tools of browsers save it."""
    from emulator.process import write_atomically
    from emulator.replay.corpus import corpus_path
    from emulator.replay.har import local_target, read_har, target_below
    from emulator.replay.lines import entry_line, head_line
    from emulator.replay.redacting import redacted

    project = context.workspace().project
    path = corpus_path(project, name)
    if path.exists() and not replace:
        raise ConfigError(f"{_shown(path)} is there already", hint="add --replace, or take another name")
    names = [environment.name for environment in project.environments]
    found = read_har(
        file.read_bytes(), shown=str(file), target_of=target_below(origin) if origin else local_target(names)
    )
    left_out = f"{found.elsewhere} went elsewhere, {found.unusable} have no answer or can't be sent"
    if not found.exchanges:
        raise ConfigError(f"{file} has no request to take: {left_out}", hint="name their origin with --origin")
    lines = [entry_line(*pair) for pair in redacted(found.exchanges, project.rules.inspector.redact)]
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, b"".join([head_line(None), *lines]))
    click.echo(f"{name}: {len(lines)} requests in {_shown(path)}; {left_out}")


COMMANDS = (record,)
