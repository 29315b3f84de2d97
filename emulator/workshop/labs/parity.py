"""Lab 7: somebody changed staging by hand; drift names what, and a repair takes it back."""

from __future__ import annotations

from emulator.comparison.drift import find_drift
from emulator.endpoint import answering, client
from emulator.model import Kind
from emulator.workshop.lab import Check, Lab, Step
from emulator.workshop.scene import Scene, one_digest, ready

_RESOURCE, _PROPERTY = "DiscountPercentParameter", "Value"
_BY_HAND = (
    "multistack exec staging -- aws ssm put-parameter --overwrite --name /orders-staging/DiscountPercent --value 90"
)


def was_edited(scene: Scene) -> str | None:
    """Somebody wrote the parameter: what a stack makes is its first version."""
    endpoint = scene.workspace.endpoint("staging")
    name = f"/{scene.workspace.project.stack_name('staging')}/DiscountPercent"
    with answering(endpoint):
        found = client(endpoint, "ssm").get_parameter(Name=name)["Parameter"]
    return None if found["Version"] > 1 else f"nobody edited staging yet: `{_BY_HAND}`"


def named_resource(scene: Scene) -> str | None:
    """The learner read what drift says."""
    return _named(scene, "resource", _RESOURCE)


def named_property(scene: Scene) -> str | None:
    """And of what exactly."""
    return _named(scene, "property", _PROPERTY)


def _named(scene: Scene, key: str, right: str) -> str | None:
    if problem := scene.answers.problem(key):
        return f"{problem}; once staging was changed by hand, `multistack drift staging` shows it"
    if scene.answers.answer(key) == right.lower():
        return None
    return f"answers.toml: {key} is another one; look again at what `multistack drift staging` shows after the edit"


def was_repaired(scene: Scene) -> str | None:
    """Staging was brought back by a deployment, which the ledger knows."""
    kinds = [one.cause.kind for one in scene.past("staging")]
    if len(kinds) > 1 and kinds[-1] in {Kind.DEPLOY, Kind.REDEPLOY, Kind.PROMOTE}:
        return None
    return "staging was not brought back yet: edit it by hand, find the drift, then `multistack drift staging --repair`"


def no_drift(scene: Scene) -> str | None:
    """What stands is what was deployed."""
    workspace = scene.workspace
    for name, current in scene.current().items():
        found = find_drift(workspace.endpoint(name), workspace.project.stack_name(name), current).differences
        if found:
            where = ".".join(part for part in (found[0].resource, found[0].property) if part)
            return f"{name} drifts: {where}; `multistack drift {name} --repair`"
    return None


LAB = Lab(
    number=7,
    name="drift",
    title="Drift and parity",
    minutes=20,
    goal="a hand edit in staging is found, named and taken back",
    answers=(
        ("resource", "Which resource did `multistack drift staging` name after the edit by hand?"),
        ("property", "Which property of it?"),
    ),
    checks=(
        Check("test, staging and prod run", ready),
        Check("the discount of staging was edited by hand", was_edited),
        Check("you named the resource that was changed", named_resource),
        Check("you named its property", named_property),
        Check("staging was brought back", was_repaired),
        Check("nothing drifts any more", no_drift),
        Check("one digest: the environments are in parity", one_digest),
    ),
    hints=(
        "`multistack drift` compares what stands in an environment with what was deployed into it.",
        "Edit staging by hand first. `multistack drift staging` shows resource and property; write both into "
        "answers.toml, then `multistack drift staging --repair`.",
        f"{_BY_HAND}; multistack drift staging; in answers.toml `resource` is a …Parameter, `property` what it holds",
    ),
    solution=(
        Step("Start with the same release everywhere.", "multistack up"),
        Step("Nothing drifts yet.", "multistack drift"),
        Step("Somebody in a hurry gives all of staging 90 percent off.", _BY_HAND),
        Step("Drift names the resource and the property.", "multistack drift staging", code=7),
        Step(
            "Write down which.",
            f"""printf 'resource = "%s"\\nproperty = "%s"\\n' {_RESOURCE} {_PROPERTY} > answers.toml""",
        ),
        Step("Put it back, without touching data.", "multistack drift staging --repair"),
        Step("The environments are in parity.", "multistack parity"),
    ),
)
