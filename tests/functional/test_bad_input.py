"""Whatever is wrong: one clear line, the documented exit code, nothing half done, what runs keeps running."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from emulator.artifact import ArtifactStore, bucket_of
from emulator.building import build
from emulator.config import load_project
from emulator.deploy import Deployer
from emulator.deployed_code import WrongCode, verify_code
from emulator.endpoint import client
from emulator.errors import DeployError
from emulator.history import History
from emulator.model import Artifact, Endpoint, Outcome
from emulator.release import make_release
from emulator.stack import describe
from emulator.vault import Vault
from tests.conftest import REPOSITORY, ProjectFolder
from tests.drivers import is_embedded
from tests.functional.tiny import PROJECT, SAM, TEMPLATE, get, refused, source, tiny_project, write, write_service

CONFIG, ERROR, NOT_READY, DEPLOY, ARTIFACT = 2, 1, 3, 4, 5
_NOWHERE = {"PIP_NO_INDEX": "1", "PIP_INDEX_URL": "http://127.0.0.1:1/", "PIP_FIND_LINKS": ""}


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """A project in which nothing may ever start."""
    with tiny_project(tmp_path_factory.mktemp("idle")) as project:
        yield project


@pytest.fixture(scope="module")
def _up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ProjectFolder, dict[str, Any]]]:
    with tiny_project(tmp_path_factory.mktemp("running")) as project:
        project.run("up", "test")
        yield project, project.status()["test"]


@pytest.fixture
def running(_up: tuple[ProjectFolder, dict[str, Any]]) -> Iterator[ProjectFolder]:
    """A project whose environment runs a release, which must be untouched by whatever is refused."""
    project, before = _up
    yield project
    shutil.rmtree(project.folder / "src")
    write_service(project)
    assert project.status()["test"] == before
    assert get(project).body == b"one"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "multistack.toml is empty", id="empty"),
        pytest.param(b"\x00\x01\x02", "multistack.toml:1: ", id="binary"),
        pytest.param('service = "é"'.encode("latin-1"), "not text in UTF-8", id="not UTF-8"),
        pytest.param(b'service = "tiny"\nenvironments = "test"\n', "environments must be a table", id="wrong type"),
        pytest.param(PROJECT.encode() + b"colour = 1\n", "unknown key environments.test.colour", id="unknown key"),
        pytest.param(b'service = "a"\nservice = "b"\n[environments.a]', "set a second time", id="duplicate key"),
        pytest.param(PROJECT.encode() + b"[environments.test]\n", "declared a second time", id="duplicate table"),
        pytest.param(b'service = "a"\n[environments._x]\n', "paths under /_ are the proxy's own", id="proxy path"),
        pytest.param(b'service = "a"\n[environments."a.b"]\n', "must be 1 to 30 of", id="no DNS label"),
        pytest.param(b'service = "a"\n[environments.localhost]\n', "is reserved", id="reserved"),
        pytest.param(PROJECT.encode().replace(b"111111111111", b"11111111111"), "12 digits", id="11 digits"),
        pytest.param(
            PROJECT.encode() + b'[environments.b]\naccount_id = "111111111111"\n', "the account of test", id="clash"
        ),
    ],
)
def test_a_wrong_project_file_is_refused_before_anything_starts(idle: ProjectFolder, content: bytes, said: str) -> None:
    """The line names file and problem."""
    write(idle, "multistack.toml", content)
    assert said in refused(idle, "up", code=CONFIG)
    assert not (idle.folder / ".multistack").exists()


def test_a_missing_project_file_is_refused(idle: ProjectFolder) -> None:
    """The next step is to make one."""
    assert "hint: run `multistack init`" in refused(idle, "--file", "nowhere.toml", "up", code=CONFIG)


@pytest.mark.parametrize("command", ["up", "down", "status", "deploy", "reset"])
def test_a_file_in_the_way_of_the_state_folder_is_named(tmp_path: Path, command: str) -> None:
    """State that can't be written is an error of one line, for commands that only read it too."""
    with tiny_project(tmp_path) as project:
        write(project, ".multistack", "in the way")
        assert ".multistack" in refused(project, command, code=ERROR)
        (project.folder / ".multistack").unlink()


