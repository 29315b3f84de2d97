"""The sample service as single-stack.yaml has it: environments are stages, aliases and tables of one API."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.account import Account, Api, Function, answering, eventually, unique
from tests.conformance.accounts import STARTED, Wanted
from tests.conftest import SAMPLE, Answer
from tests.drivers import is_embedded

_started = STARTED["embedded" if is_embedded() else "localstack"]
_BUCKET = "orders-code"
_ENVIRONMENTS = ("test", "staging", "prod")
_ORDER = {"id": "a-1", "item": "tea", "qty": 3, "price": 19.99}


@dataclass(frozen=True)
class SingleStack:
    """A deployed single-stack.yaml, with a second release published: version 2."""

    account: Account
    outputs: Mapping[str, str]

    def call(self, environment: str, path: str, **more: Any) -> Answer:
        """Call one environment."""
        return self.account.call(Api(self.outputs["ApiId"]), environment, path, **more)

    def release(self, environment: str) -> str:
        """The release that answers in an environment."""
        return self.call(environment, "/health").headers["X-Release"]

    def move(self, alias: str, version: str, weights: Mapping[str, float] | None = None) -> None:
        """Point an alias at a version, and a share of its calls at others."""
        self.account.client("lambda").update_alias(
            FunctionName=self.outputs["FunctionName"],
            Name=alias,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": dict(weights or {})},
        )

    def set_variable(self, stage: str, name: str, value: str) -> None:
        """Edit a stage variable."""
        self.account.client("apigateway").update_stage(
            restApiId=self.outputs["ApiId"],
            stageName=stage,
            patchOperations=[{"op": "replace", "path": f"/variables/{name}", "value": value}],
        )


def _zip_of_source() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((SAMPLE / "src").glob("*.py")):
            archive.write(path, path.name)
    return packed.getvalue()


def _publish(account: Account, name: str, release: str) -> str:
    """Publish a version that says it is *release*."""
    aws = account.client("lambda")
    variables = aws.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    aws.update_function_configuration(FunctionName=name, Environment={"Variables": {**variables, "RELEASE": release}})
    account.settle(name)
    return str(aws.publish_version(FunctionName=name)["Version"])


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An environment of its own, with the code in a bucket."""
    with _started(tmp_path_factory.mktemp("single"), Wanted()) as endpoint:
        made = Account(endpoint)
        s3 = made.client("s3")
        s3.create_bucket(Bucket=_BUCKET, CreateBucketConfiguration={"LocationConstraint": endpoint.region})
        s3.put_object(Bucket=_BUCKET, Key="orders.zip", Body=_zip_of_source())
        yield made


@pytest.fixture
def single(account: Account) -> SingleStack:
    """A stack of its own for each test."""
    stack = account.client("cloudformation").create_stack(
        StackName=unique("orders"),
        TemplateBody=(SAMPLE / "single-stack.yaml").read_text(encoding="utf-8"),
        Parameters=[
            {"ParameterKey": "CodeBucket", "ParameterValue": _BUCKET},
            {"ParameterKey": "CodeKey", "ParameterValue": "orders.zip"},
        ],
        Capabilities=["CAPABILITY_IAM"],
    )["StackId"]
    made = account.stack_settled(stack)
    assert made["StackStatus"] == "CREATE_COMPLETE", made.get("StackStatusReason")
    outputs = {output["OutputKey"]: output["OutputValue"] for output in made["Outputs"]}
    assert _publish(account, outputs["FunctionName"], "2") == "2"
    return SingleStack(account, outputs)


def test_environments_answer_from_different_versions(single: SingleStack) -> None:
    """Moving test's alias gives test the second release, and leaves prod the first."""
    assert [single.release(environment) for environment in _ENVIRONMENTS] == ["1", "1", "1"]
    single.move("test", "2")
    assert [single.release(environment) for environment in _ENVIRONMENTS] == ["2", "1", "1"]
    assert single.call("prod", "/config").json()["environment"] == "prod"


