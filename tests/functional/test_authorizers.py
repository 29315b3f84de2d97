"""Requests of HTTP and REST APIs are let through by their authorizers, and by nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Answer, ProjectFolder, http
from tests.functional.tiny import SAM, refused, tiny_project, write

_TEMPLATE = (
    SAM
    + """
Resources:
  Pool: {Type: AWS::Cognito::UserPool, Properties: {UserPoolName: people}}
  Client:
    Type: AWS::Cognito::UserPoolClient
    Properties:
      UserPoolId: !Ref Pool
      ExplicitAuthFlows: [ALLOW_ADMIN_USER_PASSWORD_AUTH, ALLOW_REFRESH_TOKEN_AUTH]
  Http:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        DefaultAuthorizer: Asks
        Authorizers:
          Asks:
            FunctionArn: !GetAtt Decides.Arn
            AuthorizerPayloadFormatVersion: "2.0"
            EnableSimpleResponses: true
            EnableFunctionDefaultPermissions: true
            Identity: {Headers: [Authorization]}
          Token:
            IdentitySource: $request.header.Authorization
            JwtConfiguration:
              issuer: !Sub https://cognito-idp.${AWS::Region}.amazonaws.com/${Pool}
              audience: [!Ref Client]
  Rest:
    Type: AWS::Serverless::Api
    Properties:
      StageName: live
      Auth:
        DefaultAuthorizer: Asks
        Authorizers: {Asks: {FunctionArn: !GetAtt DecidesRest.Arn}}
  Decides:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.12, Handler: app.simple, CodeUri: src/}
  DecidesRest:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.12, Handler: app.policy, CodeUri: src/}
  Web:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: app.handler
      CodeUri: src/
      Events:
        Guarded: {Type: HttpApi, Properties: {ApiId: !Ref Http, Path: /guarded, Method: GET}}
        Open: {Type: HttpApi, Properties: {ApiId: !Ref Http, Path: /open, Method: GET, Auth: {Authorizer: NONE}}}
        Token: {Type: HttpApi, Properties: {ApiId: !Ref Http, Path: /token, Method: GET, Auth: {Authorizer: Token}}}
        Rest: {Type: Api, Properties: {RestApiId: !Ref Rest, Path: /guarded, Method: GET}}
Outputs:
  Pool: {Value: !Ref Pool}
  Client: {Value: !Ref Client}
"""
)
_CODE = """
import json

def simple(event, context):
    return {"isAuthorized": event["headers"]["authorization"] == "right", "context": {"who": "ann"}}

def policy(event, context):
    effect = "Allow" if event["authorizationToken"] == "right" else "Deny"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": "ann", "policyDocument": document, "context": {"who": "ann"}}

def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(event["requestContext"].get("authorizer"))}
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """An HTTP API with a function and a user pool as authorizers, and a REST API with a function."""
    root: Path = tmp_path_factory.mktemp("authorizers")
    with tiny_project(root) as project:
        write(project, "template.yaml", _TEMPLATE)
        write(project, "src/app.py", _CODE)
        project.run("up")
        yield project


def _get(project: ProjectFolder, path: str, token: str | None = None) -> Answer:
    record = json.loads((project.folder / ".multistack/proxy/server.json").read_text())
    headers = {"Authorization": token} if token else {}
    return http("GET", f"http://127.0.0.1:{record['port']}/test/_api/{path}", headers=headers)


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


def test_a_route_without_the_default_authorizer_is_open(guarded: ProjectFolder) -> None:
    """As the template says."""
    assert _get(guarded, "Http/open").status == 200


def test_a_token_of_the_user_pool_comes_in(guarded: ProjectFolder) -> None:
    """The keys are those of the environment's own pool."""
    assert _get(guarded, "Http/token").status == 401
    assert _get(guarded, "Http/token", "Bearer a.b.c").status == 401
    code = """
import boto3
formation, people = boto3.client("cloudformation"), boto3.client("cognito-idp")
(stack,) = [one for one in formation.describe_stacks()["Stacks"] if "Outputs" in one]
outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
pool, client = outputs["Pool"], outputs["Client"]
people.admin_create_user(UserPoolId=pool, Username="ann")
people.admin_set_user_password(UserPoolId=pool, Username="ann", Password="Secret-123", Permanent=True)
answer = people.admin_initiate_auth(UserPoolId=pool, ClientId=client, AuthFlow="ADMIN_USER_PASSWORD_AUTH",
    AuthParameters={"USERNAME": "ann", "PASSWORD": "Secret-123"})
print(answer["AuthenticationResult"]["IdToken"])
"""
    token = guarded.run("exec", "test", "--", sys.executable, "-c", code).stdout.strip()
    answer = _get(guarded, "Http/token", f"Bearer {token}")
    assert answer.status == 200, answer.body
    assert json.loads(answer.body)["jwt"]["claims"]["cognito:username"] == "ann"


def test_what_we_refuse_and_what_the_emulator_does_not_know_is_told_at_once(guarded: ProjectFolder) -> None:
    """One list of all that stands in the way."""
    extra = """  Old: {Type: AWS::Timestream::Database}
  Image: {Type: AWS::Serverless::Function, Properties: {PackageType: Image, ImageUri: a/b:c}}
Outputs:
"""
    write(guarded, "template.yaml", _TEMPLATE.replace("Outputs:\n", extra))
    said = refused(guarded, "deploy", "test", code=4)
    assert "Image (AWS::Lambda::Function): " in said
    assert "Old (AWS::Timestream::Database): the emulator does not know it" in said
