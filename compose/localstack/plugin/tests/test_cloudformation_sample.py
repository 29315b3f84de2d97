"""The sample service, deployed, updated, broken and brought back on a running LocalStack, with real calls."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest
from cloudformation_account import Account, Stack, eventually, failing, resource, running, unique
from localstack.services.cloudformation.engine.template_preparer import parse_template

_SAMPLE = Path(__file__).parents[4] / "sample_service"

pytestmark = pytest.mark.skipif(not _SAMPLE.exists(), reason="the sample service isn't in the image")

_CONFIG = {"DiscountEnabled": "true", "DiscountPercent": "10", "LogLevel": "info", "PageSize": "5"}
_AT = "/_aws/execute-api"


@pytest.fixture(scope="module")
def account() -> Account:
    return running()


@pytest.fixture(scope="module")
def code(account: Account) -> dict[str, str]:
    """The sample's code in a bucket."""
    bucket, packed = unique("code"), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((_SAMPLE / "src").glob("*.py")):
            archive.writestr(path.name, path.read_text())
    s3 = account.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=bucket, Key="src.zip", Body=packed.getvalue())
    return {"Bucket": bucket, "Key": "src.zip"}


def _template(name: str) -> Any:
    return parse_template((_SAMPLE / name).read_text())


def _post(account: Account, api: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"{account.url}{_AT}/{api}/live/orders",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def _config(account: Account, stack: Stack) -> Any:
    return json.loads(account.call(stack.resources["Api"], "/config")[1])["config"]


def test_the_sample_goes_from_release_to_release(account: Account, code: dict[str, str]) -> None:
    """Orders outlive a new path, new config and a failed release; a good one follows."""
    stack, body = account.stack(), _template("template.yaml")
    body["Globals"]["Function"]["CodeUri"] = code
    assert stack.deploy(body, Parameters=_CONFIG) == "CREATE_COMPLETE", stack.told
    api = stack.resources["Api"]
    assert account.call(api, "/health")[0] == 200
    order = _post(account, api, {"item": "tea", "qty": 2, "price": 10})
    assert order["total"] == 18

    def processed() -> Any:
        return json.loads(account.call(api, f"/orders/{order['id']}")[1])

    assert eventually(processed, lambda found: found["status"] == "processed")["total"] == 18
    properties = {"RestApiId": {"Ref": "Api"}, "Path": "/orders/{id}/again", "Method": "GET"}
    events = body["Resources"]["ApiFunction"]["Properties"]["Events"]
    events["Again"] = {"Type": "Api", "Properties": properties}
    table = body["Resources"]["OrdersTable"]["Properties"]
    table["TimeToLiveSpecification"] = {"AttributeName": "until", "Enabled": True}
    broken = {
        **body,
        "Resources": {**body["Resources"], "Wrong": failing("ApiFunction", "WorkerFunction", "OrdersTable")},
    }
    # A release of its own lets the functions start anew: they keep what they have read of their config.
    changed = {**_CONFIG, "DiscountPercent": "50", "MultistackRelease": "2"}
    before = stack.resources
    assert stack.deploy(broken, Parameters=changed) == "UPDATE_ROLLBACK_COMPLETE", stack.told
    assert stack.resources == before
    assert (_config(account, stack)["DiscountPercent"], processed()["total"]) == (10, 18)
    assert account.call(api, f"/orders/{order['id']}/again")[0] == 403
    assert stack.deploy(body, Parameters=changed) == "UPDATE_COMPLETE", stack.told
    assert (_config(account, stack)["DiscountPercent"], processed()["total"]) == (50, 18)
    # The path is there; the service's code doesn't know it.
    assert account.call(api, f"/orders/{order['id']}/again")[0] == 404
    assert stack.resources["Api"] == api
    assert _post(account, api, {"item": "tea", "qty": 2, "price": 10})["total"] == 10
    del events["Again"]
    assert stack.deploy(body, Parameters=changed) == "UPDATE_COMPLETE", stack.told
    assert account.call(api, f"/orders/{order['id']}/again")[0] == 403
    assert stack.delete() == "DELETE_COMPLETE", stack.told


def _next_release(body: Any) -> None:
    """Release 2: published, served by the alias and stage of test only, with one more path."""
    resources = body["Resources"]
    ping = {"RestApiId": {"Ref": "Api"}, "PathPart": "ping"}
    parent = {"ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]}}
    resources["PingResource"] = resource("ApiGateway::Resource", {**ping, **parent})
    method = json.loads(json.dumps(resources["GetHealth"]))
    method["Properties"]["ResourceId"] = {"Ref": "PingResource"}
    # Fn::Sub, as a template for AWS would have it.
    method["Properties"]["Integration"]["Uri"] = {
        "Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Function.Arn}:"
        "${!stageVariables.alias}/invocations"
    }
    resources["GetPing"] = method
    resources["SecondDeployment"] = resource(
        "ApiGateway::Deployment", {"RestApiId": {"Ref": "Api"}}, DependsOn=["GetPing"]
    )
    resources["SecondVersion"] = resource("Lambda::Version", {"FunctionName": {"Ref": "Function"}})
    resources["TestAlias"]["Properties"]["FunctionVersion"] = {"Fn::GetAtt": ["SecondVersion", "Version"]}
    resources["TestStage"]["Properties"]["DeploymentId"] = {"Ref": "SecondDeployment"}
    resources["TestStage"]["Properties"]["Variables"] = {"alias": "test", "table": {"Ref": "StagingTable"}}


def test_stages_of_one_api_are_moved_one_by_one(account: Account, code: dict[str, str]) -> None:
    """A stage, its variables and its alias move to the next release, the others stay; a failure moves them back."""
    stack = account.stack()
    given = {"CodeBucket": code["Bucket"], "CodeKey": code["Key"]}
    assert stack.deploy(_template("single-stack.yaml"), Parameters=given) == "CREATE_COMPLETE", stack.told
    api, function = stack.outputs["ApiId"], stack.outputs["FunctionName"]

    def release(stage: str) -> str:
        return str(json.loads(account.call(api, "/config", stage=stage)[1])["release"])

    def aliases() -> dict[str, str]:
        listed = account.client("lambda").list_aliases(FunctionName=function)["Aliases"]
        return {alias["Name"]: alias["FunctionVersion"] for alias in listed}

    stages = ("test", "staging", "prod")
    assert [release(stage) for stage in stages] == ["1", "1", "1"]
    before = stack.resources
    body = _template("single-stack.yaml")
    _next_release(body)
    broken = {**body, "Resources": {**body["Resources"], "Wrong": failing("TestStage", "TestAlias")}}
    assert stack.deploy(broken, Parameters={**given, "Release": "2"}) == "UPDATE_ROLLBACK_COMPLETE", stack.told
    assert (stack.resources, aliases()) == (before, dict.fromkeys(stages, "1"))
    assert [release(stage) for stage in stages] == ["1", "1", "1"]
    assert account.call(api, "/ping", stage="test")[0] == 403
    assert stack.deploy(body, Parameters={**given, "Release": "2"}) == "UPDATE_COMPLETE", stack.told
    assert [release(stage) for stage in stages] == ["2", "1", "1"]
    moved = aliases()
    assert (moved["staging"], moved["prod"]) == ("1", "1")
    assert moved["test"] == stack.resources["SecondVersion"].rpartition(":")[2]
    # The path goes to the function, which answers that it doesn't know it; the other stages don't have it.
    assert [account.call(api, "/ping", stage=stage)[0] for stage in stages] == [404, 403, 403]
    variables = account.client("apigateway").get_stage(restApiId=api, stageName="test")["variables"]
    assert variables == {"alias": "test", "table": stack.resources["StagingTable"]}
    tables = ("TestTable", "StagingTable", "ProdTable")
    assert [stack.resources[name] for name in tables] == [before[name] for name in tables]
    assert stack.delete() == "DELETE_COMPLETE", stack.told
