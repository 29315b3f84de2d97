"""``multistack drift``: what somebody changed by hand is found, named, and put back."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from emulator.endpoint import client
from emulator.model import Endpoint
from emulator.stack import resources
from tests.conftest import ProjectFolder, copy_sample, http
from tests.drivers import assert_nothing_left

STACK = "orders-test"
SECRET = "hunter2-and-more"


class Account:
    """The emulated account of ``test``, as somebody with the AWS command line reaches it."""

    def __init__(self, project: ProjectFolder) -> None:
        url = project.run("endpoint", "test").stdout.strip()
        self.endpoint = Endpoint(environment="test", url=url, account_id="111111111111", region="eu-west-1")

    def client(self, service: str) -> Any:
        """A boto3 client."""
        return client(self.endpoint, service)

    def id_of(self, logical_id: str) -> str:
        """The physical id of a resource of the stack."""
        return resources(self.endpoint, STACK)[logical_id]

    def configure(self, function: str, **settings: Any) -> None:
        """Change a function by hand."""
        aws = self.client("lambda")
        aws.update_function_configuration(FunctionName=self.id_of(function), **settings)
        aws.get_waiter("function_updated_v2").wait(FunctionName=self.id_of(function))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """The sample service in ``test`` alone."""
    root = tmp_path_factory.mktemp("drift")
    (root / "home").mkdir()
    folder = ProjectFolder(copy_sample(root / "project"), root / "home")
    folder.run("up", "test")
    yield folder
    folder.run("down")
    assert folder.processes() == []
    assert_nothing_left(folder.folder)


@pytest.fixture
def account(project: ProjectFolder) -> Account:
    """Its account; each test leaves it without drift."""
    return Account(project)


def drifted(project: ProjectFolder) -> dict[str, tuple[str, Any, Any]]:
    """Resource and property to how it drifted, as ``drift`` finds it."""
    done = project.run("drift", "test", "--json", check=False)
    assert done.returncode in (0, 7), done.stderr
    (found,) = json.loads(done.stdout)
    assert bool(found["differences"]) == (done.returncode == 7)
    return {
        f"{one['resource']}.{one['property']}".rstrip("."): (one["kind"], one["deployed"], one["found"])
        for one in found["differences"]
    }


def repair(project: ProjectFolder) -> None:
    """Put everything back; afterwards nothing is found, and the service serves."""
    done = project.run("drift", "test", "--repair", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def change_variable(account: Account) -> None:
    """A function's variable changed, one added, one removed."""
    aws = account.client("lambda")
    found = aws.get_function_configuration(FunctionName=account.id_of("ApiFunction"))["Environment"]["Variables"]
    changed = {**found, "PAGE_SIZE": "99", "DEBUG": "1"}
    del changed["LOG_LEVEL"]
    account.configure("ApiFunction", Environment={"Variables": changed})


def change_timeout(account: Account) -> None:
    """A function's timeout and memory."""
    account.configure("ApiFunction", Timeout=20, MemorySize=512)


def change_code(account: Account) -> None:
    """A function's code."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("worker.py", "def handler(event, context): pass\n")
    account.client("lambda").update_function_code(
        FunctionName=account.id_of("WorkerFunction"), ZipFile=content.getvalue()
    )


def change_queue(account: Account) -> None:
    """A queue's timeout and where its dead letters go."""
    sqs, url = account.client("sqs"), account.id_of("PlacedQueue")
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
    policy = {**json.loads(found["RedrivePolicy"]), "maxReceiveCount": 9}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "77", "RedrivePolicy": json.dumps(policy)})


def change_table(account: Account) -> None:
    """A table's protection against deletion."""
    account.client("dynamodb").update_table(TableName=account.id_of("OrdersTable"), DeletionProtectionEnabled=True)


def change_parameter(account: Account) -> None:
    """The value of a parameter."""
    account.client("ssm").put_parameter(
        Name=account.id_of("DiscountPercentParameter"), Value="90", Type="String", Overwrite=True
    )


def change_stage(account: Account) -> None:
    """A variable of a stage."""
    account.client("apigateway").update_stage(
        restApiId=account.id_of("Api"),
        stageName="live",
        patchOperations=[{"op": "replace", "path": "/variables/table", "value": "orders-prod"}],
    )


def add_route(account: Account) -> None:
    """A route that nobody deployed."""
    aws, api = account.client("apigateway"), account.id_of("Api")
    root = next(one["id"] for one in aws.get_resources(restApiId=api)["items"] if one["path"] == "/")
    made = aws.create_resource(restApiId=api, parentId=root, pathPart="backdoor")
    aws.put_method(restApiId=api, resourceId=made["id"], httpMethod="GET", authorizationType="NONE")


