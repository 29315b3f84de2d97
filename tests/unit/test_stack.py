"""Stacks, with a CloudFormation that answers what a test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from botocore.exceptions import ClientError

from emulator import stack
from emulator.change_set import deploy_error
from emulator.errors import DeployError
from emulator.model import Endpoint

ENDPOINT = Endpoint(environment="test", url="http://127.0.0.1:1", account_id="111111111111", region="eu-west-1")


def _error(message: str) -> DeployError:
    response = {"Error": {"Code": "ValidationError", "Message": message}}
    return deploy_error(ENDPOINT, ClientError(response, "CreateChangeSet"))


def test_unknown_types_are_named_with_a_way_out() -> None:
    """Sorted, and with a command that works while other environments are down."""
    error = _error("Template format error: Unrecognized resource types: [AWS::Foo::Bar, AWS::Bar::Foo]")
    assert isinstance(error, stack.UnsupportedTypes)
    assert error.types == ("AWS::Bar::Foo", "AWS::Foo::Bar")
    assert "environment test: its emulator does not know AWS::Bar::Foo, AWS::Foo::Bar" in error.message
    assert "`multistack deploy test --skip-unsupported`" in str(error.hint)


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        pytest.param("Parameter 'Size' must match pattern", "[environments.test.config]", id="parameter"),
        pytest.param("Template error", "None", id="template"),
    ],
)
def test_other_refusals_are_told_as_they_are(message: str, hint: str) -> None:
    """CloudFormation's own words, and for a parameter where its value stands."""
    error = _error(message)
    assert error.message == f"environment test: {message}"
    assert hint in str(error.hint)


@pytest.mark.parametrize(
    ("status", "stable"),
    [
        pytest.param("CREATE_COMPLETE", True, id="created"),
        pytest.param("UPDATE_COMPLETE", True, id="updated"),
        pytest.param("UPDATE_ROLLBACK_COMPLETE", True, id="rolled back"),
        pytest.param("ROLLBACK_COMPLETE", False, id="never created"),
        pytest.param("UPDATE_IN_PROGRESS", False, id="busy"),
    ],
)
def test_a_stack_is_stable_when_it_serves_a_release(status: str, stable: bool) -> None:
    """Created, updated, or back at the one before."""
    assert stack.Stack(name="s", status=status, tags={}, outputs={}).is_stable is stable


@dataclass
class FakeCloudFormation:
    """
    Answers every action with what *answers* has for it.

    Attributes:
        asked: The actions, in order.
    """

    answers: dict[str, Callable[[dict[str, str]], str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def endpoint(self) -> Endpoint:
        """Where it answers."""
        url = f"http://127.0.0.1:{self.port}"
        return Endpoint(environment="test", url=url, account_id="111111111111", region="eu-west-1")

    def has_stack(self, status: str) -> None:
        """Describe one stack."""
        created = "<CreationTime>2026-01-01T00:00:00Z</CreationTime>"
        member = f"<member><StackName>s</StackName>{created}<StackStatus>{status}</StackStatus></member>"
        self.answers["DescribeStacks"] = lambda _parameters: f"<Stacks>{member}</Stacks>"


@pytest.fixture
def fake() -> Iterator[FakeCloudFormation]:
    """One that serves until the test ends."""
    fake = FakeCloudFormation()

    class Handler(BaseHTTPRequestHandler):
        """Speaks CloudFormation's query protocol."""

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"])).decode()
            parameters = {key: values[0] for key, values in parse_qs(content).items()}
            action = parameters["Action"]
            fake.asked.append(action)
            result = f"<{action}Result>{fake.answers[action](parameters)}</{action}Result>"
            body = f"<{action}Response>{result}</{action}Response>".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield fake
        server.shutdown()
        thread.join()


@dataclass
class FakeClock:
    """Time that passes only while somebody sleeps, a minute at least."""

    now: float = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def sleep(self, seconds: float, /) -> None:
        """Pass."""
        self.now += max(60.0, seconds)


TEMPLATE = {"Resources": {"A": {"Type": "AWS::SQS::Queue"}, "B": {"Type": "AWS::SNS::Topic"}}}


def _plan(
    fake: FakeCloudFormation, *, cancelled: Callable[[], None] = lambda: None, **options: bool
) -> stack.ChangeSet:
    return stack.plan(
        fake.endpoint,
        "s",
        TEMPLATE,
        parameters={},
        tags={},
        bucket="b",
        cancelled=cancelled,
        clock=FakeClock(),
        **options,
    )


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "CREATE_FAILED"])
def test_a_dry_run_deletes_nothing(fake: FakeCloudFormation, status: str) -> None:
    """A stack that would have to be deleted first is all new, and only looked at."""
    fake.has_stack(status)
    changes = _plan(fake, dry_run=True).changes
    assert [(change.action, change.logical_id, change.type) for change in changes] == [
        ("Add", "A", "AWS::SQS::Queue"),
        ("Add", "B", "AWS::SNS::Topic"),
    ]
    assert set(fake.asked) == {"DescribeStacks"}


