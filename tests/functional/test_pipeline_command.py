"""``multistack pipeline``: files as CI systems have them, run by the installed command in a git repository."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SAMPLE, ProjectFolder, copy_sample
from tests.functional.tiny import refused, tiny_project, write

PROJECT = """
service = "shop"
[environments.test]
[environments.prod]
protected = true
"""
FAKE = """#!/bin/bash
echo "$(basename "$PWD") $*" >> "$CALLS"
case $1 in build) echo d1gest;; create) echo feature-login;; esac
"""
BITBUCKET = """
image: python:3.12
pipelines:
  default:
    - step:
        name: One
        script:
          - echo "$CI $BITBUCKET_BRANCH $BITBUCKET_COMMIT"
          - mkdir -p dist/deep && echo built > dist/deep/file && echo lost > other
        artifacts: ["dist/**"]
    - step:
        name: Two
        deployment: test
        script:
          - cat dist/deep/file; ls other || echo "no other"
          - echo "to $BITBUCKET_DEPLOYMENT_ENVIRONMENT"
        after-script: [echo "ended with $BITBUCKET_EXIT_CODE"]
"""


def git(folder: Path, *arguments: str) -> str:
    """Git, as somebody."""
    known = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *known, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(project: ProjectFolder) -> str:
    """Commit everything."""
    git(project.folder, "add", "--all")
    git(project.folder, "commit", "--quiet", "--message", "x")
    return git(project.folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[ProjectFolder]:
    """A repository with a project in it, and a folder for temporary files that must be empty afterwards."""
    for name in ("home", "tmp", "repo"):
        (tmp_path / name).mkdir()
    project = ProjectFolder(tmp_path / "repo", tmp_path / "home", environ={"TMPDIR": str(tmp_path / "tmp")})
    git(project.folder, "init", "--quiet")
    write(project, "multistack.toml", PROJECT)
    write(project, "template.yaml", "Resources: {Q: {Type: AWS::SQS::Queue}}\n")
    write(project, ".gitignore", "*.log\n.env.*\n")
    yield project
    assert list((tmp_path / "tmp").iterdir()) == []
    assert project.processes() == []


def pipeline(project: ProjectFolder, text: str, *arguments: str, name: str = "bitbucket-pipelines.yml", **given):
    """Write, commit and run a pipeline file."""
    write(project, name, text)
    commit(project)
    return project.run("pipeline", "run", *arguments, **given)


def default(*lines: str, more: str = "") -> str:
    """A Bitbucket pipeline of one step."""
    script = "\n".join(f"          - {json.dumps(line)}" for line in lines)
    return f"pipelines:\n  default:\n    - step:\n        name: Only\n        script:\n{script}\n{more}"


def test_each_step_runs_in_a_clean_copy_with_what_was_kept_before(repository):
    """Only artifacts go from step to step, and nothing comes into the user's work tree."""
    done = pipeline(repository, BITBUCKET)
    head = git(repository.folder, "rev-parse", "HEAD")
    printed = [line for line in done.stdout.splitlines() if not line.startswith("+ ")]
    assert printed == [f"true main {head}", "built", "ls: cannot access 'other': No such file or directory",
                       "no other", "to test", "ended with 0"]  # fmt: skip
    told = [line.partition(" (")[0] for line in done.stderr.splitlines()]
    assert told == ["note: bitbucket-pipelines.yml:2: image is not used here: steps run on this machine, with its "
                    "programs", "One: started", "One: passed", "Two: started", "Two: passed"]  # fmt: skip
    assert git(repository.folder, "status", "--porcelain") == ""


