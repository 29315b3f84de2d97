"""What a pipeline file runs for a branch, a pull request or a tag; pure reading, nothing is run."""

from __future__ import annotations

import textwrap

import pytest

from emulator.errors import ConfigError
from emulator.pipelines.bitbucket import read_bitbucket
from emulator.pipelines.github import read_github
from emulator.pipelines.gitlab import read_gitlab
from emulator.pipelines.plan import ALWAYS, Download, Plan, Script, Step, Trigger, Upload

MAIN = Trigger(branch="main")
READERS = {"bitbucket": read_bitbucket, "github": read_github, "gitlab": read_gitlab}


def plan(system: str, text: str, trigger: Trigger = MAIN) -> Plan:
    """The plan of a file called ``ci.yml``."""
    return READERS[system](textwrap.dedent(text), "ci.yml", trigger)


def shape(found: Plan) -> dict[str, tuple[str, ...]]:
    """Steps by name, with the names of those that they need."""
    names = {step.id: step.name for step in found.steps}
    return {step.name: tuple(names[need] for need in step.needs) for step in found.steps}


def lines(step: Step) -> list[str]:
    """All lines of a step's scripts."""
    return [line for action in step.actions if isinstance(action, Script) for line in action.lines]


def bitbucket(pipeline: str, trigger: Trigger = MAIN) -> Plan:
    """A plan of a default pipeline."""
    return plan("bitbucket", f"pipelines:\n  default:\n{textwrap.indent(textwrap.dedent(pipeline), '    ')}", trigger)


SELECTION = """
    pipelines:
      default: [step: {name: default, script: [a]}]
      branches:
        main: [step: {name: main, script: [a]}]
        "release/*": [step: {name: release, script: [a]}]
        "{hot,quick}fix-**": [step: {name: fix, script: [a]}]
      pull-requests:
        "**": [step: {name: any, script: [a]}]
        feature/x: [step: {name: x, script: [a]}]
      tags:
        v*: [step: {name: tag, script: [a]}]
      custom:
        nightly: [{variables: [{name: DEEP, default: "no"}]}, {step: {name: night, script: [a]}}]
    """


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (Trigger(branch="main"), "main"),
        (Trigger(branch="release/1"), "release"),
        (Trigger(branch="release/1/x"), "default"),
        (Trigger(branch="hotfix-a/b"), "fix"),
        (Trigger(branch="other"), "default"),
        (Trigger(branch="other", target="main"), "any"),
        (Trigger(branch="feature/x", target="main"), "x"),
        (Trigger(branch="main", tag="v1"), "tag"),
        (Trigger(branch="main", tag="1"), "default"),
        (Trigger(branch="main", custom="nightly"), "night"),
    ],
    ids=lambda value: value.shown if isinstance(value, Trigger) else value,
)
def test_bitbucket_chooses_one_pipeline(trigger, expected):
    """An exact name wins over a pattern, and default is for branches and tags that nothing else is for."""
    assert [step.name for step in plan("bitbucket", SELECTION, trigger).steps] == [expected]


def test_bitbucket_without_a_pipeline_for_it_says_what_there_is():
    """A typo in --custom must not look like success."""
    with pytest.raises(ConfigError, match="no pipeline for custom nightl") as caught:
        plan("bitbucket", SELECTION, Trigger(branch="main", custom="nightl"))
    assert "custom nightly" in str(caught.value.hint)


def test_bitbucket_steps_follow_each_other_and_parallel_ones_stand_side_by_side():
    """Whatever comes after a parallel group needs all of it."""
    found = bitbucket("""
        - step: {name: a, script: [x]}
        - parallel:
            - step: {name: b, script: [x]}
            - step: {name: c, script: [x]}
        - parallel:
            steps: [step: {name: d, script: [x]}]
        - stage:
            name: release
            deployment: prod
            trigger: manual
            steps: [step: {name: e, script: [x]}, step: {name: f, script: [x]}]
        - step: {name: g, script: [x]}
        """)
    assert shape(found) == {
        "a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ("d",), "f": ("e",), "g": ("e", "f")
    }  # fmt: skip
    assert [step.name for step in found.steps if step.is_manual] == ["e"]
    assert [step.name for step in found.steps if step.environment == "prod"] == ["e", "f"]


