"""Reads a workflow of GitHub Actions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from emulator.errors import ConfigError
from emulator.pipelines.document import Document, Value
from emulator.pipelines.expressions import fields_in, is_true, names_in
from emulator.pipelines.globs import matches
from emulator.pipelines.plan import Action, Download, Plan, Script, Step, System, Trigger, Upload

FILE = ".github/workflows/multistack.yml"
_HERE = "jobs run on this machine, with its programs"
_ROOT = {"permissions": "nothing is asked of GitHub", "concurrency": "one pipeline runs at a time"}
_JOB = {"runs-on": _HERE, "timeout-minutes": "Ctrl-C ends a job", "permissions": _ROOT["permissions"],
        "concurrency": _ROOT["concurrency"], "container": _HERE}  # fmt: skip
_SHELLS = {"": ("-e",), "bash": ("--noprofile", "--norc", "-eo", "pipefail")}
# Environments that people guard with an approval; in the file itself nothing says so.
_GUARDED = frozenset({"prod", "production"})
_KNOWN = ("github.", "env.", "steps.", "needs.", "secrets.", "vars.", "runner.")
_STATES = frozenset({"always()", "success()", "failure()"})
_ACTIONS = {
    "actions/checkout": "the work tree is there already",
    "actions/setup-python": _HERE,
    "actions/setup-node": _HERE,
    "actions/cache": "nothing is downloaded into a new machine",
}


def read_github(text: str, file: str, trigger: Trigger) -> Plan:
    """
    The jobs that the workflow has for *trigger*.

    Raises:
        ConfigError: The file is wrong, says something that is not understood, or does not run for that.
    """
    document = Document(file)
    if trigger.custom is not None:
        raise ConfigError("--custom: only Bitbucket has pipelines that are started by name", hint="leave it out")
    root = document.read(text)
    keys = root.keys(("name", "run-name", "on", "jobs", "env", "defaults"), noted=_ROOT)
    is_run = _is_triggered(keys["on"] if "on" in keys else root.fail("on is missing"), trigger)
    jobs = keys["jobs"].pairs() if "jobs" in keys else root.fail("jobs are missing")
    shared = _Shared(_texts(keys.get("env")), _defaults(keys.get("defaults")))
    steps = list(_jobs(jobs, shared, trigger))
    document.check()
    if not is_run or not steps:
        raise ConfigError(f"{file} has no job for {trigger.shown}", hint="see `on` in it, and `if` of its jobs")
    return Plan(system=System.GITHUB, file=file, trigger=trigger, steps=steps, notes=document.told())


def facts_of(trigger: Trigger) -> dict[str, str]:
    """The context ``github``, as far as it is known before anything runs."""
    name = trigger.tag or trigger.branch
    is_pull_request = trigger.target is not None
    return {
        "github.event_name": "pull_request" if is_pull_request else "push",
        "github.ref_name": "1/merge" if is_pull_request else name,
        "github.ref": "refs/pull/1/merge" if is_pull_request else f"refs/{'tags' if trigger.tag else 'heads'}/{name}",
        "github.ref_type": "tag" if trigger.tag else "branch",
        "github.head_ref": trigger.branch if is_pull_request else "",
        "github.base_ref": trigger.target or "",
    }


@dataclass(frozen=True, slots=True)
class _Shared:
    """What a job, or a step, inherits: variables, and ``defaults.run``."""

    variables: Mapping[str, str]
    run: Mapping[str, Value]

    def below(self, variables: Mapping[str, str], run: Mapping[str, Value]) -> _Shared:
        return _Shared({**self.variables, **variables}, {**self.run, **run})


def _is_triggered(value: Value, trigger: Trigger) -> bool:
    events = dict.fromkeys(value.texts()) if not value.is_mapping else value.pairs()
    wanted = "pull_request" if trigger.target is not None else "push"
    result = False
    for event, filters in events.items():
        if event not in {"push", "pull_request", "workflow_dispatch"}:
            value.document.problems.append(f"{value.place}: event {event} is not understood")
        elif event == "workflow_dispatch":
            continue
        else:
            result = result or (_passes(event, filters, trigger) and event == wanted)
    return result


def _passes(event: str, filters: Value | None, trigger: Trigger) -> bool:
    if filters is None or not filters.is_mapping:
        return True
    keys = filters.keys(("branches", "branches-ignore", "tags", "tags-ignore", "types"))
    kind, name = ("tags", trigger.tag) if trigger.tag is not None else ("branches", trigger.target or trigger.branch)
    if event == "push" and kind not in keys and f"{kind}-ignore" not in keys:
        # Whoever filters only branches, or only tags, means no push of the other kind.
        return not {"branches", "branches-ignore", "tags", "tags-ignore"} & set(keys)
    if f"{kind}-ignore" in keys and any(matches(text, name) for text in keys[f"{kind}-ignore"].texts()):
        return False
    is_meant = kind not in keys
    for text in keys[kind].texts() if kind in keys else ():
        if matches(text.removeprefix("!"), name):
            is_meant = not text.startswith("!")
    return is_meant


def _jobs(jobs: Mapping[str, Value], shared: _Shared, trigger: Trigger) -> Iterator[Step]:
    """Those that run; a job that needs one that doesn't run doesn't either."""
    left_out: set[str] = set()
    for name, needs in _ordered(jobs):
        step, is_run = _job(name, jobs[name], needs, shared, trigger)
        if is_run and not left_out & set(needs):
            yield step
        else:
            left_out.add(name)


def _ordered(jobs: Mapping[str, Value]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names of jobs with what they need, each after those."""
    waiting = {}
    for name, job in jobs.items():
        pairs = job.pairs()
        waiting[name] = tuple(pairs["needs"].texts()) if "needs" in pairs else ()
        for need in waiting[name]:
            if need not in jobs:
                pairs["needs"].fail(f"there is no job {need}")
    while waiting:
        ready = next((name for name, needs in waiting.items() if not set(needs) & waiting.keys()), None)
        if ready is None:
            jobs[next(iter(waiting))].fail(f"these jobs wait for each other: {', '.join(waiting)}")
        yield ready, waiting.pop(ready)


