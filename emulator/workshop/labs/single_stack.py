"""Lab 3: three mistakes meant for test, and what prod sees of them where the environments share a stack."""

from __future__ import annotations

import functools
import re

from emulator.lab.experiments import find_experiment
from emulator.lab.results import Outcome
from emulator.lab.topologies import Topology
from emulator.workshop.experiments import MISTAKES, ran, result, seen_status
from emulator.workshop.lab import Check, Lab, Step
from emulator.workshop.predictions import key_of, noted
from emulator.workshop.scene import Scene

# Experiment to what matches a name of the setting that lets it happen, and of no other one.
_SETTINGS = {
    "X03": re.compile(r"(?!.*environment).*(stage.{0,2} ?variable|table)"),
    "X05": re.compile(r"(?!.*stage).*(variable|version)"),
    "X06": re.compile(r".*auto ?publish ?alias"),
}
_STATUSES = range(100, 600)


def predicted(scene: Scene, *, experiment: str) -> str | None:
    """The learner wrote down what prod will answer, before it was seen."""
    key = key_of(experiment)
    if problem := scene.answers.problem(key):
        return problem
    answer = scene.answers.answer(key)
    if not (answer.isascii() and answer.isdecimal() and int(answer[:4]) in _STATUSES):
        return f"answers.toml: {key} must be a status, such as 502"
    if result(scene.folder, experiment, Topology.SINGLE) is None:
        return None
    before = noted(scene.folder).get(experiment)
    if not before:
        return f"{experiment} was run before you predicted; `multistack workshop reset 3`, and predict first"
    return None if before == answer else f"answers.toml: {key} was {before} when {experiment} was run; let it stand"


def seen(scene: Scene, *, experiment: str) -> str | None:
    """And what it did answer."""
    found = result(scene.folder, experiment, Topology.SINGLE)
    if found is None or found.outcome is Outcome.NOT_ON_DRIVER:
        return None  # nothing could be seen
    key = f"{experiment.lower()}_seen"
    if problem := scene.answers.problem(key):
        return problem
    if scene.answers.answer(key) == str(seen_status(found)):
        return None
    return (
        f"answers.toml: {key} is not what prod answered; `multistack lab run {experiment} --topology single` tells it"
    )


def named(scene: Scene, *, experiment: str) -> str | None:
    """The learner knows what let it happen."""
    key = f"{experiment.lower()}_setting"
    if problem := scene.answers.problem(key):
        return problem
    if _SETTINGS[experiment].match(scene.answers.answer(key)):
        return None
    return f"answers.toml: {key} names another setting; `multistack lab show {experiment}` says which one it is"


def _checks(experiment: str) -> tuple[Check, ...]:
    return (
        Check(
            f"{experiment}: you predicted a status before you saw it",
            functools.partial(predicted, experiment=experiment),
        ),
        ran(experiment, Topology.SINGLE),
        Check(f"{experiment}: you saw what prod answered", functools.partial(seen, experiment=experiment)),
        Check(f"{experiment}: you named the setting", functools.partial(named, experiment=experiment)),
    )


def _questions(experiment: str) -> tuple[tuple[str, str], ...]:
    key = experiment.lower()
    title = find_experiment(experiment).title
    return (
        (f"{key}_predicted", f"{experiment}, {title}. Before you run it: which status will prod answer with?"),
        (f"{key}_seen", f"{experiment}: which status did it answer with?"),
        (f"{key}_setting", f"{experiment}: which setting lets it happen?"),
    )


def _answer(key: str, value: str) -> str:
    return f"sed -i 's/^{key} = .*/{key} = {value}/' answers.toml"


def _steps(experiment: str, *, prediction: int, status: int, setting: str) -> tuple[Step, ...]:
    key = experiment.lower()
    return (
        Step(f"{experiment}: say first what you expect.", _answer(f"{key}_predicted", str(prediction))),
        Step("Make the mistake, with requests flowing to prod.", f"multistack lab run {experiment} --topology single"),
        Step("Write down what prod answered.", _answer(f"{key}_seen", str(status))),
        Step("What was typed, and why prod saw it.", f"multistack lab show {experiment}"),
        Step("Write down what let it happen.", _answer(f"{key}_setting", f'"{setting}"')),
    )


LAB = Lab(
    number=3,
    name="single-stack",
    title="Single-stack and how it breaks",
    minutes=30,
    goal="three mistakes meant for test have hurt prod, and you can name the setting behind each",
    answers=tuple(question for experiment in MISTAKES for question in _questions(experiment)),
    checks=tuple(check for experiment in MISTAKES for check in _checks(experiment)),
    hints=(
        "Write your prediction down, run the experiment, then let `multistack lab show X03` say why it went so.",
        "`multistack lab run X03 --topology single` says what prod answered. Into answers.toml go statuses as numbers, "
        "settings as words.",
        'X03 and X05 answer 200 with wrong data, which is why nobody notices. Settings: "stage variable", "environment '
        'variables", "AutoPublishAlias".',
    ),
    solution=(
        *_steps("X03", prediction=500, status=200, setting="stage variable"),
        *_steps("X05", prediction=502, status=200, setting="environment variables"),
        *_steps("X06", prediction=500, status=500, setting="AutoPublishAlias"),
    ),
)
