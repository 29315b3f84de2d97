"""pytest suites of users, run as they run them, against environments of a small service."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import emulator as multistack
from emulator import process
from emulator.errors import NotReady
from emulator.testing import running
from emulator.testing.connection import Settings
from emulator.testing.keeper.environment_set import EnvironmentSet, Options
from emulator.testing.keeper.users import Users
from tests.conftest import ProjectFolder
from tests.functional.servers import web_server
from tests.functional.tiny import tiny_project, write

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.embedded("the state of embedded emulators is put back while they run")

PROJECT = """
service = "notes"
[environments.test]
account_id = "111111111111"
[environments.prod]
account_id = "222222222222"
"""
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Notes:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
  Web:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: app.handler
      CodeUri: src/
      Events:
        Any: {Type: Api, Properties: {Path: "/{id}", Method: ANY}}
        Letters: {Type: SQS, Properties: {Queue: !GetAtt Letters.Arn, BatchSize: 1}}
  Letters: {Type: AWS::SQS::Queue}
Outputs:
  Table: {Value: !Ref Notes}
"""
SOURCE = """
import json

def handler(event, context):
    for record in event.get("Records", ()):
        print("letter", json.loads(record["body"])["path"])
        return
    print("asked for", event["path"])
    if event["path"] == "/boom":
        raise RuntimeError("boom")
    return {"statusCode": 200, "body": event["path"]}
"""
# Without the plugins of this machine, whose import takes longer than the tests.
PYTEST = (sys.executable, "-m", "pytest", "-p", "multistack", "-p", "no:cacheprovider")

Run = Callable[..., pytest.RunResult]


def write_notes(project: ProjectFolder) -> None:
    """A service with two environments, a table and a function."""
    write(project, "multistack.toml", PROJECT)
    write(project, "template.yaml", TEMPLATE)
    write(project, "src/app.py", SOURCE)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """The service, up."""
    with tiny_project(tmp_path_factory.mktemp("plugin")) as folder:
        write_notes(folder)
        folder.run("up")
        yield folder


