"""Commands on the requests that the proxy kept: requests list, show, export, clear."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.cli.context import Context

if TYPE_CHECKING:
    from emulator.inspector.finding import Filter, Requests
    from emulator.inspector.log_lines import LogLine
    from emulator.model import Exchange
    from emulator.workspace import Workspace

_FORMATS = ("har", "curl", "pytest")
_SOURCES = ("client", "comparison")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_shared = click.option("--shared", "is_shared", is_flag=True, help="Those of all proxies, from the store.")


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which requests are meant."""
    for option in reversed(
        (
            click.option("-e", "--environment", "names", multiple=True, metavar="NAME", help="Of this environment."),
            click.option("-m", "--method", "methods", multiple=True, metavar="METHOD", help="With this method."),
            click.option("-p", "--path", metavar="TEXT", help="With this in the target; with *, the whole path."),
            click.option("-s", "--status", metavar="STATUS", help="404, 5xx or 400-499; 0: no answer at all."),
            click.option("-t", "--text", metavar="TEXT", help="With this in target, headers or bodies, in any case."),
            click.option("--since", metavar="DURATION", help="Not older than e.g. 30s, 10m, 1h30m, 2d."),
            click.option(
                "--source", type=click.Choice(_SOURCES), help="Made on behalf of clients, or to compare environments."
            ),
        )
    ):
        command = option(command)
    return command


def _filter(
    *,
    names: Sequence[str],
    methods: Sequence[str],
    path: str | None,
    status: str | None,
    text: str | None,
    since: str | None,
    source: str | None,
) -> Filter:
    from datetime import UTC, datetime

    from emulator.errors import ConfigError
    from emulator.inspector.finding import Filter, read_statuses
    from emulator.logs import parse_duration
    from emulator.model import Source

    try:
        statuses = read_statuses(status) if status else None
    except ValueError as error:
        raise ConfigError(f"--status: {error}") from error
    # What is kept of an environment that is gone can still be asked for.
    return Filter(
        environments=names,
        methods=methods,
        path=path,
        statuses=statuses,
        text=text,
        since=datetime.now(UTC) - parse_duration(since) if since else None,
        source=Source(source) if source else None,
    )


def _requests(workspace: Workspace, *, is_shared: bool = False) -> Requests:
    from emulator.inspector.finding import Requests
    from emulator.inspector.rows import REQUESTS_FILE

    workspace.front.publish_rules()
    if is_shared:
        return _shared_requests(workspace)
    return Requests(workspace.front.folder / REQUESTS_FILE)


def _shared_requests(workspace: Workspace) -> Requests:
    from tempfile import TemporaryDirectory

    from emulator.errors import ConfigError
    from emulator.store.opening import open_store

    project = workspace.project
    if project.store is None:
        raise ConfigError(
            "--shared: this project has no store that machines share", hint="leave it out, or set `store`"
        )
    store = open_store(project.store)
    from emulator.inspector.shared_finding import fetch_shared

    folder = click.get_current_context().with_resource(TemporaryDirectory())
    return fetch_shared(store, project.service, Path(folder) / "requests.sqlite")


@click.group()
def requests() -> None:
    """Look at the requests that passed the proxy, and take them elsewhere."""


@requests.command(name="list")
@_filters
@click.option(
    "-n", "--limit", default=50, show_default=True, type=click.IntRange(min=1), metavar="N", help="Only the newest N."
)
@_shared
@_json
@click.pass_obj
def list_(context: Context, /, *, limit: int, is_shared: bool, as_json: bool, **wanted: object) -> None:
    """List kept requests, the newest last."""
    from emulator.cli.requests_text import print_list
    from emulator.inspector.shown import to_dict
    from emulator.render import print_json

    workspace = context.workspace()
    kept = _requests(workspace, is_shared=is_shared)
    found = kept.find(_filter(**wanted), limit=limit)[::-1]  # type: ignore[arg-type]
    _warn_of_pause(workspace)
    if as_json:
        print_json([to_dict(exchange, is_whole=False) for exchange in found])
    elif found:
        print_list(found)
    else:
        click.echo(_why_none(workspace, any(wanted.values())), err=True)