def test_only_what_is_to_be_started_can_be_first(tmp_path: Path) -> None:
    """Nothing starts that wasn't named."""
    with tiny_project(tmp_path) as project:
        write(project, "multistack.toml", PROJECT + '[environments.prod]\naccount_id = "333333333333"\n')
        done = project.run("up", "test", "--first", "prod", check=False)
        assert (done.returncode, done.stderr.splitlines()[-1]) == (
            CONFIG,
            "Error: --first prod: only test is to be started",
        )
        assert {row["status"] for row in project.status().values()} == {"stopped"}


_FUNCTION = "{Type: AWS::Serverless::Function, Properties: {Runtime: python3.12, Handler: app.handler, CodeUri: src/}}"
_QUEUE = "Resources:\n  A: {Type: AWS::SQS::Queue}\n"


@pytest.mark.parametrize(
    ("template", "code", "said"),
    [
        pytest.param(None, CONFIG, "does not exist", id="missing"),
        pytest.param(b"", CONFIG, "has no resources", id="empty"),
        pytest.param(b"[a]", CONFIG, "has no resources", id="a list"),
        pytest.param(b"Resources:\n\tA: b", CONFIG, "is not YAML: found character", id="not YAML"),
        pytest.param(b"\x00\x01\xff", CONFIG, "is not UTF-8", id="binary"),
        pytest.param(b"Resources: {}", CONFIG, "has no resources", id="no resources"),
        pytest.param(b"Resources: [a]", CONFIG, "Resources is not a mapping", id="resources of wrong shape"),
        pytest.param(b"Resources: {A: b}", CONFIG, "resource A is not a mapping", id="resource of wrong shape"),
        pytest.param(b"Resources: {A: {}}", CONFIG, "resource A has no Type", id="no type"),
        pytest.param(_QUEUE.encode() * 2, CONFIG, "Resources stands twice (line 3", id="duplicate key"),
        pytest.param(f"Parameters: [a]\n{_QUEUE}", CONFIG, "Parameters is not a mapping", id="parameters"),
        pytest.param(f"Globals: a\n{_QUEUE}", CONFIG, "Globals is not a mapping", id="globals"),
        pytest.param(f"Outputs: {{A: b}}\n{_QUEUE}", CONFIG, "output A is not a mapping", id="output"),
        pytest.param(
            "Resources:\n  Fn::ForEach::A: [N, [a], {}]", CONFIG, "requires the transform AWS::LanguageExt", id="loop"
        ),
        pytest.param(TEMPLATE.replace("src/", "nowhere/"), CONFIG, "the code of Web is missing", id="no code"),
        pytest.param(TEMPLATE.replace("app.handler", "app"), CONFIG, "not <module>.<function>: app", id="no function"),
        pytest.param(
            TEMPLATE.replace("app.handler", "nope.f"), CONFIG, "handler nope.f of Web is missing", id="module"
        ),
        pytest.param(
            TEMPLATE.replace("python3.12", "nodejs22.x"),
            CONFIG,
            "handler app.handler of Web is missing",
            id="Node module",
        ),
        pytest.param(TEMPLATE + "Parameters: {Size: {Type: String}}", CONFIG, "Size has no value", id="no value"),
        pytest.param(
            "Resources:\n  A: {Type: AWS::SQS::Queue, DependsOn: B}\n  B: {Type: AWS::SQS::Queue, DependsOn: A}\n",
            DEPLOY,
            "in a circle: A -> B -> A",
            id="circle",
        ),
        pytest.param(
            "Resources:\n  A: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref Nope}}\n",
            DEPLOY,
            "A refers to Nope",
            id="unresolved",
        ),
        pytest.param(
            "Resources:\n  A: {Type: AWS::SQS::Queue, Properties: {QueueName: !Nope a}}\n",
            DEPLOY,
            "A uses Fn::Nope",
            id="unknown tag",
        ),
        pytest.param(
            TEMPLATE.replace("CodeUri", "Nope: 1\n      CodeUri"), DEPLOY, "SAM refuses the template", id="SAM"
        ),
        pytest.param(
            "Resources:\n  A: {Type: AWS::Foo::Bar}\n",
            DEPLOY,
            "A (AWS::Foo::Bar): the emulator does not know it; closest: ",
            id="type",
        ),
    ],
)
def test_a_wrong_template_is_refused(
    running: ProjectFolder, template: str | bytes | None, code: int, said: str
) -> None:
    """The line says what is wrong and where; the running release is not touched."""
    if template is None:
        (running.folder / "template.yaml").unlink()
    else:
        write(running, "template.yaml", template)
    assert said in refused(running, "deploy", code=code)


