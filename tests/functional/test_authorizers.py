"""Requests of HTTP and REST APIs are let through by their authorizers, and by nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import Answer, ProjectFolder, http
from tests.frameworks.features import shows
from tests.functional.tiny import PROJECT, refused, tiny_project, write

_TEMPLATE = Path(__file__).with_name("authorizers.yaml").read_text()
_CODE = """
import json

def simple(event, context):
    return {"isAuthorized": event["headers"]["authorization"] == "right", "context": {"who": "ann"}}

def policy(event, context):
    of_request = {**(event.get("headers") or {}), **(event.get("queryStringParameters") or {})}
    given = event.get("authorizationToken") or of_request.get("x-token") or of_request.get("token")
    if given == "none":
        raise Exception("Unauthorized")
    effect = "Allow" if given == "right" else "Deny"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": "ann", "policyDocument": document, "context": {"who": "ann"}}

def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(event["requestContext"].get("authorizer"))}
"""


_PROJECT = (
    PROJECT
    + """
[environments.strict]
account_id = "222222222222"
enforce_iam = true
"""
)
_SIGNED = (
    "AWS4-HMAC-SHA256 Credential=111111111111/20261127/us-east-1/execute-api/aws4_request, "
    "SignedHeaders=host, Signature=abc"
)
# Credentials that only the environment can make.
_MAKE = """
import boto3, json
formation, people = boto3.client("cloudformation"), boto3.client("cognito-idp")
(stack,) = [one for one in formation.describe_stacks()["Stacks"] if "Outputs" in one]
outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
pool, client = outputs["Pool"], outputs["Client"]
people.admin_create_user(UserPoolId=pool, Username="ann")
people.admin_set_user_password(UserPoolId=pool, Username="ann", Password="Secret-123", Permanent=True)
answer = people.admin_initiate_auth(UserPoolId=pool, ClientId=client, AuthFlow="ADMIN_USER_PASSWORD_AUTH",
    AuthParameters={"USERNAME": "ann", "PASSWORD": "Secret-123"})
gateway = boto3.client("apigateway")
keys = gateway.get_api_keys(includeValues=True)["items"]
print(json.dumps({
    "token": answer["AuthenticationResult"]["IdToken"],
    **{"Plain" if one["name"] == "plain" else "Keyed": one["value"] for one in keys},
    "url": f"{formation.meta.endpoint_url}/_aws/lambda-url/{outputs['Url'].split('/')[2].split('.')[0]}/",
}))
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """APIs with functions, a user pool, keys, IAM and a policy as guards; in ``strict`` IAM is enforced."""
    root: Path = tmp_path_factory.mktemp("authorizers")
    with tiny_project(root) as project:
        write(project, "multistack.toml", _PROJECT)
        write(project, "template.yaml", _TEMPLATE)
        write(project, "src/app.py", _CODE)
        write(project, "said.txt", project.run("up").stderr)
        yield project


@pytest.fixture(scope="module")
def credentials(guarded: ProjectFolder) -> Mapping[str, str]:
    """A token of the user pool, the API key of each API that asks for one, and the address of the function's URL."""
    found: Mapping[str, str] = json.loads(guarded.run("exec", "test", "--", sys.executable, "-c", _MAKE).stdout)
    return found


def _ask(
    project: ProjectFolder, path: str, method: str = "GET", *, environment: str = "test", **headers: str
) -> Answer:
    record = json.loads((project.folder / ".multistack/proxy/server.json").read_text())
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return http(method, f"http://127.0.0.1:{record['port']}/{environment}/_api/{path}", headers=sent)


def _get(project: ProjectFolder, path: str, token: str | None = None) -> Answer:
    return _ask(project, path, **({"Authorization": token} if token else {}))


