"""Commands that keep requests and send them again: record, replay."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emulator.cli.context import Context
from emulator.errors import DIFFERENCES, ConfigError, NotReady

if TYPE_CHECKING:
    from emulator.model import Project
    from emulator.replay.performing import Options
    from emulator.replay.results import Replay
    from emulator.workspace import Workspace

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
# Seconds after which what the proxy has answered is in the corpus, see emulator.inspector.feed.
_ON_THEIR_WAY = 0.3
_FORMATS = (".html", ".md", ".xml")
_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*)")


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
    _proxy_url(workspace)
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
    from emulator.replay.corpus import corpus_path, head_line, read_corpus

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


def _proxy_url(workspace: Workspace) -> str:
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

    project = context.workspace().project
    current = read_recording(_switch(project))
    if current is None or (name is not None and name != current.name):
        raise ConfigError(
            f"{name or 'nothing'} is not being recorded" if name else "nothing is being recorded",
            hint=f"{current.name} is: multistack record stop {current.name}" if current else None,
        )
    time.sleep(_ON_THEIR_WAY)
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
    from emulator.replay.corpus import corpus_path, entry_line, head_line
    from emulator.replay.har import local_target, read_har, target_below
    from emulator.replay.redacting import redacted

    project = context.workspace().project
    path = corpus_path(project, name)
    if path.exists() and not replace:
        raise ConfigError(f"{_shown(path)} is there already", hint="add --replace, or take another name")
    names = [environment.name for environment in project.environments]
    found = read_har(
        file.read_bytes(), shown=str(file), target_of=target_below(origin) if origin else local_target(names)
    )
    left_out = f"{found.elsewhere} went elsewhere, {found.unusable} have no answer"
    if not found.exchanges:
        raise ConfigError(f"{file} has no request to take: {left_out}", hint="name their origin with --origin")
    lines = [entry_line(*pair) for pair in redacted(found.exchanges, project.rules.inspector.redact)]
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, b"".join([head_line(None), *lines]))
    click.echo(f"{name}: {len(lines)} requests in {_shown(path)}; {left_out}")


@click.command()
@click.argument("name")
@click.option("--against", required=True, metavar="ENVIRONMENT", help="Where the requests are sent.")
@click.option(
    "--baseline", metavar="ENVIRONMENT", help="Gets them too; default: the recorded answers are the baseline."
)
@click.option("--rate", metavar="RATE", help="At most so many, e.g. 50/s or 90/m; default: as many as are answered.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    metavar="N",
    help="Requests on their way at once.",
)
@click.option("--writes", is_flag=True, help="Send requests that may change something, too.")
@click.option("--protected", is_flag=True, help="Also into a protected environment.")
@click.option(
    "-H", "--header", "headers", multiple=True, metavar="NAME:VALUE", help="Send that header with each request."
)
@click.option("--fail-on-diff", is_flag=True, help="End with exit code 7 when an answer differs, or none was compared.")
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a report: .html with a chart, .md or .xml (JUnit); may be given several times.",
)
@_json
@click.pass_context
def replay(
    click_context: click.Context,
    /,
    *,
    name: str,
    against: str,
    baseline: str | None,
    fail_on_diff: bool,
    reports: Sequence[Path],
    as_json: bool,
    **given: Any,
) -> None:
    """Send a corpus to an environment, and compare the answers."""
    from emulator.replay.performing import open_corpus, perform

    options = _options(**given)
    _check_reports(reports)
    if baseline == against:
        raise click.UsageError("--baseline is another environment than --against.")
    workspace = click_context.obj.workspace()
    (environment,) = workspace.environments([against])
    base = workspace.environments([baseline])[0] if baseline else None
    corpus = open_corpus(workspace.project, name)
    for one in filter(None, (environment, base)):
        workspace.endpoint(one.name)  # it runs
    current = workspace.history.current(against)
    found = perform(
        workspace.project,
        corpus,
        url=_proxy_url(workspace),
        environment=environment,
        release=current.release.id if current else None,
        baseline=base,
        options=options,
        emit=workspace.emit,
        check=workspace.cancellation.check,
    )
    _show(found, reports, as_json=as_json)
    click_context.exit(DIFFERENCES if fail_on_diff and not found.is_equal else 0)


def _options(*, rate: str | None, concurrency: int, headers: Sequence[str], writes: bool, protected: bool) -> Options:
    from emulator.replay.pacing import read_rate
    from emulator.replay.performing import Options

    pairs = []
    for header in headers:
        match = _HEADER.fullmatch(header)
        if match is None:
            raise click.BadParameter(f"{header!r} is not NAME:VALUE", param_hint="--header")
        pairs.append((match[1], match[2]))
    try:
        per_second = read_rate(rate) if rate is not None else None
    except ValueError as error:
        raise ConfigError(f"--rate must be {error}, not {rate!r}") from error
    return Options(rate=per_second, concurrency=concurrency, headers=pairs, writes=writes, protected=protected)


def _check_reports(reports: Sequence[Path]) -> None:
    """What can't be written is found before anything is sent."""
    for path in reports:
        if path.suffix not in _FORMATS:
            raise ConfigError(f"--report must end with {', '.join(_FORMATS)}, not {path.name!r}")
        if not path.absolute().parent.is_dir():
            raise ConfigError(f"--report: there is no folder {path.parent}")


def _show(found: Replay, reports: Sequence[Path], *, as_json: bool) -> None:
    from emulator.render import print_json
    from emulator.replay_reports.plain import as_plain
    from emulator.replay_reports.sections import replay_sections
    from emulator.reports import to_terminal

    for path in reports:
        path.write_bytes(_report(found, path.suffix))
    if as_json:
        print_json(as_plain(found))
    else:
        click.echo(to_terminal(replay_sections(found)))


def _report(found: Replay, suffix: str) -> bytes:
    if suffix == ".html":
        from emulator.replay_reports.html import to_html

        return to_html(found).encode()
    if suffix == ".xml":
        from emulator.replay_reports.junit import to_junit

        return to_junit(found)
    from emulator.replay_reports.sections import replay_sections
    from emulator.reports import to_markdown

    return to_markdown(replay_sections(found)).encode() + b"\n"


COMMANDS = (record, replay)
