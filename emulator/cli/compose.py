"""The command that renders a Compose file."""

from __future__ import annotations

from pathlib import Path

import click

from emulator.cli.context import Context


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, allow_dash=True),
    default="-",
    metavar="FILE",
    help="Where to write; default: - for stdout, with paths relative to this folder.",
)
@click.pass_obj
def compose(context: Context, output: Path) -> None:
    """Render a Compose file of the environments and the proxy, for people without Python."""
    from emulator.compose import render
    from emulator.config import load_project
    from emulator.images.recipe import proxy_image, source_root

    project = load_project(
        file=context.file, environ=context.caller_environ(), cwd=Path.cwd(), overrides=context.overrides
    )
    is_stdout = str(output) == "-"
    path = (Path.cwd() / output.expanduser()).absolute()
    text = render(project, Path.cwd() if is_stdout else path.parent, proxy_image=proxy_image(), source=source_root())
    if is_stdout:
        click.echo(text, nl=False)
        return
    _write(path, text)
    click.echo(str(path))


def _write(path: Path, text: str) -> None:
    """Replace *path* in one step; a file that multistack did not render is never overwritten."""
    from emulator.compose import MARK
    from emulator.errors import ConfigError
    from emulator.process import write_atomically

    try:
        if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(MARK):
            raise ConfigError(
                f"--output: {path} exists and was not rendered by multistack", hint="name another file, or remove it"
            )
        write_atomically(path, text.encode())
    except OSError as error:
        raise ConfigError(f"--output: {path} can't be written: {error.strerror}", hint="name another file") from error


COMMANDS = (compose,)
