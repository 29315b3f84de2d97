"""Each resource type updated on a running LocalStack: in place, with its data, and back again when the update fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from cloudformation_account import Account, failing, resource, running, template, unique, zipped

Look = Callable[[Account, str], Any]

_KEY = {
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
}
_TABLE = {"BillingMode": "PAY_PER_REQUEST", **_KEY}
_INDEX = {
    "IndexName": "by-sku",
    "KeySchema": [{"AttributeName": "sku", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
_INDEXED = {
    **_TABLE,
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "sku")],
    "GlobalSecondaryIndexes": [_INDEX],
}
_TRUST = {"Version": "2012-10-17", "Statement": []}
_ALLOWED = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
_POLICY = {"Version": "2012-10-17", "Statement": [_ALLOWED]}
_OPEN = {"Version": "2012-10-17", "Statement": [{**_ALLOWED, "Action": "s3:*"}]}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One resource before and after an update, and what to look at."""

    kind: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    look: Look
    seen: tuple[Any, Any]
    others: Mapping[str, Any] = field(default_factory=dict)


def _queue(account: Account, url: str) -> Any:
    found = account.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return found["VisibilityTimeout"], found.get("DelaySeconds")


def _queue_tags(account: Account, url: str) -> Any:
    return account.client("sqs").list_queue_tags(QueueUrl=url).get("Tags", {})


def _topic(account: Account, arn: str) -> Any:
    return account.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"].get("DisplayName", "")


def _subscription(account: Account, arn: str) -> Any:
    found = account.client("sns").get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    return found.get("RawMessageDelivery", "false"), json.loads(found.get("FilterPolicy", "{}"))


def _parameter(account: Account, name: str) -> Any:
    ssm = account.client("ssm")
    filters = [{"Key": "Name", "Values": [name]}]
    described = ssm.describe_parameters(ParameterFilters=filters)["Parameters"][0].get("Description", "")
    return ssm.get_parameter(Name=name)["Parameter"]["Value"], described


def _secret(account: Account, arn: str) -> Any:
    aws = account.client("secretsmanager")
    return aws.get_secret_value(SecretId=arn)["SecretString"], aws.describe_secret(SecretId=arn).get("Description", "")


def _billing(account: Account, name: str) -> Any:
    table = account.client("dynamodb").describe_table(TableName=name)["Table"]
    mode = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    return mode, table["ProvisionedThroughput"]["ReadCapacityUnits"] if mode == "PROVISIONED" else None


def _indexes(account: Account, name: str) -> Any:
    table = account.client("dynamodb").describe_table(TableName=name)["Table"]
    return [index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])]


def _time_to_live(account: Account, name: str) -> Any:
    found = account.client("dynamodb").describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    is_on = found["TimeToLiveStatus"] == "ENABLED"
    return is_on, found["AttributeName"] if is_on else None


def _stream(account: Account, name: str) -> Any:
    table = account.client("dynamodb").describe_table(TableName=name)["Table"]
    return (table.get("StreamSpecification") or {}).get("StreamViewType")


def _versioning(account: Account, bucket: str) -> Any:
    return account.client("s3").get_bucket_versioning(Bucket=bucket).get("Status")


def _rules_of(account: Account, bucket: str) -> Any:
    s3 = account.client("s3")
    cors = s3.get_bucket_cors(Bucket=bucket)["CORSRules"][0]["AllowedOrigins"]
    days = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]["Expiration"]["Days"]
    return cors, days


def _public(account: Account, bucket: str) -> Any:
    s3 = account.client("s3")
    try:
        return s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]["BlockPublicAcls"]
    except s3.exceptions.ClientError:
        return None


def _bucket_policy(account: Account, _id: str) -> Any:
    s3 = account.client("s3")
    bucket = next(one["Name"] for one in s3.list_buckets()["Buckets"] if one["Name"] == _POLICED)
    return json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]["Action"]


def _role(account: Account, name: str) -> Any:
    iam = account.client("iam")
    attached = [one["PolicyName"] for one in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]]
    inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
    return iam.get_role(RoleName=name)["Role"].get("Description", ""), attached, inline


def _managed_policy(account: Account, arn: str) -> Any:
    iam = account.client("iam")
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return document["Statement"][0]["Action"]