def _why_none(workspace: Workspace, is_filtered: bool) -> str:
    if is_filtered:
        return "no kept request is like that"
    if not workspace.project.rules.inspector.enabled:
        return "no requests are kept: `inspector.enabled` is false"
    return "no requests yet; those that pass the proxy are kept"


def _warn_of_pause(workspace: Workspace) -> None:
    if reason := workspace.front.recording_problem():
        click.echo(f"{click.style('warning:', fg='yellow')} {reason}", err=True)


@requests.command()
@click.argument("number", metavar="ID", type=int)
@click.option("--no-logs", is_flag=True, help="Don't ask the environment for the function's log lines.")
@_shared
@_json
@click.pass_obj
def show(context: Context, *, number: int, no_logs: bool, is_shared: bool, as_json: bool) -> None:
    """Show one request: headers, bodies, where its time went, what its functions logged."""
    from dataclasses import asdict

    from emulator.cli.requests_text import print_exchange
    from emulator.inspector.shown import to_dict
    from emulator.render import print_json

    workspace = context.workspace()
    exchange = _one(_requests(workspace, is_shared=is_shared), number)
    lines, problem = ([], "") if no_logs else _logged(workspace, exchange)
    if as_json:
        print_json({**to_dict(exchange), "log": [asdict(line) for line in lines], "log_problem": problem or None})
    else:
        print_exchange(exchange, lines, problem)


def _one(kept: Requests, number: int) -> Exchange:
    from emulator.errors import ConfigError

    exchange = kept.get(number)
    if exchange is None:
        raise ConfigError(f"no request {number} is kept", hint="multistack requests list")
    return exchange


def _logged(workspace: Workspace, exchange: Exchange) -> tuple[Sequence[LogLine], str]:
    """The log lines of its functions, or why there are none to be had."""
    from emulator.errors import MultistackError
    from emulator.inspector.log_lines import log_lines

    if not exchange.invocations:
        return [], ""
    try:
        return log_lines(workspace.endpoint(exchange.environment), exchange), ""
    except MultistackError as error:
        return [], error.message


@requests.command()
@click.argument("numbers", metavar="[ID]...", nargs=-1, type=int)
@_filters
@click.option("--as", "form", type=click.Choice(_FORMATS), default="har", show_default=True, help="What to write.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="A file instead of stdout.")
@_shared
@click.pass_obj
def export(
    context: Context, /, *, numbers: Sequence[int], form: str, output: Path | None, is_shared: bool, **wanted: object
) -> None:
    """Write kept requests as HAR 1.2, as curl commands or as pytest tests."""
    from emulator.inspector.exporting import export as exported

    workspace = context.workspace()
    kept = _requests(workspace, is_shared=is_shared)
    if numbers:
        found: Sequence[Exchange] = [_one(kept, number) for number in numbers]
    else:
        found = kept.find_whole(_filter(**wanted))[::-1]  # type: ignore[arg-type]
    text = exported(found, form, base_of=lambda name: workspace.front.environment_url(name) or _unserved(name))
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
    click.echo(f"{len(found)} {'request' if len(found) == 1 else 'requests'}", err=True)


def _unserved(name: str) -> str:
    """Where the proxy serves an environment when it takes its usual port."""
    return f"http://127.0.0.1:8080/{name}/"


@requests.command()
@_filters
@click.pass_obj
def clear(context: Context, /, **wanted: object) -> None:
    """Forget kept requests: all of them, or those that are meant."""
    workspace = context.workspace()
    count = _requests(workspace).clear(_filter(**wanted))  # type: ignore[arg-type]
    click.echo(f"forgot {count} {'request' if count == 1 else 'requests'}")


COMMANDS = (requests,)