def _job(name: str, job: Value, needs: tuple[str, ...], shared: _Shared, trigger: Trigger) -> tuple[Step, bool]:
    known = ("name", "needs", "if", "env", "environment", "defaults", "outputs", "steps", "continue-on-error")
    keys = job.keys(known, noted=_JOB)
    below = shared.below(_texts(keys.get("env")), _defaults(keys.get("defaults")))
    actions = [action for item in (keys["steps"].items() if "steps" in keys else job.fail("steps are missing"))
               for action in _actions(item, below)]  # fmt: skip
    environment = _environment(keys.get("environment"))
    step = Step(
        id=name,
        name=keys["name"].text() if "name" in keys else name,
        line=job.line,
        actions=tuple(actions),
        needs=needs,
        is_manual=environment in _GUARDED,
        environment=environment,
        variables=below.variables,
        may_fail="continue-on-error" in keys and keys["continue-on-error"].is_true(),
        outputs=_texts(keys.get("outputs")),
    )
    return step, "if" not in keys or _holds_for(keys["if"], trigger)


def _holds_for(value: Value, trigger: Trigger) -> bool:
    """A job's condition: it must be known before anything runs."""
    condition = _condition(value)
    facts = facts_of(trigger)
    for name in names_in(condition):
        if name not in facts and name != "success()":
            value.fail(f"{name} is not understood in a job's condition", hint="put it into the condition of a step")
    return is_true(condition, lambda name: "true" if name == "success()" else facts[name])


def _condition(value: Value) -> str:
    text = value.text().strip()
    condition = text[3:-2].strip() if text.startswith("${{") and text.endswith("}}") else text
    try:
        for name in names_in(condition):
            if not name.startswith(_KNOWN) and name not in _STATES:
                value.fail(f"{name} is not understood")
    except ValueError as error:
        value.fail(str(error))
    return condition


def _actions(item: Value, shared: _Shared) -> Iterator[Action]:
    known = ("name", "id", "run", "uses", "with", "env", "if", "working-directory", "shell", "continue-on-error")
    keys = item.keys(known)
    condition = _condition(keys["if"]) if "if" in keys else ""
    if "uses" in keys:
        yield from _used(keys["uses"], keys.get("with"), condition)
        return
    if "run" not in keys:
        item.fail("run is missing")
    text = _checked(keys["run"])
    run = {**shared.run, **keys}
    shell = run["shell"].text() if "shell" in run else ""
    if shell not in _SHELLS:
        run["shell"].fail(f"shell {shell} is not understood", hint="bash")
    yield Script(
        lines=(text,),
        name=_checked(keys["name"]) if "name" in keys else text.strip().partition("\n")[0],
        options=_SHELLS[shell],
        directory=_checked(run["working-directory"]) if "working-directory" in run else ".",
        variables=_texts(keys.get("env")),
        condition=condition,
        may_fail="continue-on-error" in keys and keys["continue-on-error"].is_true(),
        id=keys["id"].text() if "id" in keys else "",
        is_echoed=False,
    )


def _used(value: Value, given: Value | None, condition: str) -> Iterator[Action]:
    action = value.text().partition("@")[0]
    if action in _ACTIONS:
        value.note(f"{action} is not run here: {_ACTIONS[action]}")
    elif action == "actions/upload-artifact":
        noted = dict.fromkeys(("retention-days", "compression-level"), "it is kept until the pipeline ends")
        noted["if-no-files-found"] = "that no file is there is only told"
        keys = given.keys(("name", "path", "include-hidden-files", "overwrite"), noted=noted) if given else {}
        path = keys["path"].text() if "path" in keys else value.fail("path is missing")
        name = _checked(keys["name"]) if "name" in keys else "artifact"
        yield Upload(name=name, paths=tuple(path.split()), condition=condition)
    elif action == "actions/download-artifact":
        keys = given.keys(("name", "path")) if given else {}
        names = (_checked(keys["name"]),) if "name" in keys else None
        yield Download(names=names, path=keys["path"].text() if "path" in keys else ".", condition=condition)
    else:
        value.fail(f"action {value.text()} is not understood", hint="write it as a command")


def _environment(value: Value | None) -> str | None:
    if value is None or not value.is_mapping:
        return value.text() if value is not None else None
    keys = value.keys(("name",), noted={"url": "nobody shows it here"})
    return keys["name"].text() if "name" in keys else None


def _defaults(value: Value | None) -> Mapping[str, Value]:
    run = value.keys(("run",)).get("run") if value is not None else None
    return run.keys(("working-directory", "shell")) if run is not None else {}


def _texts(value: Value | None) -> dict[str, str]:
    return {name: _checked(one) for name, one in value.pairs().items()} if value is not None else {}


def _checked(value: Value) -> str:
    """A text whose ``${{ }}`` are all understood."""
    text = value.text()
    for inner in fields_in(text):
        try:
            names = names_in(inner)
        except ValueError as error:
            value.fail(str(error))
        for name in names:
            if not name.startswith(_KNOWN):
                value.fail(f"${{{{ {name} }}}} is not understood")
    return text
