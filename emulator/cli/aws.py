"""Commands that point other programs at an environment: endpoint, environ, exec, aws-config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from emulator.cli.context import Context
from emulator.shell import Shell

_name = click.argument("name", metavar="ENVIRONMENT")


@click.command()
@_name
@click.pass_obj
def endpoint(context: Context, name: str) -> None:
    """Print the AWS endpoint URL of a running environment."""
    click.echo(context.workspace().endpoint(name).url)


@click.command()
@_name
@click.option(
    "--shell",
    "shell_name",
    type=click.Choice([shell.value for shell in Shell]),
    help="Syntax of the lines; default: that of $SHELL, else bash.",
)
@click.pass_obj
def environ(context: Context, name: str, shell_name: str | None) -> None:
    """
    Print lines that point this shell at an environment.

    Use it as eval "$(multistack environ test)".
    """
    import sys

    from emulator.config import aws_environ, scrubbed_environ
    from emulator.drivers.containers import TOKEN
    from emulator.shell import export_lines, how_to_use, shell_of, shell_variables

    caller = context.caller_environ()  # before the workspace removes from this process what must be unset
    # It is the caller's own shell: what it knows of LocalStack's token stays there.
    scrubbed = {**scrubbed_environ(caller), **{name: caller[name] for name in (TOKEN,) if name in caller}}
    variables, unset = shell_variables(
        caller, scrubbed=scrubbed, variables=aws_environ(context.workspace().endpoint(name))
    )
    shell = Shell(shell_name) if shell_name else shell_of(caller.get("SHELL"))
    click.echo(export_lines(variables, unset, shell))
    if sys.stdout.isatty():
        option = f" --shell {shell_name}" if shell_name else ""
        click.echo(f"Try: {how_to_use(shell, f'multistack environ {name}{option}')}", err=True)


@click.command("exec", context_settings={"allow_interspersed_args": False})
@_name
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND [ARGS]...")
@click.pass_context
def exec_(click_context: click.Context, name: str, command: Sequence[str]) -> None:
    """
    Run a command with an environment's AWS variables.

    None of your own AWS settings reach it. The exit code is the command's, 127 when it is not found.
    """
    context: Context = click_context.obj
    arguments = command[1:] if command[0] == "--" else command
    if not arguments:
        raise click.UsageError("Missing argument '-- COMMAND'.")
    from emulator.shell import pin_endpoint

    environ = _child_environ(context, name)
    click_context.exit(_replace_process(pin_endpoint(arguments, environ["AWS_ENDPOINT_URL"]), environ))


def _child_environ(context: Context, name: str) -> Mapping[str, str]:
    from emulator.child_environ import environ_for

    caller = context.caller_environ()  # before the workspace removes from this process what concerns AWS
    workspace = context.workspace()
    endpoint = workspace.endpoint(name)
    # What answers only whoever has its key is named as a browser finds it.
    url = workspace.front.environment_url(name) if endpoint.key else workspace.tested_url(name)
    return environ_for(endpoint, url=url, caller=caller)


def _replace_process(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Become the command; return only if that can't be: 127 when it is not found, 126 when it can't be executed."""
    import os
    import signal

    from emulator.errors import MultistackError
    from emulator.render import print_error

    # Python ignores SIGPIPE, and a command would inherit that: `yes | head` would end with an error.
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execvpe(arguments[0], list(arguments), environ)  # noqa: S606 (running it is what was asked for)
    except FileNotFoundError:
        code, problem = 127, "not found"
    except (OSError, ValueError) as error:
        code, problem = 126, f"can't be executed: {getattr(error, 'strerror', None) or error}"
    signal.signal(signal.SIGPIPE, before)
    print_error(MultistackError(f"command {arguments[0]} {problem}"))
    return code


@click.command("aws-config")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to write; default: .multistack/aws-config beside the project file.",
)
@click.pass_obj
def aws_config(context: Context, output: Path | None) -> None:
    """
    Write AWS profiles of the running environments.

    They are named multistack-ENVIRONMENT and have a file of their own: your real ~/.aws is never touched.
    """
    import shlex

    from emulator.errors import NotReady
    from emulator.shell import profile_name, profiles_text

    caller = context.caller_environ()
    workspace = context.workspace()
    path = (Path.cwd() / (output.expanduser() if output else workspace.project.state / "aws-config")).absolute()
    _check_own_file(path)
    observed = workspace.lifecycle.observe(workspace.project.environments)
    endpoints = [instance.endpoint for instance in observed.values() if instance.endpoint is not None]
    if not endpoints:
        raise NotReady("no environment is running, so no endpoint is known", hint="multistack up")
    for name, instance in observed.items():
        if instance.endpoint is None:
            click.echo(f"left out {name}: it is {instance.status.value}", err=True)
    _write_private(path, profiles_text(endpoints))
    click.echo(str(path))
    profile = profile_name(endpoints[0].environment)
    click.echo(f"Try: export AWS_CONFIG_FILE={shlex.quote(str(path))}; aws --profile {profile} s3 ls", err=True)
    for name in sorted(name for name in caller if name.startswith(("AWS_ENDPOINT_URL", "AWS_IGNORE_CONFIGURED"))):
        click.echo(f"note: {name} is set here and takes precedence over any profile; unset it first", err=True)


def _check_own_file(path: Path) -> None:
    """Refuse to overwrite what multistack has not written, above all somebody's real AWS configuration."""
    from emulator.errors import ConfigError
    from emulator.shell import PROFILES_MARK

    hint = "name a file of its own, or leave --output out"
    real = [Path.home() / ".aws" / name for name in ("config", "credentials")]
    if path.resolve() in [file.resolve() for file in real]:
        raise ConfigError(f"--output: {path} holds real AWS profiles and is never written", hint=hint)
    try:
        with path.open("rb") as existing:
            is_own = existing.read(len(PROFILES_MARK)) == PROFILES_MARK.encode()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"--output: {path} can't be used: {error.strerror}", hint=hint) from error
    if not is_own:
        raise ConfigError(f"--output: {path} exists and was not written by multistack", hint=hint)


def _write_private(path: Path, text: str) -> None:
    """Replace *path* in one step by a file that only its owner can read."""
    import os
    import tempfile

    from emulator.errors import ConfigError

    try:
        descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 600
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
            Path(aside).replace(path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"--output: {path} can't be written: {error.strerror}", hint="name another file") from error


COMMANDS = (endpoint, environ, exec_, aws_config)