def test_a_copy_is_what_a_commit_of_the_work_tree_would_be(repository):
    """Edited, new and removed files are as they are now, ignored ones are not there, values of environments are."""
    write(repository, "gone", "x")
    write(repository, "edited", "old")
    write(
        repository,
        "bitbucket-pipelines.yml",
        default("ls -A", "cat edited", "git status --porcelain | sort", "git branch --show-current"),
    )
    commit(repository)
    (repository.folder / "gone").unlink()
    write(repository, "edited", "new\n")
    write(repository, "deep/fresh", "x")
    write(repository, "x.log", "x")
    write(repository, ".env.test", "A=1")
    done = repository.run("pipeline", "run", "--branch", "feature/x")
    printed = [line for line in done.stdout.splitlines() if not line.startswith("+ ")]
    assert printed == [".env.test", ".git", ".gitignore", ".multistack", "bitbucket-pipelines.yml", "deep", "edited",
                       "multistack.toml", "template.yaml", "new", " D gone", " M edited", "?? deep/",
                       "feature/x"]  # fmt: skip
    assert "note: 3 changed files are not committed: steps see them, and CI would not" in done.stderr


def test_a_failing_line_ends_step_and_pipeline(repository):
    """The line and its code are told, the end is tidied up, the rest is skipped, the exit code is 1."""
    text = """
        pipelines:
          default:
            - step:
                name: Fails
                script: ["echo a", "(exit 3)", "echo b"]
                after-script: ["echo tidy $BITBUCKET_EXIT_CODE"]
            - step: {name: Later, script: ["echo c"]}
        """
    done = pipeline(repository, text, check=False)
    assert done.returncode == 1
    assert [line for line in done.stdout.splitlines() if not line.startswith("+ ")] == ["a", "tidy 3"]
    lines = done.stderr.splitlines()
    assert lines[1].startswith("Fails: failed, `(exit 3)` ended with 3 (")
    assert lines[2:] == ["Later: skipped, after Fails", "error: step Fails failed: `(exit 3)` ended with 3"]


MANUAL = """
pipelines:
  default:
    - step: {name: First, script: ["echo one"]}
    - step: {name: Ask, trigger: manual, script: ["echo two"]}
    - step: {name: Last, script: ["echo three"]}
"""


def test_a_manual_step_waits_where_nobody_can_be_asked(repository):
    """That is how far a pipeline goes on its own: exit code 0, and it says what waits."""
    done = pipeline(repository, MANUAL)
    assert done.stdout.splitlines() == ["+ echo one", "one"]
    assert done.stderr.splitlines()[2:] == [
        "Ask: waiting, for --yes", "Last: waiting, after Ask", "Ask waits for you: run it with --yes"
    ]  # fmt: skip


def test_yes_starts_manual_steps(repository):
    """Whoever types it means it."""
    assert pipeline(repository, MANUAL, "--yes").stdout.splitlines()[1::2] == ["one", "two", "three"]


