"""A service without an API: its functions are called by hand, by messages, and by what happens in other resources."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from emulator import stack
from emulator.drivers import control
from emulator.endpoint import client
from emulator.model import Endpoint
from tests.conftest import ProjectFolder
from tests.functional.raw_proxy import wait_until
from tests.functional.tiny import refused, tiny_project, write

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="this machine has no Node"),
    pytest.mark.embedded("its clock is moved, and it runs Node functions"),
]

ACCOUNTS = {"test": "111111111111", "staging": "222222222222"}
PROJECT = 'service = "events"\n' + "".join(
    f'[environments.{name}]\naccount_id = "{account}"\nconfig.Colour = "{name}-blue"\n'
    for name, account in ACCOUNTS.items()
)
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Colour: {Type: String}}
Globals:
  Function:
    Runtime: python3.12
    Handler: app.handler
    CodeUri: src/
    Environment: {Variables: {COLOUR: !Ref Colour}}
Resources:
  Jobs: {Type: AWS::SQS::Queue}
  Ordered: {Type: AWS::SQS::Queue, Properties: {FifoQueue: true}}
  News: {Type: AWS::SNS::Topic}
  Bus: {Type: AWS::Events::EventBus, Properties: {Name: shop}}
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_AND_OLD_IMAGES}
  Uploads: {Type: AWS::S3::Bucket}
  OnMessage:
    Type: AWS::Serverless::Function
    Properties: {Events: {Job: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn}}}}
  OnNews:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: nodejs22.x
      CodeUri: node/
      Events: {News: {Type: SNS, Properties: {Topic: !Ref News}}}
  OnPlaced:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Placed:
          Type: EventBridgeRule
          Properties: {EventBusName: !Ref Bus, Pattern: {source: [shop], detail-type: [placed]}}
  OnChange:
    Type: AWS::Serverless::Function
    Properties:
      Events: {Stream: {Type: DynamoDB, Properties: {Stream: !GetAtt Orders.StreamArn, StartingPosition: TRIM_HORIZON}}}
  OnUpload:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        New:
          Type: S3
          Properties:
            Bucket: !Ref Uploads
            Events: s3:ObjectCreated:*
            Filter: {S3Key: {Rules: [{Name: suffix, Value: .txt}]}}
  OnMinute:
    Type: AWS::Serverless::Function
    Properties: {Events: {Minute: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}}}
  OnTick:
    Type: AWS::Serverless::Function
    Properties:
      Events: {Tick: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 minute), Input: '{"tick": true}'}}}
"""
PYTHON = """
import json
import os
import uuid


def handler(event, context):
    print("GOT " + json.dumps(event))
    if isinstance(event, dict) and event.get("do") == "raise":
        raise ValueError("no stock")
    if isinstance(event, dict) and event.get("do") == "talk":
        print("x" * 8000)
    return {"colour": os.environ["COLOUR"], "id": str(uuid.uuid4()), "got": event}
"""
NODE = 'exports.handler = async (event) => { console.log("GOT " + JSON.stringify(event)); return {got: event}; };\n'
# Seconds: more than the minute of the schedules. MiniStack looks for what is due every ten seconds.
AHEAD, PATIENCE = 70, 25.0


