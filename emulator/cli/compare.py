"""The command that asks environments the same and shows their answers side by side."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.errors import DIFFERENCES, ConfigError, NotReady

if TYPE_CHECKING:
    from emulator.asking import Question
    from emulator.workspace import Workspace


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[METHOD] PATH")
@click.option("-d", "--data", metavar="BODY", help="Send this body, or with @FILE a file's; the method is then POST.")
@click.option("-H", "--header", "headers", multiple=True, metavar="NAME:VALUE", help="Send a header.")
@click.option("--environments", metavar="NAME,…", help="Ask these; default: all.")
@click.option("--baseline", metavar="NAME", help="Hold the others against this one; default: the first of them.")
@click.option("--writes", is_flag=True, help="Allow methods that may change data.")
@click.option("--protected", is_flag=True, help="Allow them in protected environments as well.")
@click.option("--once", is_flag=True, help="Ask each only once: no noise is found and masked.")
@click.option("--all", "shows_all", is_flag=True, help="Show every place, equal ones too.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write JUnit XML.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown for a pull request.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def compare(
    click_context: click.Context,
    *,
    words: Sequence[str],
    data: str | None,
    headers: Sequence[str],
    environments: str | None,
    baseline: str | None,
    writes: bool,
    protected: bool,
    once: bool,
    shows_all: bool,
    junit: Path | None,
    as_markdown: bool,
    as_json: bool,
) -> None:
    """
    Ask environments the same and show where their answers differ.

    Exit code 0 when they are equal but for what is expected and masked, 7 when something differs.
    """
    from emulator.asking import Question, ask_all
    from emulator.render import print_json
    from emulator.side_by_side_reports import to_markdown_report, to_terminal, write_junit

    method, path = _request(words, has_body=data is not None)
    workspace = click_context.obj.workspace()
    question = Question(
        method=method,
        target=path,
        headers=[_header(one) for one in headers],
        body=None if data is None else _body(data),
        environments=_names(workspace, environments),
        baseline=workspace.environments([baseline])[0].name if baseline else None,
        may_write=writes,
        may_write_protected=protected,
        asks_once=once,
    )
    _check_words(workspace, question)
    url = workspace.front.url()
    if url is None:
        raise NotReady("the proxy does not run", hint="run `multistack up`")
    workspace.front.publish_rules()
    document = ask_all(url, question, timeout=workspace.project.proxy.timeout)
    if junit:
        write_junit(document, junit)
    if as_json:
        print_json(document)
    elif as_markdown:
        click.echo(to_markdown_report(document))
    else:
        width = shutil.get_terminal_size((160, 24)).columns
        click.echo(to_terminal(document, width=width, shows_all=shows_all))
    click_context.exit(0 if document["is_equal"] else DIFFERENCES)


def _request(words: Sequence[str], *, has_body: bool) -> tuple[str, str]:
    if len(words) > 2:
        raise click.UsageError(f"a method and a path are all that is wanted, not also {words[2]!r}")
    return (words[0].upper(), words[1]) if len(words) == 2 else ("POST" if has_body else "GET", words[0])


def _header(given: str) -> tuple[str, str]:
    name, colon, value = given.partition(":")
    if not colon or not name.strip().isascii() or not name.strip() or set(value) & set("\r\n"):
        raise click.BadParameter(f"{given!r} is not NAME:VALUE", param_hint="--header")
    return name.strip(), value.strip()


def _body(data: str) -> bytes:
    if not data.startswith("@"):
        return data.encode()
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{data[1:]} can't be read: {error.strerror}", param_hint="--data") from error


def _names(workspace: Workspace, given: str | None) -> list[str] | None:
    if given is None or given.strip() == "*":
        return None
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names:
        raise click.BadParameter("names no environment", param_hint="--environments")
    return [environment.name for environment in workspace.environments(names)]


def _check_words(workspace: Workspace, question: Question) -> None:
    """The proxy would refuse as well; here the words are flags."""
    from emulator.asking import READING

    if question.method in READING:
        return
    asked = {*(question.environments or []), *([question.baseline] if question.baseline else [])}
    chosen = [one for one in workspace.project.environments if question.environments is None or one.name in asked]
    names = ", ".join(one.name for one in chosen)
    if not question.may_write:
        raise ConfigError(f"{question.method} may change data in {names}", hint="if that is meant, add --writes")
    protected = [one.name for one in chosen if one.protected]
    if protected and not question.may_write_protected:
        raise ConfigError(
            f"{question.method} may change data in {', '.join(protected)}, which is protected",
            hint="if that is meant, add --protected; else leave it out with --environments",
        )


COMMANDS = (compare,)