def _log_group(account: Account, name: str) -> Any:
    found = account.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]
    return found.get("retentionInDays")


def _rule(account: Account, name: str) -> Any:
    events = account.client("events")
    targets = [one["Id"] for one in events.list_targets_by_rule(Rule=name)["Targets"]]
    return events.describe_rule(Name=name)["ScheduleExpression"], sorted(targets)


def _key(account: Account, name: str) -> Any:
    kms = account.client("kms")
    return (
        kms.describe_key(KeyId=name)["KeyMetadata"]["Description"],
        kms.get_key_rotation_status(KeyId=name)["KeyRotationEnabled"],
    )


_POLICED = unique("policed")
_QUEUE = {"Other": resource("SQS::Queue")}
_TOPIC = {"Other": resource("SNS::Topic"), "Queue": resource("SQS::Queue")}
_SUBSCRIBED = {"TopicArn": {"Ref": "Other"}, "Protocol": "sqs", "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]}}
_TARGET = {"Arn": {"Fn::GetAtt": ["Other", "Arn"]}}
_CORS = {"CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["http://a"]}]}
_EXPIRED = {"Rules": [{"Id": "r", "Status": "Enabled", "ExpirationInDays": 3}]}

CASES = {
    "queue": Case(
        kind="SQS::Queue",
        before={"VisibilityTimeout": 10, "DelaySeconds": 5},
        after={"VisibilityTimeout": 20},
        look=_queue,
        seen=(("10", "5"), ("20", "0")),
    ),
    "queue tags": Case(
        kind="SQS::Queue",
        before={"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "1"}]},
        after={"Tags": [{"Key": "a", "Value": "2"}]},
        look=_queue_tags,
        seen=({"a": "1", "b": "1"}, {"a": "2"}),
    ),
    "topic": Case(kind="SNS::Topic", before={"DisplayName": "a"}, after={}, look=_topic, seen=("a", "")),
    "subscription": Case(
        kind="SNS::Subscription",
        before={**_SUBSCRIBED, "RawMessageDelivery": True, "FilterPolicy": {"a": ["b"]}},
        after={**_SUBSCRIBED, "FilterPolicy": {"a": ["c"]}},
        look=_subscription,
        seen=(("true", {"a": ["b"]}), ("false", {"a": ["c"]})),
        others=_TOPIC,
    ),
    "parameter": Case(
        kind="SSM::Parameter",
        before={"Type": "String", "Value": "a", "Description": "d"},
        after={"Type": "String", "Value": "b", "Description": "e"},
        look=_parameter,
        seen=(("a", "d"), ("b", "e")),
    ),
    "secret": Case(
        kind="SecretsManager::Secret",
        before={"SecretString": "a", "Description": "d"},
        after={"SecretString": "b", "Description": "e"},
        look=_secret,
        seen=(("a", "d"), ("b", "e")),
    ),
    "billing": Case(
        kind="DynamoDB::Table",
        before=_TABLE,
        after={**_KEY, "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2}},
        look=_billing,
        seen=(("PAY_PER_REQUEST", None), ("PROVISIONED", 3)),
    ),
    "index added": Case(kind="DynamoDB::Table", before=_TABLE, after=_INDEXED, look=_indexes, seen=([], ["by-sku"])),
    "index dropped": Case(kind="DynamoDB::Table", before=_INDEXED, after=_TABLE, look=_indexes, seen=(["by-sku"], [])),
    "time to live": Case(
        kind="DynamoDB::Table",
        before=_TABLE,
        after={**_TABLE, "TimeToLiveSpecification": {"AttributeName": "until", "Enabled": True}},
        look=_time_to_live,
        seen=((False, None), (True, "until")),
    ),
    "stream": Case(
        kind="DynamoDB::Table",
        before={**_TABLE, "StreamSpecification": {"StreamViewType": "NEW_IMAGE"}},
        after={**_TABLE, "StreamSpecification": {"StreamViewType": "KEYS_ONLY"}},
        look=_stream,
        seen=("NEW_IMAGE", "KEYS_ONLY"),
    ),
    "bucket versioning": Case(
        kind="S3::Bucket",
        before={"VersioningConfiguration": {"Status": "Enabled"}},
        after={},
        look=_versioning,
        seen=("Enabled", "Suspended"),
    ),
    "bucket rules": Case(
        kind="S3::Bucket",
        before={"CorsConfiguration": _CORS, "LifecycleConfiguration": _EXPIRED},
        after={
            "CorsConfiguration": {"CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["http://b"]}]},
            "LifecycleConfiguration": {"Rules": [{"Id": "r", "Status": "Enabled", "ExpirationInDays": 4}]},
        },
        look=_rules_of,
        seen=((["http://a"], 3), (["http://b"], 4)),
    ),
    "bucket access": Case(
        kind="S3::Bucket",
        before={"PublicAccessBlockConfiguration": {"BlockPublicAcls": False}},
        after={"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}},
        look=_public,
        seen=(False, True),
    ),
    "bucket policy": Case(
        kind="S3::BucketPolicy",
        before={
            "Bucket": {"Ref": "Other"},
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [{**_ALLOWED, "Principal": "*"}]},
        },
        after={
            "Bucket": {"Ref": "Other"},
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{**_ALLOWED, "Principal": "*", "Action": "s3:PutObject"}],
            },
        },
        look=_bucket_policy,
        seen=("s3:GetObject", "s3:PutObject"),
        others={"Other": resource("S3::Bucket", {"BucketName": _POLICED})},
    ),
    "role": Case(
        kind="IAM::Role",
        before={
            "AssumeRolePolicyDocument": _TRUST,
            "Description": "a",
            "ManagedPolicyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
            "Policies": [{"PolicyName": "p", "PolicyDocument": _POLICY}],
        },
        after={
            "AssumeRolePolicyDocument": _TRUST,
            "ManagedPolicyArns": ["arn:aws:iam::aws:policy/AmazonS3FullAccess"],
            "Policies": [{"PolicyName": "q", "PolicyDocument": _POLICY}],
        },
        look=_role,
        seen=(("a", ["ReadOnlyAccess"], ["p"]), ("", ["AmazonS3FullAccess"], ["q"])),
    ),
    "managed policy": Case(
        kind="IAM::ManagedPolicy",
        before={"PolicyDocument": _POLICY},
        after={"PolicyDocument": _OPEN},
        look=_managed_policy,
        seen=("s3:GetObject", "s3:*"),
    ),
    "log group": Case(kind="Logs::LogGroup", before={"RetentionInDays": 7}, after={}, look=_log_group, seen=(7, None)),
    "rule": Case(
        kind="Events::Rule",
        before={"ScheduleExpression": "rate(1 hour)", "Targets": [{**_TARGET, "Id": "a"}]},
        after={"ScheduleExpression": "rate(2 hours)", "Targets": [{**_TARGET, "Id": "b"}]},
        look=_rule,
        seen=(("rate(1 hour)", ["a"]), ("rate(2 hours)", ["b"])),
        others=_QUEUE,
    ),
    "key": Case(
        kind="KMS::Key",
        before={"Description": "a"},
        after={"Description": "b", "EnableKeyRotation": True},
        look=_key,
        seen=(("a", False), ("b", True)),
    ),
}


@pytest.fixture(scope="module")
def account() -> Account:
    return running()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_resource_is_updated_in_place_and_back(account: Account, case: Case) -> None:
    """An update changes a resource where it is, a failed one changes it back, and a deletion leaves nothing."""
    stack = account.stack()
    before, after = ({**case.others, "It": resource(case.kind, made)} for made in (case.before, case.after))
    assert stack.deploy(template(before)) == "CREATE_COMPLETE", stack.told
    physical = stack.resources["It"]
    assert case.look(account, physical) == case.seen[0]
    assert stack.deploy(template({**after, "Wrong": failing("It")})) == "UPDATE_ROLLBACK_COMPLETE", stack.told
    assert (stack.resources["It"], case.look(account, physical)) == (physical, case.seen[0])
    assert stack.deploy(template(after)) == "UPDATE_COMPLETE", stack.told
    assert (stack.resources["It"], case.look(account, physical)) == (physical, case.seen[1])
    assert stack.delete() == "DELETE_COMPLETE", stack.told


def test_data_outlives_updates(account: Account) -> None:
    """Items, objects, messages and generated secrets are there after an update, and after one that failed."""
    stack = account.stack()
    generated = {"GenerateSecretString": {"PasswordLength": 20}}
    made = {
        "Table": resource("DynamoDB::Table", _TABLE),
        "Bucket": resource("S3::Bucket"),
        "Queue": resource("SQS::Queue"),
        "Secret": resource("SecretsManager::Secret", generated),
    }
    assert stack.deploy(template(made)) == "CREATE_COMPLETE"
    ids = stack.resources
    dynamodb, s3, sqs = (account.client(service) for service in ("dynamodb", "s3", "sqs"))
    dynamodb.put_item(TableName=ids["Table"], Item={"id": {"S": "1"}})
    s3.put_object(Bucket=ids["Bucket"], Key="k", Body=b"v")
    sqs.send_message(QueueUrl=ids["Queue"], MessageBody="m")
    secret = account.client("secretsmanager").get_secret_value(SecretId=ids["Secret"])["SecretString"]
    changed = {
        "Table": resource("DynamoDB::Table", _INDEXED),
        "Bucket": resource("S3::Bucket", {"VersioningConfiguration": {"Status": "Enabled"}}),
        "Queue": resource("SQS::Queue", {"DelaySeconds": 1}),
        "Secret": resource("SecretsManager::Secret", {**generated, "Description": "d"}),
    }
    for body, ended in (
        ({**changed, "Wrong": failing(*changed)}, "UPDATE_ROLLBACK_COMPLETE"),
        (changed, "UPDATE_COMPLETE"),
    ):
        assert stack.deploy(template(body)) == ended, stack.told
        assert stack.resources == ids
        assert dynamodb.get_item(TableName=ids["Table"], Key={"id": {"S": "1"}})["Item"] == {"id": {"S": "1"}}
        assert s3.get_object(Bucket=ids["Bucket"], Key="k")["Body"].read() == b"v"
        counted = sqs.get_queue_attributes(QueueUrl=ids["Queue"], AttributeNames=["ApproximateNumberOfMessages"])
        assert counted["Attributes"]["ApproximateNumberOfMessages"] == "1"
        found = account.client("secretsmanager").get_secret_value(SecretId=ids["Secret"])
        assert found["SecretString"] == secret


def _function(account: Account, role: str, **properties: Any) -> dict[str, Any]:
    code = {"ZipFile": "def handler(event, context):\n    return 1\n"}
    made = {"Runtime": "python3.13", "Handler": "index.handler", "Role": role, "Code": code}
    return resource("Lambda::Function", {**made, **properties})


def test_a_function_and_what_is_around_it(account: Account) -> None:
    """Configuration, alias, URL, asynchronous settings, permission and mapping of a function follow the template."""
    stack, role = account.stack(), account.role()
    ref = {"Ref": "Function"}

    def made(**changed: Any) -> dict[str, Any]:
        version = changed.get("version", "One")
        return {
            "Function": _function(account, role, **changed.get("function", {})),
            version: resource("Lambda::Version", {"FunctionName": ref}, DeletionPolicy="Retain"),
            "Alias": resource(
                "Lambda::Alias",
                {"FunctionName": ref, "Name": "live", "FunctionVersion": {"Fn::GetAtt": [version, "Version"]}},
            ),
            "Url": resource("Lambda::Url", {"TargetFunctionArn": ref, "AuthType": changed.get("auth", "NONE")}),
            "Later": resource(
                "Lambda::EventInvokeConfig",
                {"FunctionName": ref, "Qualifier": "$LATEST", "MaximumRetryAttempts": changed.get("retries", 0)},
            ),
            "Allowed": resource(
                "Lambda::Permission",
                {
                    "FunctionName": ref,
                    "Action": "lambda:InvokeFunction",
                    "Principal": changed.get("who", "s3.amazonaws.com"),
                },
            ),
            "Queue": resource("SQS::Queue"),
            "Mapping": resource(
                "Lambda::EventSourceMapping",
                {
                    "FunctionName": ref,
                    "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
                    "BatchSize": changed.get("batch", 5),
                    "Enabled": changed.get("enabled", True),
                },
            ),
        }

    def seen() -> Any:
        aws, name = account.client("lambda"), stack.resources["Function"]
        configuration = aws.get_function_configuration(FunctionName=name)
        mapping = aws.get_event_source_mapping(UUID=stack.resources["Mapping"])
        policy = json.loads(aws.get_policy(FunctionName=name)["Policy"])
        return {
            "memory": configuration["MemorySize"],
            "variables": configuration.get("Environment", {}).get("Variables", {}),
            "description": configuration["Description"],
            "alias": aws.get_alias(FunctionName=name, Name="live")["FunctionVersion"],
            "auth": aws.get_function_url_config(FunctionName=name)["AuthType"],
            "retries": aws.get_function_event_invoke_config(FunctionName=name)["MaximumRetryAttempts"],
            "who": [one["Principal"]["Service"] for one in policy["Statement"]],
            "mapping": (mapping["BatchSize"], mapping["State"]),
        }

    variables = {"Variables": {"A": "1"}}
    first = made(function={"MemorySize": 256, "Environment": variables, "Description": "d"})
    second = made(
        function={"Timeout": 9},
        version="Two",
        auth="AWS_IAM",
        retries=2,
        who="sns.amazonaws.com",
        batch=7,
        enabled=False,
    )
    assert stack.deploy(template(first)) == "CREATE_COMPLETE", stack.told
    ids, before = stack.resources, seen()
    assert before == {
        "memory": 256,
        "variables": {"A": "1"},
        "description": "d",
        "alias": "1",
        "auth": "NONE",
        "retries": 0,
        "who": ["s3.amazonaws.com"],
        "mapping": (5, "Enabled"),
    }
    body = template({**second, "Wrong": failing(*second)})
    assert stack.deploy(body) == "UPDATE_ROLLBACK_COMPLETE", stack.told
    assert (stack.resources, seen()) == (ids, before)
    assert stack.deploy(template(second)) == "UPDATE_COMPLETE", stack.told
    after = seen()
    assert after == {
        "memory": 128,
        "variables": {},
        "description": "",
        "alias": after["alias"],
        "auth": "AWS_IAM",
        "retries": 2,
        "who": ["sns.amazonaws.com"],
        "mapping": (7, "Disabled"),
    }
    assert int(after["alias"]) > 1
    kept = {"Function", "Alias", "Url", "Later", "Queue", "Mapping"}
    assert {name: stack.resources[name] for name in kept} == {name: ids[name] for name in kept}
    assert stack.delete() == "DELETE_COMPLETE", stack.told


def test_a_changed_layer_is_another_version(account: Account) -> None:
    """Changed content publishes a new version, which the function gets; the old one goes."""
    stack, s3, bucket = account.stack(), account.client("s3"), unique("code")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for key in ("one", "two"):
        s3.put_object(Bucket=bucket, Key=key, Body=zipped(f"# {key}"))
    name, role = unique("layer"), account.role()

    def made(key: str) -> dict[str, Any]:
        content = {"S3Bucket": bucket, "S3Key": key}
        return {
            "Layer": resource("Lambda::LayerVersion", {"LayerName": name, "Content": content}),
            "Function": _function(account, role, Layers=[{"Ref": "Layer"}]),
        }

    assert stack.deploy(template(made("one"))) == "CREATE_COMPLETE", stack.told
    assert stack.deploy(template(made("two"))) == "UPDATE_COMPLETE", stack.told
    aws = account.client("lambda")
    layers = aws.get_function_configuration(FunctionName=stack.resources["Function"])["Layers"]
    assert [layer["Arn"].rpartition(":")[2] for layer in layers] == ["2"]
    versions = aws.list_layer_versions(LayerName=name)["LayerVersions"]
    assert [version["Version"] for version in versions] == [2]


def test_a_version_of_a_function_that_did_not_change_fails(account: Account) -> None:
    """A new Version resource for the same code fails, as there is nothing to publish; the old one stays."""
    stack, role = account.stack(), account.role()

    def made(version: str) -> dict[str, Any]:
        return {
            "Function": _function(account, role),
            version: resource("Lambda::Version", {"FunctionName": {"Ref": "Function"}}),
        }

    assert stack.deploy(template(made("One"))) == "CREATE_COMPLETE", stack.told
    ids = stack.resources
    assert stack.deploy(template(made("Two"))) == "UPDATE_ROLLBACK_COMPLETE", stack.told
    assert "A version for this Lambda function exists ( 1 )" in stack.told
    assert stack.resources == ids
    assert account.client("lambda").get_function(FunctionName=ids["One"])["Configuration"]["Version"] == "1"