def test_bitbucket_artifacts_reach_every_later_step():
    """They are kept after the script, and put into later steps, but for one that says no."""
    found = bitbucket("""
        - step: {script: [x], artifacts: ["dist/**"]}
        - step: {script: [x], artifacts: {download: false, paths: [b]}, after-script: [y]}
        - step: {name: last, script: [x]}
        """)
    first, second, last = (step.actions for step in found.steps)
    assert first == (Script(lines=("x",)), Upload(name="step-1", paths=("dist/**",)))
    assert second == (
        Script(lines=("x",)),
        Script(lines=("y",), condition=ALWAYS, may_fail=True),
        Upload(name="step-2", paths=("b",)),
    )
    assert last[0] == Download(names=("step-1", "step-2"))


def test_bitbucket_anchors_and_merge_keys_are_followed():
    """Steps are reused by anchors, with changes."""
    found = plan(
        "bitbucket",
        """
        definitions:
          steps:
            - step: &test {name: Test, script: [make test]}
        pipelines:
          default:
            - step: *test
            - step: {<<: *test, name: Again}
        """,
    )
    assert [(step.name, lines(step)) for step in found.steps] == [("Test", ["make test"]), ("Again", ["make test"])]


def test_what_is_not_followed_is_told_with_its_line():
    """The machine of CI is not here, and whoever reads the output must know."""
    found = plan(
        "bitbucket",
        """\
        image: python:3.12
        pipelines:
          default:
            - step:
                image: node:20
                caches: [pip]
                script: [x]
        """,
    )
    assert [note.partition(" is not used here")[0] for note in found.notes] == ["ci.yml:1: image", "ci.yml:6: caches"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pipelines: {default: [step: {script: [x], scirpt: [y]}]}", "ci.yml:1: scirpt is not understood"),
        ("pipelines:\n  default:\n    - step:\n        script: [x]\n        services: [docker]", "ci.yml:5: services"),
        ("pipelines:\n  branches:\n    dev: [step: {script: [x], condition: {}}]\n  default: [step: {script: [x]}]",
         "ci.yml:3: condition"),
        ("pipelines: {default: [step: {script: [{pipe: a/b:1}]}]}", "a pipe runs in a container"),
        ("pipelines: {default: [step: {name: x}]}", "script is missing"),
        ("pipelines: {default: [step: {script: [x], trigger: maybe}]}", "trigger must be manual or automatic"),
        ("pipelines: {default: [step: {script: [x]}], default: []}", "default stands twice"),
        ("definitions: {services: {db: {}}}\npipelines: {default: [step: {script: [x]}]}", "services is not"),
        ("pipelines: {default: {step: 1}}", "step is not understood|must be a list"),
        ("pipelines: [", "ci.yml:1: not YAML"),
        ("", "ci.yml is empty"),
        ("image: x", "pipelines are missing"),
        ("pipelines: {default: [step: {script: x}]}", "script must be a list"),
        ("pipelines: {default: [step: {script: [!run x]}]}", "!run is not understood"),
    ],
)  # fmt: skip
def test_bitbucket_refuses_what_it_does_not_understand(text, message):
    """Whatever would be skipped in silence here would run there: also in pipelines of other branches."""
    with pytest.raises(ConfigError, match=message):
        plan("bitbucket", text)


def test_all_unknown_keys_are_named_at_once():
    """Nobody mends one key per run."""
    with pytest.raises(ConfigError) as caught:
        plan(
            "bitbucket",
            "pipelines:\n  default:\n    - step: {script: [x], nam: a}\n    - step: {script: [x], oidc: true}",
        )
    assert caught.value.message == "ci.yml:3: nam is not understood, did you mean name?"
    assert list(caught.value.details) == ["ci.yml:4: oidc is not understood"]


