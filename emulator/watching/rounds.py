"""One batch of saves: built, tried, deployed, tested; what goes wrong is one line, and what served before serves on."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator import stack
from emulator.deploy import DeployResult
from emulator.drivers.functions import NewCode, try_code
from emulator.errors import ArtifactError, DeployError, MultistackError, NotReady, PromotionRefused
from emulator.events import Event
from emulator.model import Artifact, DriverName, Endpoint, Environment, Gate, GateResult, Verification
from emulator.watching.batches import QUIET, Batch, said
from emulator.watching.changed import changed_code, hold_up, syntax_problem
from emulator.watching.pruning import build_passing, prune
from emulator.watching.sources import is_own_output
from emulator.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """
    What somebody who watches asked for.

    Attributes:
        tests: Run the service's verification after each deployment.
        command: A line for the shell that is run instead.
        skip_unsupported: Leave out resource types that the emulator does not know.
    """

    environment: str
    tests: bool = False
    command: str | None = None
    skip_unsupported: bool = False


class Rounds:
    """
    The rounds of one ``multistack watch``.

    Args:
        open_: The project as it is now, with everything that acts on it.
        say: Takes each line for whoever watches; the second argument tells errors.
    """

    def __init__(self, open_: Callable[[], Workspace], wishes: Wishes, *, say: Callable[[str, bool], None]) -> None:
        self._open, self._wishes, self._say = open_, wishes, say
        self._last_error = ""
        self._is_warm = False
        # What tests write must not start tests again.
        self._tests_ended = 0.0

    def run(self, batch: Batch) -> None:
        """Bring the environment to what stands on disk now. Errors are said; only bugs are raised."""
        begun = time.monotonic() - (QUIET if batch else 0.0)
        try:
            workspace = self._open()
            with workspace.changing("watch"):
                artifact, result = self._deploy(workspace)
                self._last_error = ""
                if result.deployment is not None:
                    self._tell(workspace, result, batch, time.monotonic() - begun)
                if self._tests and (result.deployment is not None or self._is_news(batch)):
                    self._test(workspace)
                prune(workspace, artifact)
        except MultistackError as error:
            self._tell_error(_one_line(error), is_new=bool(batch))
        except OSError as error:
            self._tell_error(f"{error.strerror}: {error.filename or 'the project folder'}", is_new=bool(batch))

    @property
    def _tests(self) -> bool:
        return self._wishes.tests or self._wishes.command is not None

    def _deploy(self, workspace: Workspace) -> tuple[Artifact, DeployResult]:
        environment = watchable(workspace, self._wishes.environment)
        endpoint = workspace.endpoint(environment.name)
        artifact = build_passing(workspace)
        release = workspace.releases.make(artifact, environment)
        if not self._is_warm:  # the first save should not wait for SAM's translator
            self._is_warm = True
            threading.Thread(target=workspace.deployer.prepare, args=(artifact,), daemon=True).start()
        self._try(workspace, environment, endpoint, artifact)
        return artifact, workspace.deployer.deploy(
            environment, endpoint, artifact, release, skip_unsupported=self._wishes.skip_unsupported
        )

    def _try(self, workspace: Workspace, environment: Environment, endpoint: Endpoint, artifact: Artifact) -> None:
        """Raise what keeps new code from being imported, before it takes the place of code that works."""
        current = workspace.history.current(environment.name)
        if current is None or current.release.digest == artifact.digest:
            return
        try:
            before = workspace.store.open(current.release.digest)
        except ArtifactError:  # nothing to compare with
            return
        if environment.driver is not DriverName.EMBEDDED:
            problem = syntax_problem(before, artifact)
        else:
            problem = self._held_up(workspace, endpoint, before, artifact)
        if problem:
            raise DeployError(f"{problem}; {current.release.id} serves on")

    def _held_up(self, workspace: Workspace, endpoint: Endpoint, before: Artifact, artifact: Artifact) -> str:
        """Which functions can't be imported any more, and what they hold up; one that never could holds up nothing."""
        if not (changed := changed_code(before, artifact)):
            return ""
        physical = stack.resources(endpoint, workspace.project.stack_name(endpoint.environment))
        folder = workspace.project.environment_state(endpoint.environment)

        def tried(code: Mapping[str, Path]) -> Mapping[str, str]:
            there = {name: archive for name, archive in code.items() if name in physical}
            new = [NewCode(called=name, function=physical[name], archive=path) for name, path in there.items()]
            return try_code(endpoint, folder, new)

        if not (problems := tried(changed)):
            return ""
        earlier = tried({name: code.path for code in before.code for name in code.functions if name in problems})
        for name in problems.keys() & earlier.keys():
            self._say(f"{name}: {problems[name]}; as before, so it holds up nothing", True)
        new = {name: one for name, one in problems.items() if name not in earlier}
        return hold_up(new, changed.keys() - earlier.keys())

    def _tell(self, workspace: Workspace, result: DeployResult, batch: Batch, seconds: float) -> None:
        there = frozenset(path for path in batch if path.is_file())  # what only flashed up is no reason
        files = said(there or batch, workspace.project.root)
        why = f": {files}" if files else ""
        self._say(f"{result.environment}: deployed {result.release.id} in {seconds:.2f} s{why}", False)

    def _tell_error(self, text: str, *, is_new: bool) -> None:
        if is_new or text != self._last_error:
            self._say(text, True)
        self._last_error = text

    def _is_news(self, batch: Batch) -> bool:
        """Whether a file of *batch* was saved after the last tests ended: what they wrote is older."""
        return any(_changed_at(path) > self._tests_ended for path in batch if not is_own_output(path))

    def _test(self, workspace: Workspace) -> None:
        from emulator.promotion.promotion import Promotion

        workspace.publish()  # the proxy must know the new release's APIs
        name = self._wishes.environment
        try:
            if self._wishes.command is None:
                gates: Sequence[Gate] = Promotion(workspace).verify(name)
            else:
                gates = run_command(workspace, name, self._wishes.command)
        finally:
            self._tests_ended = _file_time(workspace.project.state)
        failed = [gate for gate in gates if gate.result is GateResult.FAILED]
        self._say(f"{name}: tests {'failed' if failed else 'passed'}", False)