@pytest.mark.parametrize(("answer", "expected"), [("y", True), ("n", False)])
def test_a_manual_step_asks_on_a_terminal(repository, answer, expected):
    """Yes starts it, no leaves it waiting; both are fine."""
    write(repository, "bitbucket-pipelines.yml", MANUAL)
    commit(repository)
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    with subprocess.Popen(
        ["multistack", "pipeline", "run"],
        cwd=repository.folder,
        env=repository.command_environ(),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        printed, told = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0
    assert "Start Ask?" in told
    assert ("two" in printed) is expected


def test_parallel_steps_run_at_once_and_are_labelled(repository):
    """Each waits for the other here; whose line it is can be read."""
    waiting = 'touch "$MEET/{own}"; until [ -e "$MEET/{other}" ]; do sleep 0.05; done; echo {own}'
    text = f"""
        pipelines:
          default:
            - parallel:
                - step: {{name: Left, script: ['{waiting.format(own="l", other="r")}']}}
                - step: {{name: Right, script: ['{waiting.format(own="r", other="l")}']}}
        """
    meet = repository.home / "meet"
    meet.mkdir()
    done = pipeline(repository, text, env={"MEET": str(meet)})
    assert {line for line in done.stdout.splitlines() if "+ " not in line} == {"Left   l", "Right  r"}


def test_in_a_git_hook_it_works_on_its_copies(repository):
    """git tells its hooks of the user's repository: index and branches of that stay as they are."""
    write(repository, "bitbucket-pipelines.yml", default("git branch --show-current"))
    commit(repository)
    write(repository, "staged", "x")
    git(repository.folder, "add", "staged")
    environ = {"GIT_DIR": str(repository.folder / ".git"), "GIT_INDEX_FILE": str(repository.folder / ".git" / "index")}
    done = repository.run("pipeline", "run", "--branch", "other", env=environ)
    assert done.stdout.splitlines()[-1] == "other"
    assert git(repository.folder, "branch", "--list", "other") == ""
    assert git(repository.folder, "status", "--porcelain") == "A  staged"


@pytest.mark.parametrize("branch", ["feature/\u00fcber-\u65e5\u672c", "x" * 200, "prod", "a.b_c@d"])
def test_any_branch_that_git_takes(repository, branch):
    """Slashes, other alphabets, length: the step is on that branch."""
    done = pipeline(repository, default('[ "$(git branch --show-current)" = "$BITBUCKET_BRANCH" ]'), "--branch", branch)
    assert done.returncode == 0


def test_one_step_alone(repository):
    """Whoever mends a step runs just that one."""
    assert pipeline(repository, MANUAL, "--step", "Last").stdout.splitlines() == ["+ echo three", "three"]


def test_result_as_json(repository):
    """Stdout is the result alone."""
    done = pipeline(repository, MANUAL, "--json")
    found = json.loads(done.stdout)
    assert (found["system"], found["trigger"]["branch"]) == ("bitbucket", "main")
    assert [(one["step"], one["ending"], one["line"]) for one in found["steps"]] == [
        ("First", "passed", 4), ("Ask", "waiting", 5), ("Last", "waiting", 6)
    ]  # fmt: skip
    assert "one" in done.stderr


def test_a_file_that_is_not_understood_is_refused(repository):
    """With its line, and before anything runs."""
    write(repository, "bitbucket-pipelines.yml", default("touch ran", more="        oidc: true\n"))
    commit(repository)
    told = refused(repository, "pipeline", "run", code=2)
    assert "error: bitbucket-pipelines.yml:7: oidc is not understood" in told
    assert "started" not in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--file", "nothing-there.yml"], "its name does not say which CI system"),
        (["--file", "bitbucket-pipelines.yml"], "can't be read: No such file"),
        ([], "no pipeline file in"),
        (["--branch", "a..b"], "can't be the name of a branch"),
        (["--branch", "--upload-pack=x"], "can't be the name of a branch"),
        (["--tag", "v1", "--pull-request"], "Give one of"),
    ],
)
def test_what_cannot_be_run_is_refused(repository, arguments, message):
    """Nothing starts on a guess."""
    commit(repository)
    done = repository.run("pipeline", "run", *arguments, check=False)
    assert done.returncode == 2
    assert message in done.stderr


def test_it_needs_a_repository_with_a_commit(repository, tmp_path):
    """A pipeline runs for a branch."""
    assert "has no commit yet" in refused(repository, "pipeline", "run", code=2)
    (tmp_path / "plain").mkdir()
    plain = ProjectFolder(tmp_path / "plain", repository.home)
    assert "is in no git repository" in refused(plain, "pipeline", "run", code=2)


def test_a_step_sees_nothing_of_real_aws_or_of_another_project_and_secrets_do_not_show(repository):
    """A live key never leaks, not even into a script of one's own."""
    text = default(
        'echo "[$AWS_SECRET_ACCESS_KEY$AWS_PROFILE] $AWS_CONFIG_FILE $AWS_SHARED_CREDENTIALS_FILE"',
        'echo "[$MULTISTACK_FILE$MULTISTACK_ENVIRONMENT$GITHUB_REF]"',
        'echo "$DB_PASSWORD"',
    )
    environ = {
        "AWS_SECRET_ACCESS_KEY": "live",
        "AWS_PROFILE": "live",
        "MULTISTACK_ENVIRONMENT": "prod",
        "GITHUB_REF": "x",
        "DB_PASSWORD": "hunter2",
    }
    done = pipeline(repository, text, env=environ)
    assert done.stdout.splitlines()[1::2] == ["[] /dev/null /dev/null", "[]", "$DB_PASSWORD"]
    assert "hunter2" not in done.stdout + done.stderr


