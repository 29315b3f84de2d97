"""Commands on pipelines as files: pipeline init, run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.cli.context import Context
from emulator.errors import ConfigError, MultistackError

if TYPE_CHECKING:
    from emulator.parallel import Cancellation
    from emulator.pipelines.copies import WorkTree
    from emulator.pipelines.performing import Performer
    from emulator.pipelines.plan import Plan, Step, Trigger
    from emulator.pipelines.results import StepResult, Tell
    from emulator.pipelines.running import Confirm
    from emulator.pipelines.variables import Run


@click.group()
def pipeline() -> None:
    """Write the pipeline of a CI system, and run it on this machine."""


@pipeline.command("init")
@click.argument("system", type=click.Choice(["bitbucket", "github", "gitlab"]))
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.pass_obj
def init(context: Context, system: str, force: bool) -> None:
    """Write a pipeline from a feature branch to production."""
    from emulator import git
    from emulator.config import load_project
    from emulator.pipelines.files import write_pipeline
    from emulator.pipelines.plan import System

    environ = context.caller_environ()
    project = load_project(file=context.file, environ=environ, cwd=Path.cwd(), overrides=context.overrides)
    root = git.line(project.root, "rev-parse", "--show-toplevel")
    written = write_pipeline(project, System(system), Path(root) if root else project.root, is_forced=force)
    click.echo(f"wrote {written}; next: multistack pipeline run")


@pipeline.command()
@click.option("--branch", metavar="BRANCH", help="As if the work tree were that branch; default: the one it is.")
@click.option("--pull-request", "is_pull_request", is_flag=True, help="As for a pull request from that branch.")
@click.option("--tag", metavar="TAG", help="As if that tag were pushed.")
@click.option("--custom", metavar="NAME", help="A pipeline of Bitbucket that is started by hand.")
@click.option(
    "--file", "path", type=click.Path(path_type=Path), metavar="FILE", help="Default: the one of the repository."
)
@click.option("--step", "only_step", metavar="NAME", help="That step alone.")
@click.option("--yes", is_flag=True, help="Start manual steps without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and what steps print on stderr.")
@click.pass_obj
def run(
    context: Context,
    /,
    *,
    path: Path | None,
    only_step: str | None,
    yes: bool,
    as_json: bool,
    **given: str | bool | None,
) -> None:
    """Run a pipeline file on this machine, as its CI system would."""
    from emulator.cli.pipeline_progress import Progress
    from emulator.parallel import Cancellation
    from emulator.pipelines.copies import find_work_tree
    from emulator.pipelines.running import only, run_plan

    cwd = Path.cwd()
    tree = find_work_tree(cwd)
    trigger = _trigger(tree, given)
    plan = _read(tree, cwd / path if path else None, trigger, cwd)
    plan = only(plan, only_step) if only_step is not None else plan
    progress = Progress(plan, as_json=as_json)
    progress.note(*_notes(plan, tree))
    cancellation = Cancellation()
    with _performer(context, plan, tree, progress, cancellation) as perform:
        confirm = _asking(is_sure=yes)
        results = run_plan(plan, perform=perform, confirm=confirm, tell=progress, cancellation=cancellation)
    _report(plan, results, as_json=as_json)


def _trigger(tree: WorkTree, given: Mapping[str, str | bool | None]) -> Trigger:
    from emulator.pipelines.copies import check_branch
    from emulator.pipelines.files import main_branch
    from emulator.pipelines.plan import Trigger

    branch, tag, custom = (given[name] for name in ("branch", "tag", "custom"))
    if sum([bool(given["is_pull_request"]), tag is not None, custom is not None]) > 1:
        raise click.UsageError("Give one of --pull-request, --tag and --custom.")
    name = str(branch or tree.branch)
    if not name:
        raise ConfigError(f"{tree.root} has a commit checked out, and no branch", hint="name one with --branch")
    check_branch(tree, name)
    return Trigger(
        branch=name,
        target=main_branch(tree.root) if given["is_pull_request"] else None,
        tag=str(tag) if tag is not None else None,
        custom=str(custom) if custom is not None else None,
    )


def _read(tree: WorkTree, path: Path | None, trigger: Trigger, cwd: Path) -> Plan:
    from emulator.pipelines.files import find_pipeline, read_pipeline

    path = path or find_pipeline(tree.root)
    shown = str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)
    return read_pipeline(path, trigger, shown=shown)


def _notes(plan: Plan, tree: WorkTree) -> Iterator[str]:
    yield from plan.notes
    if tree.is_dirty:
        yield f"{len(tree.changed)} changed files are not committed: steps see them, and CI would not"


@contextlib.contextmanager
def _performer(
    context: Context, plan: Plan, tree: WorkTree, tell: Tell, cancellation: Cancellation
) -> Iterator[Performer]:
    """What runs steps; its folder is gone afterwards."""
    import shutil
    import tempfile

    from emulator.pipelines.copies import copy_to
    from emulator.pipelines.kept_files import KeptFiles
    from emulator.pipelines.performing import Performer

    folder = Path(tempfile.mkdtemp(prefix="multistack-pipeline-"))
    try:
        (folder / "kept").mkdir()
        yield Performer(
            plan=plan,
            run=_run(context, plan.trigger, tree),
            folder=folder,
            copy=lambda target: copy_to(tree, target, branch=plan.trigger.branch),
            tell=tell,
            check=cancellation.check,
            kept=KeptFiles(folder / "kept"),
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(context: Context, trigger: Trigger, tree: WorkTree) -> Run:
    import sys
    import time

    from emulator.config import isolate_process, user_name
    from emulator.pipelines.variables import Run

    isolate_process()
    caller = context.caller_environ()
    if context.overrides:
        raise ConfigError("global options such as --set do not reach the steps", hint="set MULTISTACK_* variables")
    named = context.file or (Path(caller["MULTISTACK_FILE"]) if caller.get("MULTISTACK_FILE") else None)
    if named is not None:
        named = (Path.cwd() / named).resolve()
        if not named.is_relative_to(tree.root.resolve()):
            raise ConfigError(f"{named} is not in the repository {tree.root}", hint="steps run in copies of that")
        named = named.relative_to(tree.root.resolve())
    return Run(
        trigger=trigger,
        commit=tree.commit,
        repository=tree.root.name,
        number=int(time.time()),
        caller=caller,
        tools=Path(sys.executable).parent,
        user=user_name(),
        project_file=named,
    )


def _asking(*, is_sure: bool) -> Confirm:
    """Whether a manual step starts: asked, if there is somebody to ask."""
    import sys

    def confirm(step: Step) -> bool | None:
        if is_sure:
            return True
        return click.confirm(f"Start {step.name}?", err=True) if sys.stdin.isatty() else None

    return confirm


def _report(plan: Plan, results: Sequence[StepResult], *, as_json: bool) -> None:
    from emulator.cli.pipeline_progress import as_plain
    from emulator.pipelines.results import Ending

    if as_json:
        from emulator.render import print_json

        print_json(as_plain(plan, results))
    failed = [one for one in results if one.ending is Ending.FAILED and one.stops_others]
    if failed:
        first, *others = failed
        details = [f"{one.step.name}: {one.reason}" for one in others]
        raise MultistackError(f"step {first.step.name} failed: {first.reason}", details=details)
    waiting = next((one for one in results if one.ending is Ending.WAITING), None)
    if waiting is not None:
        click.echo(f"{waiting.step.name} waits for you: run it with --yes", err=True)


COMMANDS = (pipeline,)