@pytest.mark.parametrize(
    ("parameter", "config", "code", "said"),
    [
        pytest.param("", "Size = 'x'", CONFIG, "Size is not a parameter of template.yaml", id="no parameter"),
        pytest.param("AllowedValues: [s, m]", "Size = 'x'", DEPLOY, "AllowedValues", id="values"),
        pytest.param("AllowedPattern: '[0-9]+'", "Size = 'x'", DEPLOY, "must match pattern [0-9]+", id="pattern"),
    ],
)
def test_config_that_the_template_refuses_is_named(
    running: ProjectFolder, parameter: str, config: str, code: int, said: str
) -> None:
    """Key and reason, before anything changes."""
    write(running, "multistack.toml", f"{PROJECT}[environments.test.config]\n{config}\n")
    if parameter:
        write(running, "template.yaml", f"{TEMPLATE}Parameters: {{Size: {{Type: String, {parameter}}}}}")
    assert said in refused(running, "deploy", code=code)


@pytest.mark.parametrize(
    ("requirements", "said"),
    [
        pytest.param("six==99.99.99\n", "six==99.99.99", id="no such version"),
        pytest.param("!!!\n", "Invalid requirement: '!!!'", id="syntax"),
        pytest.param(b"\xff\x00six", "requirements.txt", id="binary"),
    ],
)
def test_requirements_that_cannot_be_installed_are_named(
    running: ProjectFolder, requirements: str | bytes, said: str
) -> None:
    """Building ends with the requirement that is wrong."""
    write(running, "src/requirements.txt", requirements)
    text = refused(running, "deploy", code=ARTIFACT, env=_NOWHERE)
    assert said in text
    assert "old script wrapper" not in text


def test_an_api_that_the_template_does_not_have_is_refused(running: ProjectFolder) -> None:
    """The hint tells those it has."""
    write(running, "multistack.toml", f'api = "Nope"\n{PROJECT}')
    text = refused(running, "deploy", code=CONFIG)
    assert 'api = "Nope" is no API of template.yaml' in text
    assert "hint: its APIs: ServerlessRestApi" in text


def test_an_unreachable_environment_is_refused(idle: ProjectFolder) -> None:
    """Deploying starts nothing."""
    write_service(idle)
    assert "hint: multistack up test" in refused(idle, "deploy", code=NOT_READY)


# What can't be made, for each emulator takes something that AWS refuses: an attachment to nothing, an alias of nothing.
_BROKEN, _PROPERTIES = (
    ("AWS::SecretsManager::SecretTargetAttachment", "{}")
    if is_embedded()
    else ("AWS::Lambda::Alias", "{FunctionName: nobody, FunctionVersion: '1', Name: live}")
)
TWO_MORE = f"""\
  First: {{Type: AWS::SQS::Queue}}
  Broken: {{Type: {_BROKEN}, DependsOn: First, Properties: {_PROPERTIES}}}
"""


def test_a_failed_deployment_leaves_the_release_before_it(tmp_path: Path) -> None:
    """A failed first one leaves nothing, a failed update the old release; the next good one works."""
    with tiny_project(tmp_path) as project:
        write(project, "template.yaml", TEMPLATE + TWO_MORE)
        first = refused(project, "up", "test", code=DEPLOY)
        assert "ended in ROLLBACK_COMPLETE" in first
        assert f"Broken ({_BROKEN}): " in first
        assert project.status()["test"]["release"] is None
        assert "ended in ROLLBACK_COMPLETE" in project.status()["test"]["failed"]
        shown = project.run("status", "test").stdout
        assert shown.splitlines()[1].split()[:4] == ["test", "ready", "embedded", "failed"]
        assert "test: the last deployment failed, and nothing is deployed: stack tiny-test ended in" in shown
        assert "run `multistack deploy test`" in shown

        write_service(project)
        project.run("deploy")
        before = project.status()["test"]
        write(project, "src/app.py", source("'two'"))
        write(project, "template.yaml", TEMPLATE + TWO_MORE)
        update = refused(project, "deploy", code=DEPLOY)
        assert "ended in UPDATE_ROLLBACK_COMPLETE" in update
        assert "the release before it is still served" in update
        after = project.status()["test"]
        assert (after.pop("failed") != "", before.pop("failed")) == (True, "")
        assert after == before
        assert f"test: the last deployment failed, and {before['release']} serves on: " in project.run("status").stdout
        assert get(project).body == b"one"
        assert "nothing to do" in project.run("up", "test").stderr

        write(project, "template.yaml", TEMPLATE)
        project.run("deploy")
        assert get(project).body == b"two"