def test_ctrl_c_ends_all_that_steps_started(repository):
    """Nothing goes on behind the user's back, and no copy stays."""
    mark = repository.home / "pid"
    write(repository, "bitbucket-pipelines.yml", default(f"sleep 600 & echo $! > {mark}; wait"))
    commit(repository)
    process = repository.start("pipeline", "run")
    deadline = time.monotonic() + 60
    while not (mark.exists() and mark.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130, told
    assert (
        not Path(f"/proc/{int(mark.read_text())}").exists()
        or "Z" in Path(f"/proc/{int(mark.read_text())}/stat").read_text()
    )


def test_github_jobs_hand_on_outputs_variables_and_files(repository):
    """What one job says another one reads; a failed step leaves only those that run always."""
    text = """
        on: push
        env: {SHARED: s}
        jobs:
          one:
            runs-on: ubuntu-latest
            outputs: {word: "${{ steps.say.outputs.word }}"}
            steps:
              - uses: actions/checkout@v4
              - id: say
                run: |
                  echo "word=hello $SHARED" >> "$GITHUB_OUTPUT"
                  echo "LATER=l8r" >> "$GITHUB_ENV"
                  mkdir -p out && echo kept > out/file
              - run: echo "$LATER ${{ env.LATER }} ${{ env.SHARED }} $GITHUB_REF_NAME"
              - uses: actions/upload-artifact@v4
                with: {name: files, path: out}
          two:
            needs: one
            runs-on: ubuntu-latest
            env: {WORD: "${{ needs.one.outputs.word }}"}
            steps:
              - uses: actions/download-artifact@v4
                with: {name: files, path: in}
              - {run: "echo \\"$WORD $(cat in/file) ${{ secrets.PLAIN }}\\"", working-directory: in}
              - {name: Fail, run: exit 4}
              - {run: echo never}
              - {if: always(), run: echo always}
        """
    text = text.replace("cat in/file", "cat file")
    path = ".github/workflows/ci.yml"
    done = pipeline(repository, text, "--file", path, name=path, check=False, env={"PLAIN": "value"})
    assert done.returncode == 1, done.stderr
    printed = [line for line in done.stdout.splitlines() if not line.startswith("# ")]
    assert printed == ["l8r l8r s main", "hello s kept $PLAIN", "always"]
    assert "error: step two failed: `Fail` ended with 4" in done.stderr


def test_gitlab_jobs_hand_on_variables_and_files(repository):
    """A report of variables reaches the jobs of later stages."""
    text = """
        stages: [build, deploy]
        build:
          stage: build
          script: ["echo DIGEST=abc > build.env", "mkdir d", "echo f > d/f"]
          artifacts: {paths: [d/], reports: {dotenv: build.env}}
        deploy:
          stage: deploy
          environment: test
          script: ["echo $DIGEST $(cat d/f) $CI_ENVIRONMENT_NAME $CI_COMMIT_BRANCH", "false | true"]
        """
    done = pipeline(repository, text, name=".gitlab-ci.yml", check=False)
    assert "abc f test main" in done.stdout.splitlines()
    assert "deploy: failed, `false | true` ended with 1" in done.stderr


@pytest.fixture
def sample(repository: ProjectFolder, tmp_path: Path) -> ProjectFolder:
    """The sample service below the root of the repository, and a ``multistack`` for steps that only notes its calls."""
    copy_sample(repository.folder / "service")
    (repository.folder / "multistack.toml").unlink()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "multistack").write_text(FAKE)
    (tmp_path / "bin" / "multistack").chmod(0o755)
    return repository


