"""The command ``multistack``: Click wiring, and the one place that turns errors into text and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from emulator.cli import (
    artifact,
    aws,
    bundle,
    calling,
    canary,
    capabilities,
    capacity,
    ci,
    compare,
    comparison,
    compose,
    config,
    debug,
    environments,
    explain,
    fault,
    features,
    image,
    lab,
    lint,
    pipeline,
    project,
    promotion,
    proxy,
    recording,
    render,
    replaying,
    requests,
    seeds,
    service,
    snapshots,
    spaces,
    watch,
    workshop,
)
from emulator.cli.completing import complete_environments
from emulator.cli.context import Context
from emulator.cli.hints import IN_SPACES, for_space
from emulator.errors import MultistackError, file_hint


class _Multistack(click.Group):
    """The command itself."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run what was typed; in a space the commands that errors hint at are those for the space."""
        try:
            return super().invoke(ctx)
        except MultistackError as error:
            if ctx.obj and ctx.obj.space:
                for_space(error, ctx.obj.space)
            raise


@click.group(cls=_Multistack, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Project file; default: multistack.toml here or in the nearest parent folder.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set a setting for this run, e.g. proxy.port=9000; may be given several times.",
)
@click.option("--space", metavar="SPACE", help="The space whose environments are meant; default: the project's own.")
@click.option("--allow-remote", is_flag=True, help="Let a Docker engine or an external emulator be on another machine.")
@click.version_option(package_name="multistack-emulator", prog_name="multistack")
@click.pass_context
def cli(
    context: click.Context, file: Path | None, settings: Sequence[str], space: str | None, allow_remote: bool
) -> None:
    """Run test, staging and prod of a serverless service on this machine."""
    for setting in settings:
        if "=" not in setting:
            raise click.BadParameter(f"{setting!r} is not KEY=VALUE", param_hint="--set")
    pairs = (setting.partition("=") for setting in settings)
    overrides: dict[str, object] = {key: value for key, _, value in pairs}
    if allow_remote:
        overrides["allow_remote"] = True
    context.obj = Context(file=file, overrides=overrides, space=space)
    if space is not None and context.invoked_subcommand not in IN_SPACES:
        raise click.UsageError(
            f"{context.invoked_subcommand} is about the whole project: leave --space out; with it there are: "
            + ", ".join(sorted(IN_SPACES))
        )


for _module in (
    environments,
    explain,
    features,
    service,
    calling,
    watch,
    debug,
    lint,
    artifact,
    config,
    promotion,
    proxy,
    canary,
    pipeline,
    compare,
    comparison,
    fault,
    recording,
    replaying,
    requests,
    snapshots,
    spaces,
    seeds,
    image,
    compose,
    render,
    bundle,
    lab,
    aws,
    project,
    ci,
    capabilities,
    capacity,
    workshop,
):
    for _command in _module.COMMANDS:
        complete_environments(_command)
        cli.add_command(_command)


def main() -> None:
    """
    Run the command line and exit.

    Exit codes: 0 done, 1 another error, 2 wrong configuration or usage, 3 not ready, 4 deployment failed,
    5 artifact cannot be built or was changed, 6 promotion refused, 7 differences were found, 8 a function that was
    called ended with an error, 130 stopped with Ctrl-C
    (129, 143: by a closed terminal, by SIGTERM).

    Raises:
        KeyboardInterrupt: It was stopped; :mod:`emulator.__main__` says so.
    """
    from emulator.render import print_error

    try:
        sys.exit(cli.main(prog_name="multistack", standalone_mode=False))
    except MultistackError as error:
        print_error(error)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort as error:
        raise KeyboardInterrupt from error
    except OSError as error:
        if not error.filename:
            raise
        print_error(MultistackError(f"{error.strerror}: {error.filename}", hint=file_hint(error)))
        sys.exit(MultistackError.exit_code)