@shows("SAM", "`Auth` of REST and HTTP APIs: functions by token or request")
@pytest.mark.parametrize(("api", "context"), [("Http", ("lambda", "who")), ("Rest", ("who",))], ids=["HTTP", "REST"])
def test_a_function_decides_who_comes_in(guarded: ProjectFolder, api: str, context: tuple[str, ...]) -> None:
    """Without a token 401, with a wrong one 403, with the right one the function gets what the authorizer said."""
    assert _get(guarded, f"{api}/guarded").status == 401
    assert _get(guarded, f"{api}/guarded", "wrong").status == 403
    answer = _get(guarded, f"{api}/guarded", "right")
    assert answer.status == 200
    found = json.loads(answer.body)
    for key in context:
        found = found[key]
    assert found == "ann"


@pytest.mark.parametrize("path", ["Http/open", "Rest/open", "Body/open"])
def test_a_route_without_the_default_authorizer_is_open(guarded: ProjectFolder, path: str) -> None:
    """As the template says."""
    assert _get(guarded, path).status == 200


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        ("Rest/request", "GET", {}, 401),
        ("Rest/request", "POST", {"X_Token": "none"}, 401),
        ("Rest/request", "POST", {"X_Token": "wrong"}, 403),
        ("Rest/request", "POST", {"X_Token": "right"}, 200),
        ("Plain/", "GET", {}, 401),
        ("Plain/?token=wrong", "GET", {}, 403),
        ("Plain/?token=right", "GET", {}, 200),
    ],
)
def test_a_function_decides_by_the_whole_request(
    guarded: ProjectFolder, path: str, method: str, headers: dict[str, str], status: int
) -> None:
    """What its identity sources name has to be there: headers, parameters, and what API Gateway knows itself."""
    assert _ask(guarded, path, method, **headers).status == status


@shows("SAM", "`Auth` of REST and HTTP APIs: tokens of a user pool")
@shows("CloudFormation", "guards of an OpenAPI definition")
@pytest.mark.parametrize(
    ("path", "scheme", "claims"),
    [
        ("Http/token", "Bearer ", ("jwt", "claims")),
        ("Rest/people", "", ("claims",)),
        ("Body/people", "", ("claims",)),
    ],
    ids=["HTTP", "SAM", "OpenAPI"],
)
def test_a_token_of_the_user_pool_comes_in(
    guarded: ProjectFolder, credentials: Mapping[str, str], path: str, scheme: str, claims: tuple[str, ...]
) -> None:
    """The keys are those of the environment's own pool."""
    assert _get(guarded, path).status == 401
    head, payload, _ = credentials["token"].split(".")
    for forged in ("a.b.c", f"{head}.{payload}.c2lnbmVk"):
        assert _get(guarded, path, scheme + forged).status == 401
    answer = _get(guarded, path, scheme + credentials["token"])
    assert answer.status == 200, answer.body
    found = json.loads(answer.body)
    for key in claims:
        found = found[key]
    assert found["cognito:username"] == "ann"


@shows("SAM", "`ApiKeyRequired` and usage plans")
@shows("CloudFormation", "methods and authorizers of their own, usage plans")
@pytest.mark.parametrize(
    ("path", "method", "other"),
    [("Keyed/keyed", "GET", "Plain"), ("Plain/", "PUT", "Keyed")],
    ids=["SAM", "plain"],
)
def test_a_key_of_a_usage_plan_comes_in(
    guarded: ProjectFolder, credentials: Mapping[str, str], path: str, method: str, other: str
) -> None:
    """Of a plan that is the API's own: a key that is right elsewhere is none here."""
    for given in ({}, {"X_Api_Key": "wrong"}, {"X_Api_Key": credentials[other]}):
        answer = _ask(guarded, path, method, **given)
        assert (answer.status, answer.body) == (403, b'{"message":"Forbidden"}')
    assert _ask(guarded, path, method, X_Api_Key=credentials[path.partition("/")[0]]).status == 200