def change_role(account: Account) -> None:
    """A role that may do more than was deployed."""
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    account.client("iam").put_role_policy(
        RoleName=account.id_of("WorkerFunctionRole"), PolicyName="quick-fix", PolicyDocument=json.dumps(document)
    )


def allow_anybody(account: Account) -> None:
    """A function that a stranger may call."""
    account.client("lambda").add_permission(
        FunctionName=account.id_of("ApiFunction"),
        StatementId="anybody",
        Action="lambda:InvokeFunction",
        Principal="999999999999",
    )


def stop_worker(account: Account) -> None:
    """An event source that is switched off."""
    account.client("lambda").update_event_source_mapping(UUID=account.id_of("WorkerFunctionPlaced"), Enabled=False)


def delete_parameter(account: Account) -> None:
    """A parameter that is gone."""
    account.client("ssm").delete_parameter(Name=account.id_of("DiscountEnabledParameter"))


def delete_permission(account: Account) -> None:
    """API Gateway may no longer call a function."""
    account.client("lambda").remove_permission(
        FunctionName=account.id_of("ApiFunction"), StatementId=account.id_of("ApiFunctionHealthPermissionlive")
    )


def delete_function(account: Account) -> None:
    """A function that is gone."""
    account.client("lambda").delete_function(FunctionName=account.id_of("WorkerFunction"))


EDITS: dict[Callable[[Account], None], dict[str, tuple[str, Any, Any]]] = {
    change_variable: {
        "ApiFunction.Environment.Variables.PAGE_SIZE": ("changed", "5", "99"),
        "ApiFunction.Environment.Variables.DEBUG": ("added", None, "1"),
        "ApiFunction.Environment.Variables.LOG_LEVEL": ("removed", "debug", None),
    },
    change_timeout: {"ApiFunction.Timeout": ("changed", 10, 20), "ApiFunction.MemorySize": ("changed", 256, 512)},
    change_queue: {
        "PlacedQueue.VisibilityTimeout": ("changed", 15, 77),
        "PlacedQueue.RedrivePolicy.maxReceiveCount": ("changed", 3, 9),
    },
    change_table: {"OrdersTable.DeletionProtectionEnabled": ("changed", False, True)},
    change_parameter: {"DiscountPercentParameter.Value": ("changed", "25", "90")},
    change_stage: {"ApiliveStage.Variables.table": ("added", None, "orders-prod")},
    stop_worker: {"WorkerFunctionPlaced.Enabled": ("changed", True, False)},
}
ADDED: dict[Callable[[Account], None], tuple[str, str]] = {
    change_code: ("changed", "WorkerFunction.CodeSha256"),
    add_route: ("added", "Api.Routes./backdoor"),
    change_role: ("added", "WorkerFunctionRole.Policies.quick-fix"),
    allow_anybody: ("added", "ApiFunction.Permissions.anybody"),
}


def test_hand_edits_are_named_and_put_back(project: ProjectFolder, account: Account) -> None:
    """Drift names the resource, the property and both values, and nothing else; a repair brings the old ones back."""
    expected: dict[str, tuple[str, Any, Any]] = {}
    for change, found in EDITS.items():
        change(account)
        expected |= found
        assert drifted(project) == expected
    repair(project)
    assert http("GET", project.url("test", "orders")).status == 200


def test_what_was_added_by_hand_is_found_and_taken_away(project: ProjectFolder, account: Account) -> None:
    """Other code, and routes, policies and permissions that no template asked for, count as drift too."""
    before: set[str] = set()
    for change, (kind, place) in ADDED.items():
        change(account)
        found = drifted(project)
        new = {name: found[name][0] for name in found if name not in before}
        assert new
        assert all(name.startswith(place) and how == kind for name, how in new.items())
        before |= found.keys()
    repair(project)
    assert http("GET", project.url("test", "orders")).status == 200


def test_what_is_gone_is_named(project: ProjectFolder, account: Account) -> None:
    """A resource that somebody deleted by hand is drift as a whole."""
    delete_parameter(account)
    delete_permission(account)
    gone = ("removed", None, None)
    assert drifted(project) == {"DiscountEnabledParameter": gone, "ApiFunctionHealthPermissionlive": gone}
    repair(project)
    assert http("GET", project.url("test", "health")).status == 200


def test_a_function_that_is_gone_is_made_anew_and_no_order_lost(project: ProjectFolder, account: Account) -> None:
    """A repair makes anew what is gone, with what needs it, and touches no data."""
    table = account.id_of("OrdersTable")
    account.client("dynamodb").put_item(TableName=table, Item={"id": {"S": "kept"}})
    delete_function(account)
    assert drifted(project).keys() >= {"WorkerFunction"}
    repair(project)
    assert account.id_of("OrdersTable") == table
    assert "Item" in account.client("dynamodb").get_item(TableName=table, Key={"id": {"S": "kept"}})
    assert account.client("lambda").get_function(FunctionName=account.id_of("WorkerFunction"))


