"""Commands about the proxy: a further one."""

from __future__ import annotations

import click

from emulator.cli.context import Context


@click.command()
@click.option("--listen", metavar="ADDRESS", help="Listen on this address; beyond loopback with a password.")
@click.option("--port", type=click.IntRange(1, 65535), help="Listen on this port; default: the setting, or a free one.")
@click.pass_obj
def proxy(context: Context, *, listen: str | None, port: int | None) -> None:
    """
    Run a further proxy of the project until Ctrl-C, on any machine.

    It knows environments and spaces from the project's shared store.
    """
    from emulator.proxy.replica import run_replica

    if listen is not None:
        context.overrides["proxy.host"] = listen
    if port is not None:
        context.overrides["proxy.port"] = port
    project = context.project() or context.workspace().project  # which says that there is none
    run_replica(project, say=lambda line: click.echo(f"note: {line}", err=True), ready=click.echo)


COMMANDS = (proxy,)