GITHUB = """
    on: {push: {branches: ["**", "!old/**"]}, pull_request: {branches: [main]}}
    env: {A: shared}
    jobs:
      lint:
        runs-on: ubuntu-latest
        steps:
          - uses: actions/checkout@v4
          - {run: make lint, working-directory: src, shell: bash}
      build:
        if: github.event_name == 'push' && github.ref_name == 'main'
        needs: lint
        outputs: {digest: "${{ steps.it.outputs.digest }}"}
        steps: [{id: it, run: "echo digest=1 >> $GITHUB_OUTPUT"}]
      prod:
        needs: [build]
        environment: {name: prod}
        env: {B: "${{ needs.build.outputs.digest }}"}
        steps: [{run: deploy, if: "${{ always() }}", env: {C: "${{ env.A }}"}}]
    """


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (Trigger(branch="main"), {"lint": (), "build": ("lint",), "prod": ("build",)}),
        (Trigger(branch="x"), {"lint": ()}),
        (Trigger(branch="main", target="main"), {"lint": ()}),
    ],
    ids=["main", "a branch", "a pull request"],
)
def test_github_runs_jobs_whose_condition_holds(trigger, expected):
    """A job that needs one that doesn't run doesn't run either."""
    assert shape(plan("github", GITHUB, trigger)) == expected


@pytest.mark.parametrize(
    "trigger",
    [Trigger(branch="old/x"), Trigger(branch="x", target="dev"), Trigger(branch="x", tag="v1")],
    ids=["excluded branch", "another target", "a tag"],
)
def test_github_filters_what_it_runs_for(trigger):
    """Patterns with ! take back, and a filter of branches means no tags."""
    with pytest.raises(ConfigError, match="has no job for"):
        plan("github", GITHUB, trigger)


def test_github_jobs_carry_what_they_need():
    """Variables are inherited, an environment called prod is a matter for a person."""
    lint, build, prod = plan("github", GITHUB).steps
    assert lint.actions == (
        Script(lines=("make lint",), name="make lint", directory="src", is_echoed=False,
               options=("--noprofile", "--norc", "-eo", "pipefail")),
    )  # fmt: skip
    assert build.outputs == {"digest": "${{ steps.it.outputs.digest }}"}
    assert (prod.is_manual, prod.environment, prod.variables["A"]) == (True, "prod", "shared")
    assert isinstance(prod.actions[0], Script)
    assert prod.actions[0].condition == ALWAYS


def github(job: str, top: str = "on: push") -> str:
    """A workflow of one job."""
    return f"{top}\njobs:\n  a:\n{textwrap.indent(textwrap.dedent(job), '    ')}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (github("steps: [{run: x, with: {}, uses: nobody/knows@v1}]"), "action nobody/knows@v1 is not understood"),
        (github("steps: [{run: x}]\nstrategy: {matrix: {}}"), "ci.yml:5: strategy is not understood"),
        (github("steps: [{run: x}]\nservices: {}"), "services is not understood"),
        (github("steps: [{run: '${{ matrix.os }}'}]"), r"\$\{\{ matrix.os \}\} is not understood"),
        (github("steps: [{run: '${{ hashFiles(1) }}'}]"), "not understood"),
        (github("steps: [{run: x, if: cancelled()}]"), r"cancelled\(\) is not understood"),
        (github("steps: [{run: x}]\nif: needs.b.outputs.c == '1'"), "in a job's condition"),
        (github("steps: [{run: x}]\nneeds: b"), "there is no job b"),
        (github("steps: [{run: x}]\nneeds: a"), "wait for each other: a"),
        (github("steps: [{run: x, shell: pwsh}]"), "shell pwsh is not understood"),
        (github("steps: [{run: x}]", "on: [push, release]"), "event release is not understood"),
        (github("steps: [{name: x}]"), "run is missing"),
        ("jobs: {}", "on is missing"),
    ],
)
def test_github_refuses_what_it_does_not_understand(text, message):
    """A workflow that would mean something else here is not run."""
    with pytest.raises(ConfigError, match=message):
        plan("github", text)