def test_unsupported_resources_can_be_left_out(tmp_path: Path) -> None:
    """The first up ends with a hint that works; what was left out stays visible, and left out in a repair."""
    with tiny_project(tmp_path) as project:
        unknown = "  Foo: {Type: AWS::Foo::Bar}\n  Needs: {Type: AWS::SQS::Queue, DependsOn: Foo}\n"
        write(project, "template.yaml", TEMPLATE + unknown)
        text = refused(project, "up", "test", code=DEPLOY)
        assert "AWS::Foo::Bar" in text
        assert "`multistack deploy test --skip-unsupported`" in text
        project.run("deploy", "test", "--skip-unsupported")
        skipped = ["Foo (AWS::Foo::Bar)", "Needs (AWS::SQS::Queue, needs Foo)"]
        assert project.status()["test"]["skipped"] == skipped
        assert "test: left out Foo (AWS::Foo::Bar)" in project.run("status").stdout
        project.run("reset", "test")
        assert project.status()["test"]["skipped"] == skipped
        assert get(project).body == b"one"


def test_a_function_that_cannot_be_imported_answers_502(tmp_path: Path) -> None:
    """Emulators see the mistake as AWS does, at the first call; the logs tell it."""
    with tiny_project(tmp_path) as project:
        write(project, "src/app.py", "def handler(:\n")
        project.run("up", "test")
        assert get(project).status == 502
        assert "invalid syntax (app.py, line 1)" in project.run("logs", "test").stdout


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[ProjectFolder]:
    """A project whose state is on a disk of a megabyte."""
    with tiny_project(tmp_path) as project:
        state = project.folder / ".multistack"
        state.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", str(state)],
            capture_output=True,
            text=True,
            check=False,
        )
        if mounted.returncode != 0:
            pytest.skip(f"mounting a small disk needs CAP_SYS_ADMIN: {mounted.stderr.strip()}")
        try:
            yield project
            project.run("down")
        finally:
            subprocess.run(["umount", "--lazy", str(state)], check=True)


def test_a_disk_that_fills_up_while_building_is_an_error_of_one_line(small_disk: ProjectFolder) -> None:
    """Nothing is recorded, nothing of the unfinished build stays usable."""
    write(small_disk, "src/large.bin", os.urandom(2_000_000))
    text = refused(small_disk, "up", "test", code=ARTIFACT)
    assert "No space left on device" in text
    assert "free some space" in text
    assert small_disk.status()["test"]["release"] is None


def test_a_full_disk_while_starting_is_an_error_of_one_line(small_disk: ProjectFolder) -> None:
    """Nothing runs afterwards, and with space again the same command works."""
    filler = small_disk.folder / ".multistack/filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(bytes(2_000_000))
    assert "free some space" in refused(small_disk, "up", "test", code=ERROR)
    small_disk.run("down")
    assert small_disk.processes() == []
    filler.unlink()
    small_disk.run("up", "test")
    assert get(small_disk).body == b"one"


_OWN_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount"]


def _works(command: list[str]) -> bool:
    return bool(shutil.which(command[0])) and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(_works(["unshare", "--mount", "true"]), reason="the small disks above could be mounted as they are")