def run_command(workspace: Workspace, name: str, command: str) -> Sequence[Gate]:
    """Run *command* as the service's smoke tests are run, without a word in the ledger: nobody declared it."""
    import sys

    from emulator.child_environ import environ_for
    from emulator.promotion.verification import verify

    project = workspace.project
    url = workspace.front.environment_url(name)
    environ = environ_for(workspace.endpoint(name), url=url, caller=workspace.environ)
    gates, lines = verify(
        Verification(command=command, timeout=project.verification.timeout),
        url=url or "",
        folder=project.root,
        environ={**environ, "MULTISTACK_PYTHON": sys.executable},
        log=project.environment_state(name) / "watch.log",
        cancelled=workspace.cancellation.check,
    )
    for line in [*(gate.detail for gate in gates), *lines]:
        workspace.emit(Event(name, "  |", line))
    return gates


def watchable(workspace: Workspace, name: str) -> Environment:
    """
    The environment *name*.

    Raises:
        ConfigError: There is none.
        PromotionRefused: It is protected.
    """
    (environment,) = workspace.environments([name])
    if environment.protected:
        raise PromotionRefused(
            f"{name} is protected: what is saved is not deployed there unseen",
            hint=f"watch another environment, and then `multistack promote {name}`",
        )
    return environment


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _file_time(folder: Path) -> float:
    """Now, as files in *folder* are stamped: that clock is some milliseconds behind the process's."""
    with tempfile.TemporaryFile(dir=folder) as file:
        return os.fstat(file.fileno()).st_mtime


def _one_line(error: MultistackError) -> str:
    first = f": {error.details[0]}" if error.details else ""
    todo = f" ({error.hint})" if error.hint and isinstance(error, NotReady) else ""
    return " ".join(f"{error.message}{first}{todo}".split())
