"""IAM: what a role or a user may not do is refused, where it is enforced."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from tests.conformance.account import Account, Function, answering, eventually, unique
from tests.conformance.cases import case

_ROLE = "https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html"
_LOGIC = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html"
_PARAMETERS = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html"
_KINDS = "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html"
_DENIED = "AccessDeniedException"
# Makes the call that it is asked for, and answers with the code of the refusal.
_CALLER = """
import boto3
from botocore.exceptions import ClientError
def handler(event, context):
    service, call, arguments = event
    try:
        getattr(boto3.client(service), call)(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "done"
"""


def _statement(effect: str, action: str, resource: str = "*") -> dict[str, str]:
    return {"Effect": effect, "Action": action, "Resource": resource}


_NOTHING = _statement("Allow", "logs:PutLogEvents")


def _table(account: Account) -> str:
    name = unique("table")
    account.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    return name


def _put(account: Account, function: Function, table: str, *, until: str) -> str:
    """What the function gets for a PutItem, once it is *until*: policies take a moment on AWS."""
    event = ["dynamodb", "put_item", {"TableName": table, "Item": {"id": {"S": "1"}}}]
    return str(eventually(lambda: account.invoke(function, event)["Payload"], lambda found: found == until, timeout=4))


def _allow(account: Account, role: str, *statements: dict[str, str]) -> None:
    """Replace what a role's inline policy says."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    name = role.rpartition("/")[2]
    account.client("iam").put_role_policy(RoleName=name, PolicyName="allowed", PolicyDocument=policy)


@case(rule=12, source=_ROLE)
def test_a_role_without_an_action_is_refused(enforcing_account: Account) -> None:
    """A function whose role lacks an action gets AccessDenied for it, and nothing happens."""
    table = _table(enforcing_account)
    function = enforcing_account.function(_CALLER, role=enforcing_account.role(_NOTHING))
    assert _put(enforcing_account, function, table, until=_DENIED) == _DENIED
    assert enforcing_account.client("dynamodb").scan(TableName=table)["Count"] == 0


@case(rule=12, source="https://docs.aws.amazon.com/lambda/latest/dg/permissions-executionrole-update.html")
def test_a_changed_role_takes_effect_without_a_deployment(enforcing_account: Account) -> None:
    """What a function's role allows can be changed at any time, without a deployment."""
    table, role = _table(enforcing_account), enforcing_account.role(_NOTHING)
    function = enforcing_account.function(_CALLER, role=role)
    assert _put(enforcing_account, function, table, until=_DENIED) == _DENIED
    _allow(enforcing_account, role, _statement("Allow", "dynamodb:PutItem"))
    assert _put(enforcing_account, function, table, until="done") == "done"
    _allow(enforcing_account, role, _statement("Allow", "dynamodb:GetItem"))
    assert _put(enforcing_account, function, table, until=_DENIED) == _DENIED


@case(rule=12, source=_LOGIC)
def test_an_explicit_deny_wins(enforcing_account: Account) -> None:
    """A statement that denies an action wins over one that allows everything."""
    table = _table(enforcing_account)
    role = enforcing_account.role(_statement("Allow", "*"), _statement("Deny", "dynamodb:PutItem"))
    function = enforcing_account.function(_CALLER, role=role)
    assert _put(enforcing_account, function, table, until=_DENIED) == _DENIED
    read = ["dynamodb", "get_item", {"TableName": table, "Key": {"id": {"S": "1"}}}]
    assert enforcing_account.invoke(function, read)["Payload"] == "done"


@case(rule=12, source="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html")
def test_an_action_is_allowed_on_its_resources_only(enforcing_account: Account) -> None:
    """A role that may write to tables of one name pattern may not write to others."""
    mine, other = _table(enforcing_account), _table(enforcing_account)
    role = enforcing_account.role(_statement("Allow", "dynamodb:*Item", f"arn:aws:dynamodb:*:*:table/?{mine[1:]}"))
    function = enforcing_account.function(_CALLER, role=role)
    assert _put(enforcing_account, function, mine, until="done") == "done"
    assert _put(enforcing_account, function, other, until=_DENIED) == _DENIED


@case(rule=12, source=_KINDS)
def test_a_managed_policy_counts_like_an_inline_one(enforcing_account: Account) -> None:
    """What a managed policy allows is allowed from its attachment to its detachment."""
    table, role = _table(enforcing_account), enforcing_account.role(_NOTHING)
    function = enforcing_account.function(_CALLER, role=role)
    iam, name = enforcing_account.client("iam"), role.rpartition("/")[2]
    document = json.dumps({"Version": "2012-10-17", "Statement": [_statement("Allow", "dynamodb:PutItem")]})
    policy = iam.create_policy(PolicyName=unique("policy"), PolicyDocument=document)["Policy"]["Arn"]
    assert _put(enforcing_account, function, table, until=_DENIED) == _DENIED
    iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    assert _put(enforcing_account, function, table, until="done") == "done"
    iam.detach_role_policy(RoleName=name, PolicyArn=policy)
    assert _put(enforcing_account, function, table, until=_DENIED) == _DENIED


@case(rule=12, source="https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html")
def test_a_user_is_limited_by_its_policies(enforcing_account: Account) -> None:
    """A caller with a user's access key may do what the user's policies allow and nothing else."""
    iam, user = enforcing_account.client("iam"), unique("user")
    iam.create_user(UserName=user)
    document = json.dumps({"Version": "2012-10-17", "Statement": [_statement("Allow", "sqs:ListQueues")]})
    iam.put_user_policy(UserName=user, PolicyName="allowed", PolicyDocument=document)
    key = iam.create_access_key(UserName=user)["AccessKey"]

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=enforcing_account.endpoint.url,
            region_name=enforcing_account.endpoint.region,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )

    client("sqs").list_queues()
    dynamodb = client("dynamodb")
    with pytest.raises(dynamodb.exceptions.ClientError) as refused:
        dynamodb.list_tables()
    assert refused.value.response["Error"]["Code"] == _DENIED


