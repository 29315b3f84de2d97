"""The command that finds what environments share: explain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emulator.cli.context import Context
from emulator.errors import DIFFERENCES, ConfigError

if TYPE_CHECKING:
    from emulator.explain.explaining import Explained, Rewritten
    from emulator.explain.source import Source
    from emulator.explain.words import Words


@click.command()
@click.argument("template", required=False, type=click.Path(path_type=Path))
@click.option("--stack", "stack_name", metavar="NAME", help="Explain a deployed stack as it stands, and no file.")
@click.option("--from", "environment", metavar="ENVIRONMENT", help="Where the stack is; default: wherever it is found.")
@click.option("--fix", "fixes", is_flag=True, help="Write the multi-stack template, and show what it changes.")
@click.option(
    "--code",
    type=click.Path(path_type=Path, exists=True),
    metavar="FOLDER",
    help="With --fix: functions take their code from this folder, not a bucket.",
)
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="With --fix: where the template goes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def explain(
    click_context: click.Context,
    /,
    *,
    template: Path | None,
    stack_name: str | None,
    environment: str | None,
    fixes: bool,
    code: Path | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """
    Find what environments share in a template, what each of it risks, and what to do instead.

    Reads TEMPLATE, by default the project's. Exit code 7 when something is found, or is left after --fix.
    """
    from emulator.explain.explaining import explain as look
    from emulator.explain.explaining import rewrite

    if template and stack_name:
        raise click.UsageError("name a template or --stack, not both")
    if (code or output) and not fixes:
        raise click.UsageError("--code and --output belong to --fix")
    if environment and not stack_name:
        raise click.UsageError("--from belongs to --stack")
    context: Context = click_context.obj
    source, words = _source(context, template, stack_name, environment)
    explained = look(source, words)
    if not fixes:
        _show(source, explained, as_json=as_json)
        click_context.exit(DIFFERENCES if explained.is_single_stack else 0)
    target = output or _beside(source)
    rewritten = rewrite(source, words, target, shown=str(target), code=code)
    if explained.is_single_stack or rewritten.diff:
        _write(target, rewritten.text, may_replace=output is not None)
    _show_rewritten(source, explained, rewritten, target, as_json=as_json)
    click_context.exit(DIFFERENCES if any(one.risks for one in rewritten.left) else 0)


def _source(
    context: Context, template: Path | None, stack_name: str | None, environment: str | None
) -> tuple[Source, Words]:
    from emulator.explain.source import read_source
    from emulator.explain.words import Words

    if stack_name:
        return _deployed(context, stack_name, environment)
    project = context.project()
    words = Words.of(one.name for one in project.environments) if project else Words.of()
    if template is not None:
        return read_source(Path.cwd() / template, str(template)), words
    if project is None:
        raise ConfigError("there is no project here, so no template", hint="multistack explain TEMPLATE")
    return read_source(project.template, project.template.name), words


def _deployed(context: Context, name: str, environment: str | None) -> tuple[Source, Words]:
    from emulator.errors import NotReady
    from emulator.explain.deployed import read_deployed
    from emulator.explain.words import Words

    workspace = context.workspace()
    chosen = workspace.environments([environment] if environment else [])
    words = Words.of(one.name for one in workspace.project.environments)
    stopped = 0
    for one in chosen:
        try:
            endpoint = workspace.endpoint(one.name)
        except NotReady:
            if environment:
                raise
            stopped += 1
            continue
        if (source := read_deployed(endpoint, name)) is not None:
            return source, words
    hint = "multistack up" if stopped else f"its stacks are called {workspace.project.stack_name('ENVIRONMENT')}"
    raise NotReady(f"no running environment has a stack {name}", hint=hint)


def _beside(source: Source) -> Path:
    folder = source.path.parent if source.path else Path.cwd()
    target = folder / ("multi-stack.json" if source.is_json else "multi-stack.yaml")
    return target.relative_to(Path.cwd()) if target.is_relative_to(Path.cwd()) else target


def _write(target: Path, text: str, *, may_replace: bool) -> None:
    if target.exists() and not may_replace:
        if target.read_text(encoding="utf-8", errors="replace") == text:
            return
        raise ConfigError(f"{target} is there already, and says something else", hint="name another file with --output")
    target.write_text(text, encoding="utf-8", newline="")


def _show(source: Source, explained: Explained, *, as_json: bool) -> None:
    from emulator.explain_report import as_plain, report
    from emulator.render import print_json

    if as_json:
        print_json(as_plain(source, explained))
        return
    click.echo(report(source, explained))


def _show_rewritten(source: Source, explained: Explained, rewritten: Rewritten, target: Path, *, as_json: bool) -> None:
    from emulator.explain_report import as_plain, next_steps
    from emulator.render import print_json

    if as_json:
        content: dict[str, Any] = {
            "file": str(target),
            "diff": rewritten.diff,
            "config": rewritten.config,
            "notes": rewritten.notes,
        }
        print_json({**as_plain(source, explained), "fixed": content})
        return
    for line in rewritten.diff.splitlines():
        click.secho(line, fg={"+": "green", "-": "red", "@": "cyan"}.get(line[:1]))
    click.echo(next_steps(rewritten, target), err=True)


COMMANDS = (explain,)