def test_environments_have_tables_of_their_own(single: SingleStack) -> None:
    """An order of prod is in no other environment."""
    assert single.call("prod", "/orders", method="POST", body=_ORDER).status == 201
    statuses = [single.call(environment, "/orders/a-1").status for environment in _ENVIRONMENTS]
    assert statuses == [404, 404, 200]


def test_a_weight_is_the_share_of_the_calls(single: SingleStack) -> None:
    """A weight of 0.3 on prod's alias gives the second release between 0.25 and 0.35 of 1,000 calls."""
    single.move("prod", "1", {"2": 0.3})
    with ThreadPoolExecutor(8) as pool:
        releases = Counter(pool.map(lambda _: single.release("prod"), range(1000)))
    assert releases.keys() == {"1", "2"}
    assert 250 <= releases["2"] <= 350
    assert single.release("staging") == "1"


def test_a_bad_version_in_the_wrong_alias_breaks_prod(single: SingleStack) -> None:
    """A release that fails, put into prod's alias instead of test's, answers 502 on every call (LAB X01)."""
    account, name = single.account, single.outputs["FunctionName"]
    account.update_code(Function(name=name, arn=name, region=account.endpoint.region), "raise ValueError\n")
    bad = account.client("lambda").publish_version(FunctionName=name)["Version"]
    single.move("prod", bad)
    assert [single.call("prod", path).status for path in ("/health", "/orders")] == [502, 502]
    assert single.call("test", "/health").status == 200


def test_a_misspelt_alias_breaks_prod(single: SingleStack) -> None:
    """A stage variable that names no alias answers 500 on every call (LAB X02)."""
    single.set_variable("prod", "alias", "tset")
    # LocalStack says 502, with the body that AWS has for 500.
    assert single.call("prod", "/health").status == (500 if is_embedded() else 502)
    assert single.call("test", "/health").status == 200


def test_a_wrong_table_is_silent(single: SingleStack) -> None:
    """A stage variable with test's table makes prod answer 200 with test's data (LAB X03)."""
    single.call("test", "/orders", method="POST", body=_ORDER)
    single.set_variable("prod", "table", single.outputs["TestTable"])
    answer = single.call("prod", "/orders/a-1")
    assert (answer.status, answer.json()["id"]) == (200, "a-1")


@pytest.mark.embedded("no HTTP APIs in LocalStack's open source")
def test_stages_survive_a_restart(tmp_path: Path) -> None:
    """Deployments, canaries, permissions and stage variables are as they were after the emulator was restarted."""
    with _started(tmp_path, Wanted()) as endpoint:
        before = Account(endpoint)
        function, other = (before.function(answering(text)) for text in ("one", "two"))
        before.alias(function, "prod", before.publish(function))
        before.allow_apis(function, "prod")
        before.allow_apis(other)
        api = before.rest_api(function.uri("${stageVariables.alias}"))
        before.deploy(api, "prod", variables={"alias": "prod"})
        edited = before.add_path(api, "/y", other.uri())
        before.deploy(api, "prod", canarySettings={"percentTraffic": 100.0})
        before.add_path(edited, "/z", other.uri())
        manual = before.http_api(other.arn)
        gateway = before.client("apigatewayv2")
        gateway.create_stage(ApiId=manual.id, StageName="manual")
        gateway.create_deployment(ApiId=manual.id, StageName="manual")
        gateway.delete_route(ApiId=manual.id, RouteId=gateway.get_routes(ApiId=manual.id)["Items"][0]["RouteId"])
    with _started(tmp_path, Wanted()) as endpoint:
        after = Account(endpoint)
        assert eventually(lambda: after.call(api, "prod").status, lambda status: status == 200) == 200
        assert [after.call(api, "prod", path).status for path in ("/x", "/y", "/z")] == [200, 200, 403]
        after.client("apigateway").update_stage(
            restApiId=api.id,
            stageName="prod",
            patchOperations=[{"op": "replace", "path": "/canarySettings/percentTraffic", "value": "0"}],
        )
        assert [after.call(api, "prod", path).status for path in ("/x", "/y", "/z")] == [200, 403, 403]
        assert after.call(manual, "manual").body == b"two"
        assert after.call(after.http_api(function.arn), "live").status == 500
