"""The command that sends a corpus again and compares the answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emulator.cli.recording import proxy_url
from emulator.errors import DIFFERENCES, ConfigError

if TYPE_CHECKING:
    from emulator.replay.performing import Options
    from emulator.replay.results import Replay

_FORMATS = (".html", ".md", ".xml")
_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*)")


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
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
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
        url=proxy_url(workspace),
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
        pairs.append((match[1], match[2].encode().decode("latin-1")))
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


COMMANDS = (replay,)
