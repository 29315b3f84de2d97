"""Reads .gitlab-ci.yml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emulator.errors import ConfigError
from emulator.pipelines.document import Document, Value
from emulator.pipelines.expressions import is_true
from emulator.pipelines.globs import matches
from emulator.pipelines.plan import ALWAYS, Action, Download, Plan, Script, Step, System, Trigger, Upload

FILE = ".gitlab-ci.yml"
_HERE = "jobs run on this machine, with its programs"
_NOTED = {
    "image": _HERE,
    "tags": _HERE,
    "cache": "nothing is downloaded into a new machine",
    "timeout": "Ctrl-C ends a job",
    "interruptible": "one pipeline runs at a time",
    "resource_group": "one pipeline runs at a time",
}
_GLOBAL = ("stages", "variables", "workflow", "before_script", "after_script", "default")
_JOB = (
    "stage", "script", "before_script", "after_script", "rules", "only", "except", "when", "allow_failure", "needs",
    "artifacts", "environment", "variables", "dependencies",
)  # fmt: skip
_OPTIONS = ("-e", "-o", "pipefail")
_WHEN = ("on_success", "manual", "never", "always")


@dataclass(frozen=True, slots=True)
class _Decision:
    """Whether and how a job runs."""

    when: str
    may_fail: bool


def read_gitlab(text: str, file: str, trigger: Trigger) -> Plan:
    """
    The jobs that the file has for *trigger*.

    Raises:
        ConfigError: The file is wrong, says something that is not understood, or has no job for that.
    """
    document = Document(file)
    if trigger.custom is not None:
        raise ConfigError("--custom: only Bitbucket has pipelines that are started by name", hint="leave it out")
    pairs = document.read(text).pairs()
    root = {key: value for key, value in pairs.items() if key in _GLOBAL}
    jobs = {key: value for key, value in pairs.items() if key not in root and not key.startswith(".")}
    for key in [key for key in jobs if key in _NOTED]:
        jobs.pop(key).note(f"{key} is not used here: {_NOTED[key]}")
    for key in [key for key, value in jobs.items() if not value.is_mapping]:
        document.problems.append(f"{jobs.pop(key).place}: {key} is not understood")
    steps = _Jobs(root, trigger).steps(jobs)
    document.check()
    if not steps:
        raise ConfigError(f"{file} has no job for {trigger.shown}", hint=f"its jobs: {', '.join(jobs) or 'none'}")
    return Plan(system=System.GITLAB, file=file, trigger=trigger, steps=steps, notes=document.told())


def variables_of(trigger: Trigger) -> dict[str, str]:
    """What GitLab tells every job about what it runs for, as far as conditions ask for it."""
    if trigger.tag is not None:
        about = {"CI_COMMIT_TAG": trigger.tag, "CI_COMMIT_REF_NAME": trigger.tag}
    else:
        about = {"CI_COMMIT_BRANCH": trigger.branch, "CI_COMMIT_REF_NAME": trigger.branch}
    about |= {"CI_PIPELINE_SOURCE": "push", "CI_DEFAULT_BRANCH": "main"}
    if trigger.target is not None:
        del about["CI_COMMIT_BRANCH"]
        about |= {
            "CI_PIPELINE_SOURCE": "merge_request_event",
            "CI_MERGE_REQUEST_IID": "1",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": trigger.branch,
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": trigger.target,
        }
    return about


class _Jobs:
    """The jobs of one file, in the order of their stages."""

    def __init__(self, root: Mapping[str, Value], trigger: Trigger) -> None:
        self._trigger = trigger
        self._shared: Mapping[str, Value] = {key: root[key] for key in ("before_script", "after_script") if key in root}
        if "default" in root:
            self._shared = {**self._shared, **root["default"].keys(("before_script", "after_script"), noted=_NOTED)}
        self._variables = _variables(root.get("variables"))
        self._stages = [".pre", *(root["stages"].texts() if "stages" in root else ("build", "test", "deploy")), ".post"]
        self._is_run = True
        if "workflow" in root:
            keys = root["workflow"].keys(("rules",), noted={"name": "the pipeline is named by its branch"})
            self._is_run = "rules" not in keys or self._by_rules(keys["rules"], {}).when != "never"

    def steps(self, jobs: Mapping[str, Value]) -> list[Step]:
        """All jobs that run; each is read, whether it runs or not."""
        read = [(name, job, job.keys(_JOB, noted=_NOTED)) for name, job in jobs.items()]
        order = sorted(read, key=lambda one: self._stage(one[1], one[2]))
        found: list[tuple[int, Step]] = []
        for name, job, keys in order:
            number = self._stage(job, keys)
            before = [step for stage, step in found if stage < number]
            step = self._step(name, job, keys, before, [step for _, step in found])
            if step is not None:
                found.append((number, step))
        return [step for _, step in found]

    def _stage(self, job: Value, keys: Mapping[str, Value]) -> int:
        stage = keys["stage"].text() if "stage" in keys else "test"
        if stage not in self._stages:
            keys.get("stage", job).fail(f"stage {stage} is not one of {', '.join(self._stages[1:-1])}")
        return self._stages.index(stage)

    def _step(
        self, name: str, job: Value, keys: Mapping[str, Value], before: Sequence[Step], others: Sequence[Step]
    ) -> Step | None:
        variables = {**self._variables, **_variables(keys.get("variables"))}
        decision = self._decide(job, keys, variables)
        keys = {**self._shared, **keys}
        if "script" not in keys:
            job.fail("script is missing")
        needs = _needs(keys.get("needs"), before, others)
        kept, dotenv = _artifacts(keys.get("artifacts"))
        wanted = keys["dependencies"].texts() if "dependencies" in keys else [*needs, *(step.id for step in before)]
        lines = [*(keys["before_script"].texts() if "before_script" in keys else ()), *keys["script"].texts()]
        actions: list[Action] = [Download(names=tuple(dict.fromkeys(wanted)))] if wanted else []
        actions.append(Script(lines=tuple(lines), options=_OPTIONS))
        if "after_script" in keys:
            after = tuple(keys["after_script"].texts())
            actions.append(Script(lines=after, options=_OPTIONS, condition=ALWAYS, may_fail=True))
        if kept:
            actions.append(Upload(name=name, paths=kept))
        if decision.when == "never" or not self._is_run:
            return None
        return Step(
            id=name, name=name, line=job.line, actions=tuple(actions), needs=needs,
            is_manual=decision.when == "manual", environment=_environment(keys.get("environment")),
            variables=variables, may_fail=decision.may_fail, dotenv=dotenv,
        )  # fmt: skip

    def _decide(self, job: Value, keys: Mapping[str, Value], variables: Mapping[str, str]) -> _Decision:
        may_fail = "allow_failure" in keys and keys["allow_failure"].is_true()
        when = _when(keys.get("when"))
        if "rules" in keys:
            if "only" in keys or "except" in keys:
                job.fail("rules and only can't stand together")
            decision = self._by_rules(keys["rules"], variables, default=when)
            return _Decision(decision.when, decision.may_fail or may_fail)
        if not self._is_meant(keys.get("only"), default=self._trigger.target is None):
            return _Decision("never", may_fail)
        if self._is_meant(keys.get("except"), default=False):
            return _Decision("never", may_fail)
        return _Decision(when, may_fail)

    def _by_rules(self, rules: Value, variables: Mapping[str, str], default: str = "on_success") -> _Decision:
        """The first rule that holds; without one, a job does not run."""
        known = {**variables, **variables_of(self._trigger)}
        chosen: _Decision | None = None
        for rule in rules.items():
            keys = rule.keys(("if", "when", "allow_failure"))
            try:
                is_met = "if" not in keys or is_true(keys["if"].text(), lambda name: known.get(name.lstrip("$")))
            except ValueError as error:
                keys["if"].fail(str(error))
            when = _when(keys.get("when"), default)
            may_fail = "allow_failure" in keys and keys["allow_failure"].is_true()
            if is_met and chosen is None:
                chosen = _Decision(when, may_fail)
        return chosen or _Decision("never", False)

    def _is_meant(self, value: Value | None, *, default: bool) -> bool:
        """``only`` or ``except``: branches, patterns and what they call events."""
        if value is None:
            return default
        texts = value.keys(("refs",))["refs"].texts() if value.is_mapping else value.texts()
        trigger = self._trigger
        is_branch = trigger.tag is None and trigger.target is None
        events = {"branches": is_branch, "tags": trigger.tag is not None, "pushes": is_branch,
                  "merge_requests": trigger.target is not None}  # fmt: skip
        name = trigger.tag or trigger.branch
        for text in texts:
            if text.startswith("/"):
                if is_true(f"$x =~ {text}", lambda _: name) and trigger.target is None:
                    return True
            elif events.get(text, trigger.target is None and matches(text, name)):
                return True
        return False


def _when(value: Value | None, default: str = "on_success") -> str:
    if value is None:
        return default
    if value.text() not in _WHEN:
        value.fail(f"when {value.text()} is not understood", hint=f"one of {', '.join(_WHEN)}")
    return value.text()


def _needs(value: Value | None, before: Sequence[Step], others: Sequence[Step]) -> tuple[str, ...]:
    if value is None:
        return tuple(step.id for step in before if not (step.is_manual and step.may_fail))
    known = {step.id for step in others}
    found = []
    for item in value.items():
        keys = item.keys(("job", "artifacts", "optional")) if item.is_mapping else {"job": item}
        name = keys["job"].text() if "job" in keys else item.fail("job is missing")
        if name in known:
            found.append(name)
        elif "optional" not in keys:
            item.fail(f"there is no job {name} before this one")
    return tuple(found)


def _artifacts(value: Value | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Patterns of what is kept, and files of variables."""
    if value is None:
        return (), ()
    keys = value.keys(("paths", "reports"), noted={"expire_in": "it is kept until the pipeline ends", "name": "no zip"})
    dotenv: Sequence[str] = ()
    if "reports" in keys:
        reports = keys["reports"].keys(("dotenv",), noted={"junit": "nobody shows reports here"})
        dotenv = reports["dotenv"].texts() if "dotenv" in reports else ()
    return tuple(keys["paths"].texts()) if "paths" in keys else (), tuple(dotenv)


def _environment(value: Value | None) -> str | None:
    if value is None:
        return None
    if not value.is_mapping:
        return value.text()
    keys = value.keys(("name",), noted={"url": "nobody shows it here", "deployment_tier": "nobody shows it here"})
    return keys["name"].text() if "name" in keys else None


def _variables(value: Value | None) -> dict[str, str]:
    pairs = value.pairs() if value is not None else {}
    return {name: (one.keys(("value",), noted={"description": ""})["value"] if one.is_mapping else one).text()
            for name, one in pairs.items()}  # fmt: skip
