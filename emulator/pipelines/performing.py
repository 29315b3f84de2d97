"""Runs one step: in its own copy of the work tree, one action after the other."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from emulator.pipelines.bash import Outcome, run_script
from emulator.pipelines.contexts import Contexts
from emulator.pipelines.kept_files import KeptFiles
from emulator.pipelines.masks import Masks
from emulator.pipelines.plan import Action, Download, Plan, Script, Step, System, Upload
from emulator.pipelines.results import Ending, Printed, StepResult, Tell
from emulator.pipelines.variables import Run, read_pairs

# Files that GitHub gives a script to write into.
_COMMAND_FILES = ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")
_DROPPED = "BITBUCKET_EXIT_CODE", "CI_JOB_STATUS"


@dataclass(frozen=True, kw_only=True)
class Performer:
    """
    Runs steps, several at once if need be.

    Attributes:
        folder: Of the run: copies and kept files go into it.
        copy: Makes a copy of the work tree at a path.
        check: Raises KeyboardInterrupt once the run must end.
    """

    plan: Plan
    run: Run
    folder: Path
    copy: Callable[[Path], None]
    tell: Tell
    check: Callable[[], None]
    kept: KeptFiles
    clock: Callable[[], float] = time.monotonic

    def __call__(self, step: Step, before: Mapping[str, StepResult]) -> StepResult:
        """
        Run *step* after those of *before*, by id.

        Raises:
            KeyboardInterrupt: The run must end; nothing of the step runs any more.
            MultistackError: It can't be run at all, e.g. for a full disk.
        """
        started = self.clock()
        place = self.folder / f"work-{[one.id for one in self.plan.steps].index(step.id)}"
        place.mkdir()
        try:
            copy = place / self.run.repository
            self.copy(copy)
            performance = _Performance(self, step, copy, place, before)
            failure = performance.act()
            result = StepResult(step=step, ending=Ending.FAILED if failure else Ending.PASSED)
            if failure is None:
                outputs, variables = performance.handed_on()
                result = replace(result, outputs=outputs, variables=variables)
            else:
                what = failure.failed or "the script"
                result = replace(result, code=failure.code, reason=f"`{what}` ended with {failure.code}")
            return replace(result, seconds=self.clock() - started)
        finally:
            shutil.rmtree(place, ignore_errors=True)


@dataclass
class _Performance:
    """One step while it runs."""

    performer: Performer
    step: Step
    copy: Path
    place: Path
    before: Mapping[str, StepResult]
    contexts: Contexts = field(init=False)
    added: dict[str, str] = field(default_factory=dict)
    failure: Outcome | None = None

    def __post_init__(self) -> None:
        run = self.performer.run
        base = run.base()
        for result in self.before.values():
            base.update(result.variables)
        base.update(run.variables(self.performer.plan.system, self.step, self.copy))
        outputs = {f"needs.{name}": result.outputs for name, result in self.before.items()}
        self.contexts = Contexts(facts=run.facts(), caller=run.caller, outputs=outputs)
        given = {name: text for name, text in self.step.variables.items() if not self._is_callers(name)}
        self.contexts.variables.update({name: self._fill(text) for name, text in given.items()})
        self.base = {**base, **self.contexts.variables}

    def _is_callers(self, name: str) -> bool:
        """Whether the caller's own value wins, as a variable that is entered at the start of a custom pipeline."""
        run = self.performer.run
        return run.trigger.custom is not None and name in run.caller

    def act(self) -> Outcome | None:
        """All actions; returns the first failure."""
        for number, action in enumerate(self.step.actions):
            self.performer.check()
            if not self.contexts.holds(action.condition, has_failed=self.failure is not None):
                continue
            outcome = self._do(action, number)
            if outcome.code and not (isinstance(action, Script) and action.may_fail):
                self.failure = self.failure or outcome
        return self.failure

    def _do(self, action: Action, number: int) -> Outcome:
        if isinstance(action, Script):
            return self._script(action, number)
        kept = self.performer.kept
        is_github = self.performer.plan.system is System.GITHUB
        if isinstance(action, Upload):
            name = self._fill(action.name)
            if not kept.keep(name, [self._fill(path) for path in action.paths], self.copy, is_rerooted=is_github):
                self._say(f"note: there is nothing to keep of {', '.join(action.paths)}")
            return Outcome(0)
        return self._download(action, is_github=is_github)

    def _download(self, action: Download, *, is_github: bool) -> Outcome:
        kept = self.performer.kept
        target = self.copy / self._fill(action.path)
        names = kept.names() if action.names is None else [self._fill(name) for name in action.names]
        missing = [name for name in names if name not in kept.names()]
        if is_github and missing:
            self._say(f"error: nothing was kept as {', '.join(missing)}")
            return Outcome(1, f"download of {', '.join(missing)}")
        for name in names:
            kept.put([name], target / name if is_github and action.names is None else target)
        return Outcome(0)

    def _script(self, script: Script, number: int) -> Outcome:
        notes = self.place / f"notes-{number}"
        notes.mkdir()
        environ = {**self.base, **self.added, **{name: self._fill(text) for name, text in script.variables.items()}}
        environ |= self._command_files(notes)
        if script.condition:
            code = self.failure.code if self.failure else 0
            environ |= dict(zip(_DROPPED, (str(code), "failed" if code else "success"), strict=True))
        lines, name = [self._fill(line) for line in script.lines], self._fill(script.name)
        masks = Masks({**environ, **self.contexts.secrets}, frozenset(self.contexts.secrets))
        if name:
            self.performer.tell(Printed(self.step, f"# {masks(name)}"))
        outcome = run_script(
            lines,
            options=script.options,
            folder=self.copy / self._fill(script.directory),
            environ=environ,
            notes=notes,
            is_echoed=script.is_echoed,
            write=lambda line: self.performer.tell(Printed(self.step, masks(line))),
            check=self.performer.check,
        )
        self._read_command_files(script, notes)
        return replace(outcome, failed=masks(name or outcome.failed))

    def _command_files(self, notes: Path) -> dict[str, str]:
        if self.performer.plan.system is not System.GITHUB:
            return {}
        for name in _COMMAND_FILES:
            (notes / name).touch()
        return {name: str(notes / name) for name in _COMMAND_FILES}

    def _read_command_files(self, script: Script, notes: Path) -> None:
        if self.performer.plan.system is not System.GITHUB:
            return
        if script.id:
            self.contexts.outputs[f"steps.{script.id}"] = self._pairs(notes / "GITHUB_OUTPUT")
        self.added |= self._pairs(notes / "GITHUB_ENV")
        self.contexts.variables.update(self.added)
        for line in (notes / "GITHUB_PATH").read_text().splitlines():
            self.added["PATH"] = f"{line}:{self.added.get('PATH', self.base['PATH'])}"

    def handed_on(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Outputs and variables for later steps."""
        outputs = {name: self._fill(text) for name, text in self.step.outputs.items()}
        variables: dict[str, str] = {}
        for name in self.step.dotenv:
            variables |= self._pairs(self.copy / name)
        return outputs, variables

    def _pairs(self, path: Path) -> dict[str, str]:
        """What a file of variables says; what it says wrongly is told, and left out."""
        try:
            return read_pairs(path.read_text(encoding="utf-8", errors="replace"))
        except FileNotFoundError:
            self._say(f"note: there is no {path.name}")
        except ValueError as error:
            self._say(f"note: {path.name} is left out: {error}")
        return {}

    def _fill(self, text: str) -> str:
        return self.contexts.fill(text) if self.performer.plan.system is System.GITHUB else text

    def _say(self, line: str) -> None:
        self.performer.tell(Printed(self.step, line))