def test_a_secret_is_compared_and_never_shown(project: ProjectFolder, account: Account) -> None:
    """Only that a secret's value changed is told; no way back is promised, and it goes on to be drift until undone."""
    aws, arn = account.client("secretsmanager"), account.id_of("ReceiptKey")
    old = aws.get_secret_value(SecretId=arn)["SecretString"]
    aws.put_secret_value(SecretId=arn, SecretString=SECRET)
    account.configure("WorkerFunction", Environment={"Variables": {"DATABASE_PASSWORD": SECRET, "COPY": old}})
    for arguments in (["--json"], ["--markdown"], [], ["--repair"]):
        done = project.run("drift", "test", *arguments, check=False)
        assert done.returncode == 7
        assert "ReceiptKey" in done.stdout
        assert SECRET not in done.stdout + done.stderr
    assert drifted(project) == {"ReceiptKey.SecretString": ("changed", "(hidden)", "(hidden)")}
    aws.put_secret_value(SecretId=arn, SecretString=old)
    assert drifted(project) == {}


def test_a_secret_of_the_config_is_put_back(project: ProjectFolder, account: Account) -> None:
    """What multistack delivered beside the stack is held against what it delivered, and delivered again."""
    file, template = project.folder / "multistack.toml", project.folder / "template.yaml"
    before = file.read_text(), template.read_text()
    file.write_text(before[0].replace("[environments.test]", "[config.Token]\nsecret = true\n\n[environments.test]"))
    template.write_text(before[1].replace("Parameters:\n", "Parameters:\n  Token: {Type: String}\n", 1))
    token = {"MULTISTACK_CONFIG_TEST_TOKEN": SECRET}
    project.run("deploy", "test", env=token)
    account.client("secretsmanager").put_secret_value(SecretId=f"{STACK}/Token", SecretString="changed-by-hand")
    assert drifted(project) == {f"{STACK}/Token.SecretString": ("changed", "(hidden)", "(hidden)")}
    repair(project)
    found = account.client("secretsmanager").get_secret_value(SecretId=f"{STACK}/Token")
    assert found["SecretString"] == SECRET
    file.write_text(before[0])
    template.write_text(before[1])
    project.run("deploy", "test")


def test_a_restore_brings_the_drift_of_its_snapshot_back(project: ProjectFolder, account: Account) -> None:
    """What was deployed is remembered with the state, so a snapshot of drifted state is drifted when restored."""
    change_parameter(account)
    project.run("snapshot", "save", "drifted", "test")
    repair(project)
    project.run("snapshot", "restore", "drifted", "test")
    assert drifted(project) == {"DiscountPercentParameter.Value": ("changed", "25", "90")}
    project.run("reset", "test")
    assert drifted(project) == {}


def test_a_stopped_environment_is_not_ready(project: ProjectFolder, account: Account) -> None:
    """What stands there only its emulator knows; the hint says how to start it."""
    project.run("down", "test")
    done = project.run("drift", "test", check=False)
    assert done.returncode == 3
    assert "hint: multistack up test" in done.stderr
    project.run("up", "test")
    assert drifted(project) == {}


def test_no_inventory_says_what_to_do(project: ProjectFolder, account: Account) -> None:
    """A release that an earlier version deployed can't be compared, until it is deployed once more."""
    bucket = "multistack-artifacts-eu-west-1"
    account.client("s3").delete_object(Bucket=bucket, Key=f"deployed/{STACK}.inventory")
    change_timeout(account)
    change_variable(account)
    change_code(account)
    change_queue(account)
    done = project.run("drift", "test", check=False)
    assert done.returncode == 3
    assert "hint: deploy it once more with `multistack drift test --repair`" in done.stderr
    repair(project)
    found = account.client("lambda").get_function_configuration(FunctionName=account.id_of("ApiFunction"))
    assert found["Timeout"] == 10
    assert "DEBUG" not in found["Environment"]["Variables"]
    queue = account.client("sqs").get_queue_attributes(QueueUrl=account.id_of("PlacedQueue"), AttributeNames=["All"])
    assert queue["Attributes"]["VisibilityTimeout"] == "15"


def test_the_terminal_shows_what_changed_in_one_line_each(project: ProjectFolder, account: Account) -> None:
    """Aligned, without colours off a terminal, with the value deployed and the one found."""
    change_timeout(account)
    lines = project.run("drift", "test", check=False).stdout.splitlines()
    assert lines[0].startswith("test: 2 differences from release ")
    assert [line.split() for line in lines[1:]] == [
        ["PROPERTY", "DEPLOYED", "FOUND"],
        ["~", "ApiFunction.MemorySize", "256", "512"],
        ["~", "ApiFunction.Timeout", "10", "20"],
    ]
    repair(project)