SYSTEMS = {
    "bitbucket": "bitbucket-pipelines.yml",
    "github": ".github/workflows/multistack.yml",
    "gitlab": ".gitlab-ci.yml",
}
TO_PROD = [
    "lint", "build", "up --no-deploy test", "deploy test --artifact d1gest --verify", "up --no-deploy staging",
    "promote staging", "up --no-deploy prod",
    "approve prod --digest d1gest --by USER", "promote prod",
]  # fmt: skip
FEATURE = [
    "lint", "build", "create --from-branch feature/login --like test --ttl 2h --release d1gest", "verify feature-login",
    "destroy feature-login",
]  # fmt: skip


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--branch", "main", "--yes"], TO_PROD),
        (["--branch", "main"], TO_PROD[:6]),
        (["--branch", "feature/login"], FEATURE),
        (["--branch", "feature/login", "--pull-request"], FEATURE),
    ],
    ids=["to prod", "to staging", "a branch", "a pull request"],
)
def test_the_shipped_file_makes_these_calls(sample, tmp_path, system, arguments, expected):
    """Lint and an environment of its own for a branch; build once, test, staging, and prod by hand for main."""
    service = ProjectFolder(sample.folder / "service", sample.home, environ=sample.environ)
    written = service.run("pipeline", "init", system).stdout
    assert str(sample.folder / SYSTEMS[system]) in written
    commit(sample)
    calls = tmp_path / "calls"
    environ = {"CALLS": str(calls), "PATH": f"{tmp_path / 'bin'}:{sample.command_environ()['PATH']}"}
    done = sample.run("pipeline", "run", *arguments, env=environ)
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    assert calls.read_text().splitlines() == [f"service {call.replace('USER', user)}" for call in expected], done.stderr


def test_init_overwrites_nothing_unless_forced(sample):
    """A file that somebody edited is theirs."""
    service = ProjectFolder(sample.folder / "service", sample.home)
    write(sample, "bitbucket-pipelines.yml", "mine")
    assert "already exists" in refused(service, "pipeline", "init", "bitbucket", code=2)
    service.run("pipeline", "init", "bitbucket", "--force")
    assert "cd service/" in (sample.folder / "bitbucket-pipelines.yml").read_text()


def test_environments_started_by_a_step_are_the_users_own(tmp_path):
    """A copy of the project works on the same environments, and leaves them running where they belong."""
    with tiny_project(tmp_path) as project:
        git(project.folder, "init", "--quiet")
        text = default("multistack up test", "multistack status test")
        first = pipeline(project, text, timeout=180)
        assert "ready" in first.stdout
        row = project.status()["test"]
        assert (row["status"], bool(row["release"])) == ("ready", True)
        pids = sorted(project.processes())
        again = project.run("pipeline", "run")
        assert "nothing to do" in again.stdout + again.stderr
        assert sorted(project.processes()) == pids


def test_lint_finds_nothing_in_the_sample(repository: ProjectFolder):
    """The sample is what lint asks for, single-stack included."""
    copy_sample(repository.folder)
    assert repository.run("lint").stdout == ""
    assert repository.run("lint", "src", "single-stack.yaml").stdout == ""
    assert SAMPLE.is_dir()


def test_lint_tells_file_line_rule_and_what_to_do(repository: ProjectFolder):
    """One line each, as editors and people read them; exit code 7 is no error."""
    copy_sample(repository.folder)
    write(repository, "src/extra.py", "import os\n\nRETRIES = 3 if os.environ['ENVIRONMENT'] == 'prod' else 1\n")
    done = repository.run("lint", check=False)
    assert (done.returncode, done.stderr) == (7, "1 found\n")
    assert done.stdout == (
        "src/extra.py:3: environment-branch: branches on the environment: os.environ['ENVIRONMENT'] against prod; "
        "declare a config key, give each environment its value, and read that\n"
    )
    (found,) = json.loads(repository.run("lint", "--json", "src/extra.py", check=False).stdout)
    assert (found["file"], found["line"], found["rule"]) == ("src/extra.py", 3, "environment-branch")
    assert "does not exist" in refused(repository, "lint", "nowhere", code=2)