@shows("SAM", "`AWS_IAM` of APIs and functions' URLs", "a signature is asked for; checked with `enforce_iam = true`")
@pytest.mark.parametrize(
    ("path", "unsigned"),
    [
        ("Rest/signed", b'{"message":"Missing Authentication Token"}'),
        ("Body/signed", b'{"message":"Missing Authentication Token"}'),
        ("Http/signed", b'{"message": "Forbidden"}'),
    ],
)
def test_where_iam_guards_a_signature_is_asked_for(guarded: ProjectFolder, path: str, unsigned: bytes) -> None:
    """Whose, is told not to be checked; another header than a signature is none."""
    answer = _get(guarded, path)
    assert (answer.status, answer.body) == (403, unsigned)
    assert _get(guarded, path, "Bearer a.b.c").status == 403
    assert _get(guarded, path, _SIGNED).status == 200


def test_a_function_url_asks_for_a_signature(guarded: ProjectFolder, credentials: Mapping[str, str]) -> None:
    """As an API does."""
    assert http("GET", credentials["url"]).status == 403
    assert http("GET", credentials["url"], headers={"Authorization": _SIGNED}).status == 200


@shows("SAM", "`ResourcePolicy`", "with `enforce_iam = true`; else told")
@pytest.mark.parametrize("path", ["Closed/open", "Closed/guarded"], ids=["open", "with an authorizer"])
def test_a_resource_policy_holds_where_iam_is_enforced(guarded: ProjectFolder, path: str) -> None:
    """Elsewhere it refuses nobody, and that is told."""
    assert _ask(guarded, path, Authorization="right").status == 200
    answer = _ask(guarded, path, environment="strict", Authorization="right")
    assert answer.status == 403
    assert b"explicit deny in a resource-based policy" in answer.body


def test_what_is_not_checked_is_told(guarded: ProjectFolder) -> None:
    """Once per resource, and only for the environment that does not enforce IAM."""
    said = [line for line in (guarded.folder / "said.txt").read_text().splitlines() if " warning: " in line]
    assert {line.split()[2] for line in said} == {"Body", "Closed", "Http", "Rest", "WebUrl"}
    assert all(line.split()[0] == "test" and "closest: enforce_iam = true" in line for line in said)


def test_what_we_refuse_and_what_the_emulator_does_not_know_is_told_at_once(guarded: ProjectFolder) -> None:
    """One list of all that stands in the way."""
    extra = """  Old: {Type: AWS::Timestream::Database}
  Odd:
    Type: AWS::ApiGateway::RestApi
    Properties: {Body: {paths: {/: {get: {security: [{odd: []}]}}}}}
  Image: {Type: AWS::Serverless::Function, Properties: {PackageType: Image, ImageUri: a/b:c}}
Outputs:
"""
    write(guarded, "template.yaml", _TEMPLATE.replace("Outputs:\n", extra, 1))
    said = refused(guarded, "deploy", "test", code=4)
    assert "Odd (AWS::ApiGateway::RestApi): the emulator can't guard it by odd; closest: an authorizer of type" in said
    assert "Image (AWS::Lambda::Function): " in said
    assert "Old (AWS::Timestream::Database): the emulator does not know it" in said


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        pytest.param("items?q=1", {"n": 1}, 200, None, id="as asked for"),
        pytest.param("items", {"n": 1}, 400, "Missing required request parameters: [q]", id="parameter"),
        pytest.param("items?q=1", {"n": "x"}, 400, "Invalid request body", id="body"),
    ],
)
def test_requests_are_checked_by_the_validators_of_a_template(
    guarded: ProjectFolder, path: str, body: dict[str, object], status: int, said: str | None
) -> None:
    """Those of resources of their own as those of a definition."""
    kind = {"Content-Type": "application/json"}
    answer = http("POST", guarded.url("test", f"_api/Checked/{path}"), body, headers=kind)
    assert (answer.status, answer.json().get("message")) == (status, said)