GITLAB = """
    stages: [check, build, deploy]
    variables: {A: shared}
    before_script: [prepare]
    .hidden: {script: [never]}
    lint:
      stage: check
      script: [lint]
      rules: [{if: $CI_PIPELINE_SOURCE == "merge_request_event"}, {if: $CI_COMMIT_BRANCH}]
    unit: {stage: check, script: [unit], before_script: [], only: [main, /^rel-/, merge_requests]}
    build:
      stage: build
      script: [build]
      after_script: [clean]
      only: [main]
      artifacts: {paths: [dist/], reports: {dotenv: build.env}, expire_in: 1 week}
    prod:
      stage: deploy
      script: [deploy]
      environment: {name: production}
      rules: [{if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH, when: manual}]
    """


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (
            Trigger(branch="main"),
            {"lint": (), "unit": (), "build": ("lint", "unit"), "prod": ("lint", "unit", "build")},
        ),
        (Trigger(branch="rel-1"), {"lint": (), "unit": ()}),
        (Trigger(branch="x"), {"lint": ()}),
        (Trigger(branch="x", target="main"), {"lint": (), "unit": ()}),
    ],
    ids=["main", "a pattern", "a branch", "a merge request"],
)
def test_gitlab_runs_jobs_stage_by_stage(trigger, expected):
    """The jobs of a stage run at once, after all of the stages before."""
    assert shape(plan("gitlab", GITLAB, trigger)) == expected


def test_gitlab_jobs_carry_what_they_need():
    """before_script comes first unless a job has its own, and manual ones wait."""
    lint, unit, build, prod = plan("gitlab", GITLAB).steps
    assert (lines(lint), lines(unit), lines(build)) == (["prepare", "lint"], ["unit"], ["prepare", "build", "clean"])
    assert (build.dotenv, build.actions[-1]) == (("build.env",), Upload(name="build", paths=("dist/",)))
    assert (prod.is_manual, prod.environment, prod.variables) == (True, "production", {"A": "shared"})
    assert prod.actions[0] == Download(names=("lint", "unit", "build"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {script: [x], retry: 2}", "ci.yml:1: retry is not understood"),
        ("include: other.yml\na: {script: [x]}", "ci.yml:1: include is not understood"),
        ("a: {script: [x], extends: .b}", "extends is not understood"),
        ("a: {stage: nope, script: [x]}", "stage nope is not one of build, test, deploy"),
        ("a: {script: [x], rules: [{if: $A ==}]}", "is not understood"),
        ("a: {script: [x], rules: [{changes: [y]}]}", "changes is not understood"),
        ("a: {script: [x], when: delayed}", "when delayed is not understood"),
        ("a: {script: [x], needs: [b]}", "there is no job b before this one"),
        ("a: {stage: test}", "script is missing"),
        ("a: {script: [x], only: [main], rules: []}", "can't stand together"),
        ("a: {script: [!reference [b, script]]}", "!reference is not understood"),
    ],
)
def test_gitlab_refuses_what_it_does_not_understand(text, message):
    """Whatever would be skipped in silence here would run there."""
    with pytest.raises(ConfigError, match=message):
        plan("gitlab", text)


def test_a_hostile_file_is_an_error_and_no_crash():
    """Aliases that multiply and deep nesting end in a message."""
    with pytest.raises(ConfigError):
        plan("bitbucket", "[" * 5000)
    with pytest.raises(ConfigError):
        plan("bitbucket", "a: &a [x]\npipelines: *a")