@pytest.fixture
def run(pytester: pytest.Pytester, project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run tests, given as source, in a process of their own."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini(f"[pytest]\nmultistack_file = {project.folder / 'multistack.toml'}\n")

    def run_tests(source: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(source)
        return pytester.run(*PYTEST, *options, timeout=120)

    return run_tests


def is_running(state: Path, environment: str) -> bool:
    """Whether the emulator of *environment* holds its folder."""
    return process.is_running(state / "environments" / environment)


def is_proxy_running(state: Path) -> bool:
    """Whether the proxy does."""
    return process.is_running(state / "proxy")


def is_used(state: Path) -> bool:
    """Whether some process with tests uses the environments."""
    users = Users(state / "tests")
    with users.deciding():
        return users.is_any_used()


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what a process does after its tests are gone."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def pid_of(state: Path, environment: str) -> int:
    """The process of its emulator."""
    return int(json.loads((state / "environments" / environment / "server.json").read_text())["process"]["pid"])


def own_state(project: ProjectFolder) -> Path:
    """Where environments are that only tests use."""
    return project.folder / ".multistack/tests/.multistack"


def test_fixtures_reach_the_environments(run: Run) -> None:
    """One marker is all that a suite needs; each fixture is of the environment that the test runs in."""
    done = run(
        """
        import pytest

        def test_first_one_is_the_default(api, environment):
            assert (environment.name, api.get("/hello").text) == ("test", "/hello")

        @pytest.mark.environments("test", "prod")
        def test_each(environment, api, aws, deployed_service):
            account = aws.client("sts").get_caller_identity()["Account"]
            assert account == environment.account_id == {"test": "1" * 12, "prod": "2" * 12}[environment.name]
            answer = api.post("/x", json={"a": 1}, params={"b": 2})
            assert answer.headers["X-Multistack-Environment"] == environment.name
            assert deployed_service.environment == environment.name
            assert deployed_service.outputs["Table"] == deployed_service.resources["Notes"]
            assert environment.variables["AWS_ENDPOINT_URL"] == environment.endpoint_url

        @pytest.mark.environments("prod", "test")
        def test_both(environments):
            assert list(environments) == ["prod", "test"]
            assert environments["test"].service.digest == environments["prod"].service.digest
            with pytest.raises(KeyError):
                environments["staging"]

        def test_logs(api, logs):
            api.get("/printed")
            assert logs.wait_for("asked for /printed").function == "Web"
            assert "/hello" not in logs.text

        def test_functions_and_queues(environment, logs):
            done = environment.invoke("Web", {"path": "/by-hand"})
            assert (done.value["body"], done.error) == ("/by-hand", None)
            assert "asked for /by-hand" in done.log
            assert environment.invoke("Web", {"path": "/boom"}).value["errorMessage"] == "boom"
            environment.send("Letters", {"path": "/by-queue"})
            logs.wait_for("letter /by-queue")

        class TestIsolated:
            pytestmark = pytest.mark.environments("test", isolated=True)

            @pytest.mark.parametrize("number", range(3))
            def test_begins_empty(self, aws, deployed_service, number):
                table = aws.resource("dynamodb").Table(deployed_service.resources["Notes"])
                assert table.scan()["Items"] == []
                table.put_item(Item={"id": str(number)})

        def test_isolated_ones_leave_nothing(aws, deployed_service):
            assert aws.resource("dynamodb").Table(deployed_service.resources["Notes"]).scan()["Items"] == []

        def test_fresh(fresh_environment, environments):
            assert fresh_environment.name not in list(environments)
            assert fresh_environment.api.get("/fresh").text == "/fresh"
        """,
        "--multistack-reuse",
    )
    done.assert_outcomes(passed=11)


def test_failure_shows_log_and_requests(run: Run) -> None:
    """Those of the failed test only; what is wrong with a marker, or where a call went, is told in one line."""
    done = run(
        """
        import boto3
        import pytest

        def test_good(api):
            assert api.get("/good").status == 200

        def test_bad(api):
            assert api.post("/boom", data="why?").status == 200

        def test_caught(environment):
            client = boto3.client("s3", region_name="eu-west-1", aws_access_key_id="1", aws_secret_access_key="2")
            with pytest.raises(Exception):
                client.list_buckets()

        @pytest.mark.environments("test", "tset")
        def test_unknown(environments):
            pass

        @pytest.mark.environments("test", isolation=True)
        def test_unknown_word(environments):
            pass

        @pytest.mark.environments("prod")
        def test_other(api):
            pass
        """,
        "--multistack-reuse",
        "--multistack-environments=test",
        "-rs",
    )
    done.assert_outcomes(passed=1, failed=2, errors=2, skipped=1)
    done.stdout.fnmatch_lines_random(
        [
            "*- multistack: requests to test -*",
            "POST /boom -> 502 in * ms",
            "  sent why?",
            "*- multistack: log of test -*",
            "* Web: asked for /boom",
            "* Web: [[]ERROR[]] RuntimeError: boom",
            "AWS call left the environments: GET https://s3.eu-west-1.amazonaws.com/",
            "multistack: multistack.toml has no environment tset",
            "hint: did you mean test?",
            "@pytest.mark.environments takes names of environments and isolated=True, not 'isolation'",
            "SKIPPED * it runs in prod only, and --multistack-environments is test",
        ]
    )
    done.stdout.no_fnmatch_line("*/good*")


def test_bad_tests_harm_no_other(run: Run, project: ProjectFolder) -> None:
    """One that changes the variables and the folder, leaves a thread, or kills the emulator is survived by the next."""
    done = run(
        f"""
        import os, signal, threading, time

        def test_changes_the_process(api, tmp_path):
            os.environ.clear()
            os.environ.update(AWS_PROFILE="missing", AWS_ENDPOINT_URL="http://127.0.0.1:1", MULTISTACK_FILE="/gone")
            os.chdir(tmp_path)
            time.time = time.monotonic = lambda: 0.0

        def test_next_one(api, aws, logs):
            assert api.get("/after").text == "/after"
            assert aws.client("dynamodb").list_tables()["TableNames"]
            assert "asked for /after" in logs.text

        def test_kills_the_emulator(environment):
            os.kill({pid_of(project.folder / ".multistack", "test")}, signal.SIGKILL)

        def test_gets_another_emulator(api, aws):
            assert api.get("/again").text == "/again"
            assert aws.client("dynamodb").list_tables()["TableNames"]

        def test_leaves_a_thread(api):
            threading.Thread(target=threading.Event().wait, args=(2.0,)).start()
        """,
        "--multistack-reuse",
    )
    done.assert_outcomes(passed=5)
    assert is_running(project.folder / ".multistack", "test")  # what ran before is left running


SHARED_BY_WORKERS = """
    import pathlib, pytest

    @pytest.mark.parametrize("number", range(4))
    def test_one(api, aws, deployed_service, number, worker_id):
        pathlib.Path(f"seen-{number}").write_text(f"{worker_id} {deployed_service.digest}")
        assert api.get("/one").text == "/one"
        aws.resource("dynamodb").Table(deployed_service.resources["Notes"]).put_item(Item={"id": str(number)})
    """
BEGINS_EMPTY = """
    def test_begins_empty(aws, deployed_service):
        assert aws.resource("dynamodb").Table(deployed_service.resources["Notes"]).scan()["Items"] == []
    """
TERMINATED = """
    import psutil

    def test_terminates_the_keeper(api):
        (keeper,) = psutil.Process().children()
        keeper.terminate()
        keeper.wait(30)
    """
KILLED = """
    import os, signal

    def test_is_killed(api):
        os.kill(os.getpid(), signal.SIGKILL)
    """


def test_kept_environments_are_taken_over_fresh(run: Run, project: ProjectFolder, pytester: pytest.Pytester) -> None:
    """All workers of xdist share one set, apart from the project's own; the next run finds it as it was deployed."""
    state = own_state(project)
    run(SHARED_BY_WORKERS, "-p", "xdist", "-n2", "--multistack-keep").assert_outcomes(passed=4)
    seen = [path.read_text().split() for path in sorted(pytester.path.glob("seen-*"))]
    assert {worker for worker, _ in seen} == {"gw0", "gw1"}
    assert len({digest for _, digest in seen}) == 1
    assert not is_running(state, "prod")  # nobody asked for it
    kept = pid_of(state, "test")
    done = run(BEGINS_EMPTY, "--multistack-keep")
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["multistack: kept test http://127.0.0.1:*/test/; `multistack down` stops them"])
    assert (is_running(state, "test"), pid_of(state, "test")) == (True, kept)
    assert "test of tests" in project.run("down").stdout
    assert not is_running(state, "test")
    project.run("up")


def test_nothing_outlives_a_run_that_is_killed(run: Run, project: ProjectFolder) -> None:
    """Its environments are stopped by the process that keeps them; the project's own go on."""
    state = own_state(project)
    assert run(KILLED).ret == -signal.SIGKILL
    wait_until(lambda: not (is_running(state, "test") or is_proxy_running(state) or is_used(state)))
    assert is_running(project.folder / ".multistack", "test")


def test_a_keeper_that_is_terminated_stops_its_environments(run: Run, project: ProjectFolder) -> None:
    """As at a shutdown; the tests say what happened."""
    state = own_state(project)
    done = run(TERMINATED)
    done.assert_outcomes(passed=1, errors=1)
    assert not is_running(state, "test")
    assert not is_proxy_running(state)


def test_environments_stop_although_one_that_was_made_cannot_be_removed(project: ProjectFolder) -> None:
    """One step of the end that fails keeps none of the others from being done, and is said."""
    kept = EnvironmentSet(
        Options(file=project.folder / "multistack.toml"), environ=project.command_environ(), cwd=project.folder
    )
    kept.up(["test"])
    kept._created.append("gone")
    assert is_running(own_state(project), "test")
    with pytest.raises(KeyError, match="gone"):
        kept.close()
    assert not is_running(own_state(project), "test")
    assert not is_used(own_state(project))


def test_one_environment_that_does_not_start_is_the_error_of_its_own_tests(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others keep what they begin with, and serve."""
    monkeypatch.setenv("MULTISTACK_ENVIRONMENT_PROD_DRIVER", "external")
    monkeypatch.setenv("MULTISTACK_ENVIRONMENT_PROD_ENDPOINT", "http://127.0.0.1:9")
    done = run(
        """
        import pytest

        @pytest.mark.environments("prod")
        def test_broken(api):
            pass

        @pytest.mark.environments("prod", "test")
        def test_broken_and_healthy(environments):
            pass

        @pytest.mark.environments("test", isolated=True)
        def test_healthy(api):
            assert api.get("/well").text == "/well"

        def test_all(environments):
            pass

        def test_goes_on(api):
            assert api.get("/still").text == "/still"
        """
    )
    done.assert_outcomes(passed=2, errors=3)
    # A line each in the errors; where CI is set, pytest's summary has them too, uncut.
    told = [
        line
        for line in done.outlines
        if line.startswith("multistack: environment prod: nothing answers at http://127.0.0.1:9")
    ]
    assert len(told) == 3


def test_environment_that_does_not_start_is_started_once(project: ProjectFolder) -> None:
    """Every test that asks for it would wait for that."""
    with web_server(status=404) as other:
        kept = EnvironmentSet(
            Options(file=project.folder / "multistack.toml", endpoint=f"prod={other.url}"),
            environ=project.command_environ(),
            cwd=project.folder,
        )
        with contextlib.closing(kept):
            assert [one["name"] for one in kept.prepare(["prod", "test"])] == ["test"]
            asked = len(other.asked)
            for _ in range(2):
                with pytest.raises(NotReady, match="environment prod: "):
                    kept.begin(["prod"], None)
            assert kept.begin(["test"], "alone")["revived"] == []
            assert len(other.asked) == asked > 0
    assert not is_used(own_state(project))


def test_what_was_left_in_an_environment_that_stopped_is_nobody_elses_error(project: ProjectFolder) -> None:
    """A process that is done stops it, while another one goes on with its own."""
    one, other = (
        EnvironmentSet(
            Options(file=project.folder / "multistack.toml"), environ=project.command_environ(), cwd=project.folder
        )
        for _ in range(2)
    )
    with contextlib.closing(other):
        other.up(["test"])
        with contextlib.closing(one):
            one.begin(["prod"], "alone")
            one.end(None)
        assert not is_running(own_state(project), "prod")
        assert other.begin(["test"], None)["revived"] == []


def test_nothing_starts_before_it_is_asked_for(run: Run, pytester: pytest.Pytester) -> None:
    """A suite that uses no environments has nothing of it; one without a project is told what is missing."""
    pytester.makeini("[pytest]")
    done = run(
        """
        import sys

        def test_without():
            assert not {"boto3", "emulator.testing", "pydantic"} & sys.modules.keys()

        def test_with(api):
            pass
        """
    )
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["multistack: no multistack.toml in *", "hint: run `multistack init`"])


def test_scope_says_how_long_data_stays(run: Run) -> None:
    """Here that of a class: what one leaves, the next does not see."""
    done = run(
        """
        class TestFirst:
            def test_writes(self, aws, deployed_service):
                aws.resource("dynamodb").Table(deployed_service.resources["Notes"]).put_item(Item={"id": "1"})

            def test_sees_it(self, aws, deployed_service):
                assert aws.resource("dynamodb").Table(deployed_service.resources["Notes"]).scan()["Count"] == 1

        class TestSecond:
            def test_does_not_see_it(self, environments, aws, deployed_service):
                table = aws.resource("dynamodb").Table(deployed_service.resources["Notes"])
                assert table.scan()["Count"] == 0
                table.put_item(Item={"id": "seed"})
                environments.save()

        class TestThird:
            def test_begins_with_what_was_saved(self, aws, deployed_service):
                assert aws.resource("dynamodb").Table(deployed_service.resources["Notes"]).scan()["Count"] == 1
        """,
        "--multistack-reuse",
        "-o",
        "multistack_scope=class",
    )
    done.assert_outcomes(passed=4)


def test_environments_as_a_context_manager(project: ProjectFolder) -> None:
    """Without pytest: what ran goes on running, what is asked for later comes later, what is created is removed."""
    with multistack.environments("test", file=project.folder / "multistack.toml", reuse=True) as environments:
        assert list(environments) == ["test"]
        assert environments["test"].api.get("/plain").text == "/plain"
        assert environments["prod"].account_id == "222222222222"
        with pytest.raises(multistack.MultistackError, match="nope"), environments.fresh(like="nope"):
            pass
        with environments.fresh(like="prod") as fresh:
            assert fresh.api.get("/new").text == "/new"
        assert "asked for /plain" in environments["test"].logs.text
    assert set(project.status()) == {"test", "prod"}
    assert {one["status"] for one in project.status().values()} == {"ready"}


def test_environments_with_unittest(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mixin gives a class its environments; a call to AWS that was caught fails its test."""

    class NotesTest(multistack.EnvironmentsMixin, unittest.TestCase):
        multistack_environments = ("test",)
        multistack_isolated = True

        def test_begins_empty(self) -> None:
            table = self.aws.resource("dynamodb").Table(self.environment.service.resources["Notes"])
            assert table.scan()["Items"] == []
            table.put_item(Item={"id": "1"})

        test_begins_empty_again = test_begins_empty

        def test_calls_elsewhere(self) -> None:
            with pytest.raises(multistack.ForeignAwsCall):
                self.aws.client("sts", endpoint_url="http://sts.example").get_caller_identity()

    monkeypatch.setattr(running, "_default", Settings(file=project.folder / "multistack.toml", is_reused=True))
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(NotesTest).run(result)
    assert (result.testsRun, result.failures) == (3, [])
    (error,) = result.errors
    assert "ForeignAwsCall: AWS call left the environments: POST http://sts.example/" in error[1]
