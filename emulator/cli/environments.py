"""Commands on environments: up, down, status, reset."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from emulator.apis import default_among
from emulator.cli.context import Context
from emulator.cli.sweeping import swept
from emulator.errors import ConfigError, MultistackError
from emulator.model import DriverName

if TYPE_CHECKING:
    from emulator.errors import NotReady
    from emulator.lifecycle import UpResult
    from emulator.model import Environment
    from emulator.status import EnvironmentStatus
    from emulator.workspace import Workspace

_names = click.argument("names", nargs=-1, metavar="[ENVIRONMENT]...")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_wait = click.option(
    "--wait", default=60.0, show_default=True, metavar="SECONDS", help="How long an emulator may take to get healthy."
)


@click.command()
@_names
@_wait
@click.option("--pull", is_flag=True, help="Pull images of containers that the Docker engine lacks.")
@click.option("--artifact", metavar="DIGEST", help="Deploy this stored artifact where nothing was, and build nothing.")
@click.option(
    "--listen", metavar="ADDRESS", help="Let the proxy listen on this address; beyond loopback with a password."
)
@click.option("--no-deploy", is_flag=True, help="Leave environments without a release empty, for `promote` to fill.")
@click.option(
    "--first", metavar="ENVIRONMENT", help="Start this one before the others; the proxy lets requests to it in."
)
@click.option("--no-start", is_flag=True, help="Start nothing: only deploy what running ones lost, and tell the proxy.")
@_json
@click.pass_obj
def up(
    context: Context,
    *,
    names: Sequence[str],
    wait: float,
    pull: bool,
    artifact: str | None,
    listen: str | None,
    no_deploy: bool,
    first: str | None,
    no_start: bool,
    as_json: bool,
) -> None:
    """Start environments, deploy what they miss, start the proxy."""
    if listen is not None:
        context.overrides["proxy.host"] = listen
    deploys = not no_deploy and not no_start
    reopen = functools.partial(context.workspace, needs_template=artifact is None and deploys, pulls=pull)
    workspace = swept(reopen(), "up", reopen=reopen)
    chosen = workspace.environments(names)
    ahead = workspace.environments([first]) if first is not None else []
    if any(one not in chosen for one in ahead):
        raise click.UsageError(f"--first {first}: only {', '.join(names)} is to be started")
    _tell_choice(workspace)
    with workspace.changing("up"):
        if pull:
            workspace.pull_images()
        _tell_leftovers(workspace)
        _tell_outdated_images(context, workspace, chosen)
        stored = workspace.store.open(workspace.store.find(artifact)) if artifact is not None else None
        build = (lambda: stored) if stored else None
        start = functools.partial(
            workspace.lifecycle.up, timeout=wait, build=build, deploys=deploys, starts=not no_start
        )
        results = dict(start(ahead))
        if ahead:
            workspace.publish()
        results |= start([one for one in chosen if one not in ahead])
        proxy: bool | NotReady = False
        if not no_start:
            _note_woken(workspace, results)
            proxy = workspace.start_proxy()
    _report(workspace, results, proxy, as_json=as_json)


@click.command()
@_names
@click.pass_obj
def down(context: Context, names: Sequence[str]) -> None:
    """Stop environments, or all of them, those of spaces too, and the proxy; their state is kept."""
    from emulator.testing.keeper.leaving import stop_left

    workspace = context.workspace()
    chosen = workspace.environments(names)
    proxy_stopped, spaces = (False, {}) if names or context.space else _end_spaces(context, workspace)
    with workspace.stopping("down"):
        if not names:
            chosen += workspace.drivers.leftovers()
            # First, so that nobody is told that an environment is down while all of them go.
            proxy_stopped = workspace.front.stop() or proxy_stopped
        results = {**workspace.lifecycle.down(chosen), **({} if names else stop_left(workspace)), **spaces}
        if names or context.space:
            try:
                workspace.publish()
            except MultistackError as error:  # they are stopped all the same
                from emulator.events import Event

                workspace.emit(Event(None, "warning:", f"the proxy isn't told: {error.message}"))
            workspace.front.clear_faults(lambda name: name in names)  # also where the emulator is not ours to stop
    click.echo(_stopped_line(results, proxy_stopped=proxy_stopped))
    raise_first(results)


def _end_spaces(context: Context, workspace: Workspace) -> tuple[bool, Mapping[str, bool | MultistackError]]:
    """Stop the proxy, which would wake spaces for whoever asks meanwhile, and then what runs of them."""
    from emulator.lock import exclusive
    from emulator.spaces.sleeping import put_to_sleep

    try:
        spaces = context.spaces()
        names = [name for name, one in spaces.listed().items() if not one.is_ending]
    except MultistackError as error:
        return False, {"spaces": error}  # all else can be stopped nevertheless
    if not names:
        return False, {}
    with exclusive(workspace.project.state, "down", emit=workspace.emit):
        proxy_stopped = workspace.front.stop()
    return proxy_stopped, put_to_sleep(spaces, names)


def _stopped_line(results: Mapping[str, bool | MultistackError], *, proxy_stopped: bool) -> str:
    stopped = [name for name, result in results.items() if result is True] + (["the proxy"] if proxy_stopped else [])
    return f"stopped {', '.join(stopped)}" if stopped else "nothing was running"


@click.command()
@_names
@_json
@click.pass_obj
def status(context: Context, names: Sequence[str], as_json: bool) -> None:
    """Show what runs, which release it serves, and where."""
    workspace = context.workspace()
    print_status(workspace.status(workspace.environments(names)), as_json=as_json)
    if not as_json:
        project = workspace.project
        click.echo(f"service {project.service}: {project.framework}, {project.template.name}")


@click.command()
@_names
@_wait
@click.option("--yes", is_flag=True, help="Reset protected environments too.")
@_json
@click.pass_obj
def reset(context: Context, names: Sequence[str], wait: float, yes: bool, as_json: bool) -> None:
    """Forget all data of environments: each is as freshly deployed, with its recorded release."""
    workspace = context.workspace()
    chosen = workspace.environments(names)
    protected = [environment.name for environment in chosen if environment.protected]
    if protected and not yes:
        raise ConfigError(
            f"{', '.join(protected)} is protected: its data would be lost", hint="add --yes, or name the others"
        )
    check_seeds(workspace, chosen)
    with workspace.changing("reset"):
        results = workspace.lifecycle.reset(chosen, timeout=wait)
        _note_woken(workspace, results)
        proxy = workspace.start_proxy()
    _report(workspace, results, proxy, as_json=as_json)


def _note_woken(workspace: Workspace, results: Mapping[str, object]) -> None:
    """A space whose environments are all up sleeps no more; the next request wakes what is left of any other."""
    from emulator.parallel import failed_of
    from emulator.spaces.sleeping import woken

    if not failed_of(results) and results.keys() >= {one.name for one in workspace.project.environments}:
        woken(workspace.project, workspace.emit)


def check_seeds(workspace: Workspace, chosen: Sequence[Environment]) -> None:
    """Nothing is erased that would not be seeded again."""
    if workspace.project.seeds_after_deploy and any(one.seeds for one in chosen):
        from emulator.seeds.folders import read_seed

        for one in chosen:
            read_seed(one.seeds, root=workspace.project.root)


def _tell_choice(workspace: Workspace) -> None:
    """Say which driver ``auto`` became, and why."""
    from emulator.events import Event

    if workspace.choice is not None:
        workspace.emit(Event(None, "driver", f"{workspace.choice.driver.value}: {workspace.choice.reason}"))


def _tell_outdated_images(context: Context, workspace: Workspace, chosen: Sequence[Environment]) -> None:
    """Warn of an image that an update of multistack left behind."""
    from emulator.drivers.choice import outdated_images
    from emulator.events import Event

    for image in outdated_images(workspace.project, chosen, environ=context.caller_environ()):
        detail = f"image {image} was made by another version of multistack; `multistack image build` makes it anew"
        workspace.emit(Event(None, "warning:", detail))


def _tell_leftovers(workspace: Workspace) -> None:
    """Say which environments still run although the project file no longer has them."""
    from emulator.events import Event

    for environment in workspace.drivers.leftovers():
        detail = f"but is no longer in {workspace.project.file.name}; `multistack down` stops it"
        workspace.emit(Event(environment.name, "still runs", detail))


def _report(
    workspace: Workspace,
    results: Mapping[str, UpResult | MultistackError],
    proxy: bool | NotReady,
    *,
    as_json: bool,
) -> None:
    """The table of all that was asked for, then the errors; one environment's error hides no other's success."""
    rows = workspace.status(workspace.environments(list(results)))
    is_idle = not proxy and not any(isinstance(result, MultistackError) or result.did for result in results.values())
    if is_idle and all(row.status == "ready" for row in rows):
        click.echo("nothing to do: everything is up (`multistack deploy` deploys changed source)", err=True)
    _tell_changed_config(workspace, rows)
    print_status(rows, as_json=as_json)
    if not as_json and (line := _to_try(workspace, rows)):
        click.echo(f"\nTry: {line}")
    raise_first({**results, "the proxy": proxy})


def _tell_changed_config(workspace: Workspace, rows: Sequence[EnvironmentStatus]) -> None:
    """``up`` keeps the recorded release; say where its config is no longer what the project file says."""
    hashes = {one.name: workspace.releases.config_hash(one) for one in workspace.project.environments}
    changed = [row.environment for row in rows if row.config_hash not in (None, hashes[row.environment])]
    for name in changed:
        click.echo(f"the config of {name} changed; `{workspace.project.way_into(name)}` applies it", err=True)


def _to_try(workspace: Workspace, rows: Sequence[EnvironmentStatus]) -> str | None:
    """What asks the first environment that serves something: its API, else one of its functions."""
    if (space := workspace.project.space) is not None:  # the proxy answers nobody without its token
        served = [row.environment for row in rows if row.status == "ready" and row.release]
        return f"multistack --space {space.name} invoke {served[0]}" if served else None
    if url := _url_to_try(workspace, rows):
        return f"curl {url}"
    called = [row.environment for row in rows if row.status == "ready" and row.release and not row.apis]
    return f"multistack invoke {called[0]}" if called else None


def _url_to_try(workspace: Workspace, rows: Sequence[EnvironmentStatus]) -> str | None:
    """The URL of the first environment that serves an API, with a path that answers GET if one is known."""
    for row in rows:
        current = workspace.history.current(row.environment) if row.status == "ready" else None
        if current is None or not current.apis or row.url is None:
            continue
        chosen = default_among(current.apis, workspace.project.api)
        for api in current.apis:
            if api.logical_id == chosen:
                return f"{row.url}{api.example}"
        return f"{row.url}_api/{current.apis[0].logical_id}/{current.apis[0].example}"
    return None


def print_status(rows: Sequence[EnvironmentStatus], *, as_json: bool) -> None:
    """One row per environment; below them what a person should know about some."""
    from emulator.render import print_json, status_cell, table

    if as_json:
        print_json(rows)
        return
    cells = [
        [row.environment, status_cell(row.status), row.driver, _release_cell(row), _url_cell(row), row.endpoint or ""]
        for row in rows
    ]
    click.echo(table(["environment", "status", "driver", "release", "url", "aws endpoint"], cells))
    for row in rows:
        if row.reason:
            # One that is ready with a reason serves, and an external one can't be started: `up` would do nothing.
            is_ours = row.status != "ready" and row.driver != DriverName.EXTERNAL.value
            next_step = f"; run `multistack up {row.environment}`" if is_ours else ""
            click.echo(f"{row.environment}: {row.reason}{next_step}")
        if row.failed:
            click.echo(f"{row.environment}: {_failed_line(row)}")
        if row.canary:
            click.echo(
                f"{row.environment}: a canary of {row.canary} runs; `multistack canary status {row.environment}` counts"
            )
        for resource in row.skipped:
            click.echo(f"{row.environment}: left out {resource}")


def _failed_line(row: EnvironmentStatus) -> str:
    said = row.failed.splitlines()[0].removeprefix(f"environment {row.environment}: ")
    if row.release:
        return f"the last deployment failed, and {row.release} serves on: {said}; see `multistack history`"
    next_step = f"mend that, and run `multistack deploy {row.environment}`"
    return f"the last deployment failed, and nothing is deployed: {said}; {next_step}"


def _release_cell(row: EnvironmentStatus) -> str:
    return click.style("failed", fg="red") if row.failed and not row.release else row.release or ""


def _url_cell(row: EnvironmentStatus) -> str:
    return "no API" if row.release and not row.apis else row.url or ""


def raise_first(results: Mapping[str, Any]) -> None:
    """Raise the first error, the others printed, so that each is told once and the first decides the exit code."""
    from emulator.render import print_error

    errors = [result for result in results.values() if isinstance(result, MultistackError)]
    # What has nothing to do with one environment, such as an engine that does not answer, is told once for all.
    distinct = list({(type(error), error.message, error.details): error for error in errors}.values())
    for error in distinct[1:]:
        print_error(error)
    if distinct:
        raise distinct[0]


COMMANDS = (up, down, status, reset)