@case(rule=12, source=_ROLE, gap="assumable_role")
def test_a_role_must_trust_lambda(enforcing_account: Account) -> None:
    """A function can't be made with a role that Lambda is not trusted to assume."""
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = enforcing_account.client("iam").create_role(RoleName=unique("role"), AssumeRolePolicyDocument=document)
    aws = enforcing_account.client("lambda")
    with pytest.raises(aws.exceptions.InvalidParameterValueException) as refused:
        enforcing_account.function(answering("one"), role=role["Role"]["Arn"])
    assert "cannot be assumed by Lambda" in refused.value.response["Error"]["Message"]


def _parameters(account: Account) -> tuple[str, str, Function]:
    """Two paths with a parameter each, and a function that may read the first one only."""
    mine, other = f"/{unique('mine')}", f"/{unique('other')}"
    for path in (mine, other):
        account.client("ssm").put_parameter(Name=f"{path}/Flag", Value="on", Type="String")
    arn = f"arn:aws:ssm:{account.endpoint.region}:{account.endpoint.account_id}:parameter{mine}"
    role = account.role(*(_statement("Allow", "ssm:GetParameter*", resource) for resource in (arn, f"{arn}/*")))
    return mine, other, account.function(_CALLER, role=role)


@case(rule=12, source=_PARAMETERS, gap="parameter_resources")
def test_parameters_are_read_by_an_allowed_path(enforcing_account: Account) -> None:
    """A role that may read one path of parameters may read that path and no other."""
    mine, other, function = _parameters(enforcing_account)
    found = [
        enforcing_account.invoke(function, ["ssm", "get_parameters_by_path", {"Path": path}])["Payload"]
        for path in (mine, other)
    ]
    assert found == ["done", _DENIED]


@case(rule=12, source=_PARAMETERS, gap="parameter_resources")
def test_every_parameter_that_is_asked_for_must_be_allowed(enforcing_account: Account) -> None:
    """A request for several parameters is refused when the role may not read one of them."""
    mine, other, function = _parameters(enforcing_account)
    found = [
        enforcing_account.invoke(function, ["ssm", "get_parameters", {"Names": names}])["Payload"]
        for names in ([f"{mine}/Flag"], [f"{mine}/Flag", f"{other}/Flag"])
    ]
    assert found == ["done", _DENIED]


@case(source="https://docs.localstack.cloud/aws/capabilities/security-testing/iam-policy-enforcement/")
def test_without_enforcement_a_role_may_do_everything(account: Account) -> None:
    """An emulator that does not enforce IAM lets a function do what its role does not allow."""
    function = account.function(_CALLER, role=account.role(_NOTHING))
    assert _put(account, function, _table(account), until="done") == "done"