def test_a_stuck_stack_is_not_planned(fake: FakeCloudFormation) -> None:
    """A stack whose rollback failed can't be updated: the error says how to continue the rollback."""
    fake.has_stack("UPDATE_ROLLBACK_FAILED")
    with pytest.raises(DeployError, match="stack s is in UPDATE_ROLLBACK_FAILED") as caught:
        _plan(fake)
    assert "exec test -- aws cloudformation continue-update-rollback --stack-name s`" in str(caught.value.hint)
    assert set(fake.asked) == {"DescribeStacks"}


@pytest.mark.parametrize("status", ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"])
def test_a_stack_that_is_still_worked_on_is_not_deleted(fake: FakeCloudFormation, status: str) -> None:
    """After minutes it is an error, with a way out that loses nothing."""
    fake.has_stack(status)
    with pytest.raises(DeployError, match=f"stack s is still {status} after 300 s") as caught:
        _plan(fake)
    assert "`multistack down test`, then `multistack up test`" in str(caught.value.hint)
    assert set(fake.asked) == {"DescribeStacks"}


def test_the_wait_for_a_busy_stack_can_be_stopped(fake: FakeCloudFormation) -> None:
    """Nobody sits out five minutes after Ctrl-C."""

    def cancelled() -> None:
        raise KeyboardInterrupt

    fake.has_stack("CREATE_IN_PROGRESS")
    with pytest.raises(KeyboardInterrupt):
        _plan(fake, cancelled=cancelled)
    assert fake.asked == ["DescribeStacks"]


@pytest.mark.parametrize("status", ["CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED", "ROLLBACK_COMPLETE"])
def test_a_creation_that_failed_or_was_cut_off_begins_anew(fake: FakeCloudFormation, status: str) -> None:
    """What is left of it is deleted at once."""
    fake.has_stack(status)

    def delete(_parameters: dict[str, str]) -> str:
        fake.has_stack("DELETE_COMPLETE")
        return ""

    fake.answers |= {
        "DeleteStack": delete,
        "CreateChangeSet": lambda _parameters: "<Id>c</Id>",
        "DescribeChangeSet": lambda _parameters: "<Status>CREATE_COMPLETE</Status>",
    }
    _plan(fake)
    deleted = ["DescribeStacks", "DeleteStack", "DescribeStacks"]
    assert fake.asked == [*deleted, "CreateChangeSet", "DescribeChangeSet"]


def test_a_stack_that_can_not_be_deleted_says_why(fake: FakeCloudFormation) -> None:
    """The error tells what failed in this deletion, not in an earlier one, and the ways out."""
    events = [_event("Bucket", "DELETE_FAILED", "the reason of last time")]

    def delete(_parameters: dict[str, str]) -> str:
        fake.has_stack("DELETE_FAILED")
        events.append(_event("s", "DELETE_IN_PROGRESS", "User Initiated"))
        events.append(_event("Bucket", "DELETE_FAILED", "The bucket is not empty"))
        return ""

    fake.has_stack("DELETE_FAILED")
    fake.answers["DeleteStack"] = delete
    fake.answers["DescribeStackEvents"] = lambda _parameters: f"<StackEvents>{''.join(events[::-1])}</StackEvents>"
    with pytest.raises(DeployError, match=r"stack s can't be deleted \(DELETE_FAILED\)") as caught:
        stack.delete(fake.endpoint, "s", cancelled=lambda: None)
    assert caught.value.details == ("Bucket (AWS::S3::Bucket): The bucket is not empty",)
    assert "`multistack reset test`" in str(caught.value.hint)


def _event(logical_id: str, status: str, reason: str) -> str:
    names = f"<EventId>{reason}</EventId><LogicalResourceId>{logical_id}</LogicalResourceId>"
    said = f"<ResourceStatus>{status}</ResourceStatus><ResourceStatusReason>{reason}</ResourceStatusReason>"
    return f"<member>{names}<ResourceType>AWS::S3::Bucket</ResourceType>{said}</member>"


def test_all_resources_are_found_page_by_page(fake: FakeCloudFormation) -> None:
    """A stack may have more than a page of them."""

    def page(parameters: dict[str, str]) -> str:
        number = int(parameters.get("NextToken", 1))
        more = "<NextToken>2</NextToken>" if number == 1 else ""
        ids = f"<LogicalResourceId>L{number}</LogicalResourceId><PhysicalResourceId>p{number}</PhysicalResourceId>"
        return f"<StackResourceSummaries><member>{ids}</member></StackResourceSummaries>{more}"

    fake.answers["ListStackResources"] = page
    assert stack.resources(fake.endpoint, "s") == {"L1": "p1", "L2": "p2"}
