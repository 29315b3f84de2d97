"""Reads bitbucket-pipelines.yml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from emulator.errors import ConfigError
from emulator.pipelines.document import Document, Value
from emulator.pipelines.globs import matches
from emulator.pipelines.plan import ALWAYS, Action, Download, Plan, Script, Step, System, Trigger, Upload

FILE = "bitbucket-pipelines.yml"
_HERE = "steps run on this machine, with its programs"
_MACHINE = {"image": _HERE, "size": _HERE, "runs-on": _HERE, "caches": "nothing is downloaded into a new machine"}
_LIMITS = {"max-time": "nothing is billed; Ctrl-C ends a step", "clone": "the work tree is copied", "runtime": _HERE}
_STEP = ("name", "script", "after-script", "deployment", "trigger", "artifacts")


def read_bitbucket(text: str, file: str, trigger: Trigger) -> Plan:
    """
    The pipeline that the file has for *trigger*.

    Raises:
        ConfigError: The file is wrong, says something that is not understood, or has no pipeline for that.
    """
    document = Document(file)
    root = document.read(text).keys(("pipelines", "definitions", "options"), noted=_MACHINE | _LIMITS)
    if "definitions" in root:
        # `steps`, `scripts` and the like hold what is reused by anchors, and is read where it is used.
        root["definitions"].keys((*_reused(root["definitions"]),), noted={"caches": _MACHINE["caches"]})
    if "options" in root:
        root["options"].keys((), noted={**_LIMITS, **_MACHINE, "docker": _HERE})
    if "pipelines" not in root:
        raise ConfigError(f"{file}: pipelines are missing", hint="`multistack pipeline init` writes one")
    sections = root["pipelines"].keys(("default", "branches", "pull-requests", "tags", "custom"))
    everything = [value for section in sections.values() for value in _pipelines(section)]
    chosen = _choose(sections, trigger)
    steps: list[Step] = []
    for value in everything:  # a mistake in another branch's pipeline is found before that branch meets it
        found = list(_Pipeline(value).steps())
        if value.node is (chosen and chosen.node):
            steps = found
    document.check()
    if chosen is None:
        raise ConfigError(f"{file} has no pipeline for {trigger.shown}", hint=f"it has: {_offered(sections)}")
    return Plan(system=System.BITBUCKET, file=file, trigger=trigger, steps=steps, notes=document.told())


def _reused(definitions: Value) -> Iterator[str]:
    for key, value in definitions.pairs().items():
        if key in {"steps", "scripts", "yaml-anchors", "variables"} or key.startswith(("x-", "step")):
            yield key
        elif key not in {"caches"}:
            value.fail(
                f"{key} is not understood", hint="services run in containers beside the step, which are not here"
            )


def _pipelines(section: Value) -> list[Value]:
    return [section] if section.is_list else list(section.pairs().values())


def _choose(sections: Mapping[str, Value], trigger: Trigger) -> Value | None:
    if trigger.custom is not None:
        return sections["custom"].pairs().get(trigger.custom) if "custom" in sections else None
    if trigger.tag is not None:
        return _matching(sections.get("tags"), trigger.tag) or sections.get("default")
    if trigger.target is not None:
        return _matching(sections.get("pull-requests"), trigger.branch)
    return _matching(sections.get("branches"), trigger.branch) or sections.get("default")


def _matching(section: Value | None, name: str) -> Value | None:
    """The pipeline of exactly that name, or else the first whose pattern has it."""
    pipelines = section.pairs() if section is not None else {}
    return pipelines.get(name) or next((value for key, value in pipelines.items() if matches(key, name)), None)


def _offered(sections: Mapping[str, Value]) -> str:
    names = [
        key if value.is_list else f"{key} {name}"
        for key, value in sections.items()
        for name in ([""] if value.is_list else value.pairs())
    ]
    return ", ".join(names) or "none"


class _Pipeline:
    """One list of steps, parallel groups and stages."""

    def __init__(self, value: Value) -> None:
        self._value = value
        self._count = 0
        self._kept: list[str] = []
        self._variables: dict[str, str] = {}

    def steps(self) -> Iterator[Step]:
        """In order; what is parallel needs the same steps."""
        needs: tuple[str, ...] = ()
        for index, item in enumerate(self._value.items()):
            keys = item.keys(("step", "parallel", "stage", *(("variables",) if index == 0 else ())))
            if "variables" in keys:
                self._variables = dict(_variables(keys["variables"]))
                continue
            found = []
            for kind, value in keys.items():
                found = list(self._group(kind, value, needs))
                yield from found
            needs = tuple(step.id for step in found) or needs
            self._kept += [action.name for step in found for action in step.actions if isinstance(action, Upload)]

    def _group(self, kind: str, value: Value, needs: tuple[str, ...]) -> Iterator[Step]:
        if kind == "step":
            yield self._step(value, needs, {})
        elif kind == "parallel":
            items = value if value.is_list else _required(value, value.keys(("steps",)), "steps")
            for item in items.items():
                yield from (self._step(one, needs, {}) for one in item.keys(("step",)).values())
        else:
            keys = dict(value.keys(("name", "steps", "deployment", "trigger")))
            shared = {key: keys[key] for key in ("deployment",) if key in keys}
            for number, item in enumerate(_required(value, keys, "steps").items()):
                first = {"trigger": keys["trigger"]} if number == 0 and "trigger" in keys else {}
                for one in item.keys(("step",)).values():
                    step = self._step(one, needs, {**shared, **first})
                    yield step
                    needs = (step.id,)

    def _step(self, value: Value, needs: tuple[str, ...], shared: Mapping[str, Value]) -> Step:
        keys = {**shared, **value.keys(_STEP, noted=_MACHINE | _LIMITS)}
        self._count += 1
        step_id = f"step-{self._count}"
        kept, is_downloading = _artifacts(keys.get("artifacts"))
        actions: list[Action] = [Download(names=tuple(self._kept))] if is_downloading and self._kept else []
        actions.append(Script(lines=_script(_required(value, keys, "script"))))
        if "after-script" in keys:
            actions.append(Script(lines=_script(keys["after-script"]), condition=ALWAYS, may_fail=True))
        if kept:
            actions.append(Upload(name=step_id, paths=kept))
        return Step(
            id=step_id,
            name=keys["name"].text() if "name" in keys else f"Step {self._count}",
            line=value.line,
            actions=tuple(actions),
            needs=needs,
            is_manual=_is_manual(keys.get("trigger")),
            environment=keys["deployment"].text() if "deployment" in keys else None,
            variables=self._variables,
        )


def _required(value: Value, keys: Mapping[str, Value], name: str) -> Value:
    return keys[name] if name in keys else value.fail(f"{name} is missing")


def _script(value: Value) -> tuple[str, ...]:
    for item in value.items():
        if item.is_mapping:
            item.fail("a pipe runs in a container of its own, which is not here", hint="write it as a command")
    return tuple(value.texts())


def _is_manual(value: Value | None) -> bool:
    if value is None:
        return False
    if value.text() not in {"manual", "automatic"}:
        value.fail(f"trigger must be manual or automatic, not {value.text()}")
    return value.text() == "manual"


def _artifacts(value: Value | None) -> tuple[tuple[str, ...], bool]:
    """Patterns of what is kept, and whether what was kept before is wanted."""
    if value is None:
        return (), True
    if value.is_list:
        return tuple(value.texts()), True
    keys = value.keys(("paths", "download"))
    paths: Sequence[str] = keys["paths"].texts() if "paths" in keys else ()
    return tuple(paths), "download" not in keys or keys["download"].is_true()


def _variables(value: Value) -> Iterator[tuple[str, str]]:
    """The variables of a pipeline started by hand, with their defaults."""
    for item in value.items():
        keys = item.keys(("name", "default"), noted={"allowed-values": "the caller's own value is not checked"})
        yield _required(item, keys, "name").text(), keys["default"].text() if "default" in keys else ""
