"""Commands for editing: watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from emulator.cli.context import Context

if TYPE_CHECKING:
    from emulator.events import Event
    from emulator.workspace import Workspace

# Progress that whoever watches needs; the rest would be a screen full per save.
_TOLD = {"waiting", "warning:", "found", "installing", "redeploying", "passed", "failed", "  |"}


@click.command()
@click.argument("name", required=False, metavar="[ENVIRONMENT]")
@click.option("--test", "tests", is_flag=True, help="Run the service's checks and smoke tests after each deployment.")
@click.option("--test-command", "command", metavar="COMMAND", help="Run this line of shell after each deployment.")
@click.option("--skip-unsupported", is_flag=True, help="Leave out resource types that the emulator does not know.")
@click.option("--poll", is_flag=True, help="Look at files again and again: for network and Docker mounts.")
@click.pass_obj
def watch(
    context: Context, *, name: str | None, tests: bool, command: str | None, skip_unsupported: bool, poll: bool
) -> None:
    """
    Deploy what is saved, each time it is saved, until Ctrl-C.

    Without ENVIRONMENT into the first one. A protected one is refused.
    """
    from emulator.archives import KeptArchives
    from emulator.errors import NotReady
    from emulator.frameworks.kept import KeptPackages
    from emulator.watching.batches import batches
    from emulator.watching.rounds import Rounds, Wishes, watchable
    from emulator.watching.sources import Sources

    if tests and command is not None:
        raise click.UsageError("--test and --test-command exclude each other.")
    workspace = context.workspace(needs_template=True)
    chosen = watchable(workspace, name or workspace.project.environments[0].name).name
    workspace.endpoint(chosen)  # an environment that doesn't run is said at once
    _check_testable(workspace, chosen, tests=tests)
    context.file = workspace.project.file
    wishes = Wishes(environment=chosen, tests=tests, command=command, skip_unsupported=skip_unsupported)
    sources, progress = Sources(workspace.project), _Progress(chosen)
    kept = KeptArchives(KeptPackages(sources.files), awaited=chosen)

    def reopen() -> Workspace:
        found = context.workspace(needs_template=True, emit=progress, kept=kept)
        sources.project = found.project
        return found

    rounds = Rounds(reopen, wishes, say=_say)
    for number, batch in enumerate(batches(sources.folders, polls=poll)):
        rounds.run(batch)
        if not workspace.project.root.is_dir():
            raise NotReady(f"{workspace.project.root} is gone: there is nothing left to watch")
        if number == 0:
            click.echo(f"watching {workspace.project.root} for {chosen}; Ctrl-C ends it")


def _check_testable(workspace: Workspace, name: str, *, tests: bool) -> None:
    from emulator.promotion.promotion import Promotion

    if tests:
        Promotion(workspace).check_verifiable(name)


def _say(line: str, is_error: bool) -> None:
    from emulator.errors import MultistackError
    from emulator.render import print_error

    if is_error:
        print_error(MultistackError(line))
    else:
        click.echo(line)


class _Progress:
    """The progress of rounds, as far as it is told; a warning is told once, though each build repeats it."""

    def __init__(self, name: str) -> None:
        from emulator.render import Progress

        self._print = Progress([name])
        self._warned: set[str] = set()

    def __call__(self, event: Event) -> None:
        if event.step not in _TOLD or event.detail in self._warned:
            return
        if event.step == "warning:":
            self._warned.add(event.detail)
        self._print(event)


COMMANDS = (watch,)