@pytest.mark.skipif(not _works([*_OWN_MOUNTS, "true"]), reason="needs CAP_SYS_ADMIN or user namespaces")
def test_small_disks_in_a_namespace_of_our_own(tmp_path: Path) -> None:
    """Who may not mount may do so as root of a user namespace: the tests of small disks run there once more."""
    tests = [
        sys.executable,
        "-m",
        "pytest",
        *(str(Path(__file__).with_name(f"test_{name}.py")) for name in ("bad_input", "durability", "snapshot_command")),
        "-k",
        "a_disk_that or a_full_disk",
        "--basetemp",
        str(tmp_path / "t"),
    ]
    done = subprocess.run(
        [*_OWN_MOUNTS, *tests, "-p", "no:cacheprovider", "-n0"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def _endpoint(project: ProjectFolder) -> Endpoint:
    url = project.run("endpoint", "test").stdout.strip()
    return Endpoint(environment="test", url=url, account_id="111111111111", region="us-east-1")


def test_functions_with_other_code_bring_the_release_on_record_back(tmp_path: Path) -> None:
    """The ledger says failed, then what serves."""
    with tiny_project(tmp_path) as folder:
        folder.run("up", "test")
        project = load_project(file=None, environ={}, cwd=folder.folder)
        history = History(project.state / "history.sqlite")
        before = history.current("test")
        assert before is not None
        write(folder, "src/app.py", source("'two'"))
        artifact = build(project, ArtifactStore(project.state / "artifacts"), emit=lambda _event: None)

        def verify(endpoint: Endpoint, verified: Artifact, physical: Mapping[str, str]) -> None:
            verify_code(endpoint, verified, physical)
            if verified == artifact:
                assert get(folder).body == b"two"
                raise WrongCode("function Web runs other code")

        deployer = Deployer(
            project, history, Vault(project.state), emit=lambda _event: None, cancelled=lambda: None, verify=verify
        )
        (environment,) = project.environments
        endpoint, release = _endpoint(folder), make_release(artifact, {})
        with pytest.raises(DeployError, match="function Web runs other code") as caught:
            deployer.deploy(environment, endpoint, artifact, release)
        assert caught.value.hint == f"release {before.release.id} is served again"
        assert get(folder).body == b"one"
        assert [(one.release.id, one.outcome) for one in history.deployments("test")[1:]] == [
            (release.id, Outcome.FAILED),
            (before.release.id, Outcome.SUCCEEDED),
        ]
        assert deployer.is_deployed(endpoint, before.release)


def test_a_dry_run_changes_nothing_in_the_environment(tmp_path: Path) -> None:
    """Not the stack, whatever became of it, and no code goes into the bucket."""
    with tiny_project(tmp_path) as project:
        write(project, "template.yaml", TEMPLATE + TWO_MORE)
        refused(project, "up", "test", code=DEPLOY)
        endpoint = _endpoint(project)
        s3, bucket = client(endpoint, "s3"), bucket_of(endpoint.region)
        before = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
        write_service(project)
        write(project, "src/app.py", source("'two'"))
        planned = project.run("deploy", "--dry-run").stdout
        assert "Add     Web" in planned
        stack = describe(endpoint, "tiny-test")
        assert stack is not None
        assert stack.status == "ROLLBACK_COMPLETE"
        assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == before


def test_a_renamed_api_stops_no_repair(tmp_path: Path) -> None:
    """The release on record has the template that it was deployed with; only a new deployment is checked."""
    with tiny_project(tmp_path) as project:
        project.run("up", "test")
        write(project, "multistack.toml", f'api = "Renamed"\n{PROJECT}')
        assert "deployed" in project.run("reset", "test").stderr
        assert 'api = "Renamed" is no API' in refused(project, "deploy", code=CONFIG)


def test_a_changed_artifact_loses_no_data(tmp_path: Path) -> None:
    """Reset looks at the release first that it would deploy again."""
    with tiny_project(tmp_path) as project:
        project.run("up", "test")
        (archive,) = (project.folder / ".multistack/artifacts").glob("*/code/*.zip")
        archive.write_bytes(b"other")
        refused(project, "reset", "test", code=ARTIFACT)
        assert get(project).body == b"one"


def test_a_template_of_sam_only_is_no_project(tmp_path: Path) -> None:
    """A transform alone deploys nothing."""
    with tiny_project(tmp_path) as project:
        write(project, "template.yaml", SAM)
        refused(project, "deploy", code=NOT_READY)
