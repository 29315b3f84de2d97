"""The workspace of the environments for tests: of their own, or those of the project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emulator.config import load_project, scrubbed_environ
from emulator.drivers.containers import TOKEN
from emulator.errors import ConfigError
from emulator.events import Event
from emulator.model import STATE_FOLDER, DriverName, Project
from emulator.opening import open_workspace
from emulator.project_file import find_project_file
from emulator.workspace import Workspace

# Below the project's state folder: the home of environments that are there for tests only.
HOME = "tests"
# Below the state folder of either: what processes with tests share.
SHARED = "tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    Which environments tests get.

    Attributes:
        file: The project file; None to look for it.
        driver: What runs all of them; None for what the project says.
        endpoint: ``test=http://127.0.0.1:4566``: an environment that is in an emulator which somebody else runs.
        is_reused: They are the project's own, as they are; else others, freshly deployed, that only tests use.
        is_kept: They go on running afterwards.
    """

    file: Path | None
    driver: str | None = None
    endpoint: str | None = None
    is_reused: bool = False
    is_kept: bool = False


def open_for_tests(
    options: Options, *, environ: Mapping[str, str], cwd: Path, expected: Sequence[str] = ()
) -> Workspace:
    """
    Put the workspace together; nothing is started.

    Args:
        environ: The variables that the tests were started with.
        cwd: Where they were started.
        expected: See :func:`emulator.config.load_project`.

    Raises:
        ConfigError: There is no project file, or it is wrong.
    """
    named = options.file or environ.get("MULTISTACK_FILE")
    file = cwd / named if named else find_project_file(cwd)
    home = None if options.is_reused else file.parent.resolve() / STATE_FOLDER / HOME

    def load(overrides: Mapping[str, object]) -> Project:
        return load_project(file=file, environ=environ, cwd=cwd, overrides=overrides, expected=expected, home=home)

    project = load({})
    if options.driver or options.endpoint:
        project = load(_overrides(options, project))
    return open_workspace(
        project if options.is_reused else _apart(project),
        environ=scrubbed_environ(environ),
        emit=_say_nothing,
        token=environ.get(TOKEN),
    )


def _overrides(options: Options, project: Project) -> Mapping[str, object]:
    """What runs every environment, also one for which the project file names something else."""
    names = [environment.name for environment in project.promotion_order]
    overrides: dict[str, object] = {f"environments.{name}.driver": options.driver for name in names if options.driver}
    if options.endpoint:
        name, _, url = options.endpoint.partition("=")
        overrides |= {f"environments.{name}.driver": "external", f"environments.{name}.endpoint": url}
    return overrides


def _apart(project: Project) -> Project:
    """
    *project* on ports of its own, as on the fixed ones its own environments may run; and with a ledger of its own.
    """
    environments = tuple(replace(environment, port=None) for environment in project.environments)
    proxy = replace(project.proxy, host="127.0.0.1", port=None)
    return replace(project, environments=environments, proxy=proxy, store=None)


def check_isolated(workspace: Workspace, names: Sequence[str]) -> None:
    """
    Refuse environments whose state can't be put back while they run.

    Raises:
        ConfigError: One is of another driver than the embedded one.
    """
    for environment in workspace.environments(names) if names else ():
        if environment.driver is not DriverName.EMBEDDED:
            raise ConfigError(
                f"environment {environment.name} is of driver {environment.driver.value}, whose state can't be put back"
                " between tests",
                hint="leave isolation out, or run these tests with --multistack-driver embedded",
            )


def _say_nothing(_event: Event) -> None:
    """Nobody reads progress while tests run."""