@dataclass(frozen=True)
class Service:
    """The running service, and what its environment ``test`` has."""

    project: ProjectFolder
    endpoint: Endpoint
    physical: dict[str, str]

    def seen(self, function: str) -> list[Any]:
        """The events that *function* printed, oldest first."""
        group = f"/aws/lambda/{self.physical[function]}"
        logs = client(self.endpoint, "logs")
        if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            return []
        lines = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
        return [json.loads(line.removeprefix("GOT ")) for line in lines if line.startswith("GOT ")]

    def wait_for(self, function: str, wanted: str) -> Any:
        """The first event of *function* in whose JSON *wanted* stands, once it is there."""

        def found() -> list[Any]:
            return [event for event in self.seen(function) if wanted in json.dumps(event)]

        wait_until(lambda: bool(found()), timeout=PATIENCE)
        return found()[0]

    def client(self, name: str) -> Any:
        """A boto3 client of the environment."""
        return client(self.endpoint, name)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Up in two environments; the clock of ``test`` is ahead from the beginning, so that schedules are due soon."""
    with tiny_project(tmp_path_factory.mktemp("events")) as project:
        write(project, "multistack.toml", PROJECT)
        write(project, "template.yaml", TEMPLATE)
        write(project, "src/app.py", PYTHON)
        write(project, "node/app.js", NODE)
        project.run("up")
        url = project.status()["test"]["endpoint"]
        endpoint = Endpoint(environment="test", url=url, account_id=ACCOUNTS["test"], region="us-east-1")
        folder = project.folder / ".multistack" / "environments" / "test"
        control.ask(endpoint, folder, "clock", {"offset": AHEAD}, timeout=60)
        yield Service(project, endpoint, dict(stack.resources(endpoint, "events-test")))


def test_a_function_gets_messages_of_a_queue(service: Service) -> None:
    """`send` says the id that the function then finds in its record."""
    said = service.project.run("send", "test", "Jobs", "-d", "hello", "--attribute", "Colour=red").stdout
    (record,) = service.wait_for("OnMessage", "hello")["Records"]
    assert said == f"test: sent {record['messageId']} to queue Jobs\n"
    assert (record["body"], record["eventSource"]) == ("hello", "aws:sqs")
    assert record["messageAttributes"]["Colour"]["stringValue"] == "red"


def test_a_node_function_gets_messages_of_a_topic(service: Service) -> None:
    """With the subject, and what stands in a file."""
    write(service.project, "news.json", '{"news": "yes"}')
    answer = service.project.run("send", "test", "News", "-d", "@news.json", "--subject", "hi", "--json").stdout
    (record,) = service.wait_for("OnNews", "news")["Records"]
    assert json.loads(answer)[0]["message_id"] == record["Sns"]["MessageId"]
    assert (record["Sns"]["Message"], record["Sns"]["Subject"]) == ('{"news": "yes"}', "hi")


def test_a_function_gets_events_that_match_its_rule(service: Service) -> None:
    """Another one on the same bus does not reach it."""
    for kind in ("cancelled", "placed"):
        service.project.run(
            "send", "test", "Bus", "--source", "shop", "--detail-type", kind, "-d", f'{{"k": "{kind}"}}'
        )
    event = service.wait_for("OnPlaced", "placed")
    assert (event["source"], event["detail-type"], event["detail"]) == ("shop", "placed", {"k": "placed"})
    assert "cancelled" not in json.dumps(service.seen("OnPlaced"))


def test_a_function_gets_changes_of_a_table(service: Service) -> None:
    """Old and new image, in order."""
    table = service.physical["Orders"]
    for quantity in ("1", "2"):
        service.client("dynamodb").put_item(TableName=table, Item={"id": {"S": "a"}, "qty": {"N": quantity}})
    service.wait_for("OnChange", "MODIFY")
    records = [record for event in service.seen("OnChange") for record in event["Records"]]
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY"]
    assert records[1]["dynamodb"]["OldImage"]["qty"] == {"N": "1"}
    assert records[1]["dynamodb"]["NewImage"]["qty"] == {"N": "2"}


def test_a_function_gets_uploads_that_match_its_filter(service: Service) -> None:
    """The key is encoded as S3 encodes it."""
    for key in ("left out.bin", "a b.txt"):
        service.client("s3").put_object(Bucket=service.physical["Uploads"], Key=key, Body=b"x")
    (record,) = service.wait_for("OnUpload", "txt")["Records"]
    assert (record["eventName"], record["s3"]["object"]["key"]) == ("ObjectCreated:Put", "a+b.txt")
    assert "bin" not in json.dumps(service.seen("OnUpload"))


def test_invoke_prints_the_result_and_what_the_function_said(service: Service) -> None:
    """The result on stdout, its log on stderr; the function is named by its logical id or its name on AWS."""
    for name in ("OnMinute", service.physical["OnMinute"]):
        done = service.project.run("invoke", "test", name, "-d", '{"by": "hand"}')
        assert json.loads(done.stdout)["got"] == {"by": "hand"}
        assert done.stderr == 'GOT {"by": "hand"}\n'
    listed = service.project.run("invoke", "test").stdout
    assert service.physical["OnMinute"] in listed


def test_an_error_of_the_function_is_no_error_of_ours(service: Service) -> None:
    """Exit code 8, with the error as AWS answers it on stdout."""
    done = service.project.run("invoke", "test", "OnMinute", "-d", '{"do": "raise"}', check=False)
    assert done.returncode == 8
    assert json.loads(done.stdout)["errorMessage"] == "no stock"
    assert "OnMinute ended with an error (Unhandled)" in done.stderr
    answer = json.loads(
        service.project.run("invoke", "test", "OnMinute", "-d", '{"do": "raise"}', "--json", check=False).stdout
    )
    assert (answer["error"], answer["log"][0]) == ("Unhandled", 'GOT {"do": "raise"}')


def test_a_long_log_is_said_to_be_cut(service: Service) -> None:
    """Lambda gives its last 4 KB with the answer."""
    done = service.project.run("invoke", "test", "OnMinute", "-d", '{"do": "talk"}')
    assert "`multistack logs test` has all" in done.stderr


def test_an_asynchronous_call_waits_for_nothing(service: Service) -> None:
    """The event is queued, and the function gets it."""
    said = service.project.run("invoke", "test", "OnNews", "-d", '{"later": 1}', "--async").stdout
    assert said.startswith("test: queued for OnNews, request ")
    service.wait_for("OnNews", "later")


def test_results_of_environments_stand_side_by_side(service: Service) -> None:
    """As `compare` shows answers: 7 where they differ; called twice, what differs by itself is masked."""
    done = service.project.run("invoke", "test,staging", "OnMinute", "-d", '{"a": 1}', check=False)
    assert done.returncode == 7
    assert "INVOKE OnMinute" in done.stdout
    assert [line.split()[1:] for line in done.stdout.splitlines() if "$.colour" in line] == [
        ["$.colour", "test-blue", "staging-blue"]
    ]
    assert 'staging  GOT {"a": 1}' in done.stderr
    twice = service.project.run("invoke", "test,staging", "OnMinute", "--twice", "--json", check=False)
    document = json.loads(twice.stdout)
    assert [one["where"] for one in document["environments"]["staging"]["differences"]] == ["$.colour"]
    assert [one["where"] for one in document["masked"] if one["where"].startswith("$")] == ["$.id"]
    equal = service.project.run("invoke", "test,staging", "OnNews", "-d", '{"a": 1}')
    assert "equal: staging as test" in equal.stdout


def test_messages_go_to_several_environments(service: Service) -> None:
    """A line for each; a FIFO queue gets a group, and takes the same message twice."""
    said = service.project.run("send", "test,staging", "Ordered", "-d", "same")
    assert [line.split()[0] for line in said.stdout.splitlines()] == ["test:", "staging:"]
    service.project.run("send", "test", "Ordered", "-d", "same")
    url = service.physical["Ordered"]
    found = service.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    assert found["Attributes"]["ApproximateNumberOfMessages"] == "2"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("invoke", "test", "OnMinut"), "did you mean OnMinute?", id="no such function"),
        pytest.param(("send", "test", "OnMinute"), "there are: ", id="a function is no queue"),
        pytest.param(
            ("send", "test", "Bus", "-d", "{}"), "needs --source and --detail-type", id="event without source"
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_sent(
    service: Service, arguments: tuple[str, ...], said: str
) -> None:
    """In one line, with what there is."""
    assert said in refused(service.project, *arguments, code=2)


def test_data_that_is_no_json_is_refused(service: Service) -> None:
    """With the place; a file that isn't there as well."""
    for data, said in (("{", "line 1 column 2"), ("@gone.json", "gone.json can't be read")):
        done = service.project.run("invoke", "test", "OnMinute", "-d", data, check=False)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_schedules_fire(service: Service) -> None:
    """A rule's and a scheduler's, within ten seconds after they are due."""
    started = time.monotonic()
    assert service.wait_for("OnMinute", "aws.events")["detail-type"] == "Scheduled Event"
    assert service.wait_for("OnTick", "tick") == {"tick": True}
    assert time.monotonic() - started < PATIENCE
