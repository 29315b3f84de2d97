"""The command debug."""

from __future__ import annotations

import click

from emulator.cli.context import Context


@click.command()
@click.argument("function")
@click.option("--environment", "name", metavar="ENVIRONMENT", help="Where it runs; default: the first environment.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port on 127.0.0.1; default: the first free one from 5678.")
@click.pass_obj
def debug(context: Context, *, function: str, name: str | None, port: int | None) -> None:
    """
    Let a debugger into the process of a Python function, until Ctrl-C.

    Prints a configuration for VS Code's launch.json. Until then the function has no timeout.
    """
    import contextlib
    import threading

    from emulator.debugger import session
    from emulator.errors import MultistackError

    workspace = context.workspace()
    (environment,) = workspace.environments([name or workspace.project.environments[0].name])
    found = session(workspace, environment, function, port=port)
    try:
        found.begin()
        click.echo(found.launch_json())
        where = f"127.0.0.1:{found.debugged.port}"
        click.echo(
            f"{environment.name}: {found.debugged.called} waits for a debugger on {where}; Ctrl-C ends it", err=True
        )
        threading.Event().wait()
    finally:
        with contextlib.suppress(MultistackError):  # the emulator may be gone
            found.end()


COMMANDS = (debug,)
