"""
What people put into the services of LocalStack, and what they expect of it after a restart.

A scenario is a function that makes something and returns what looks at it again.
"""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

from localstack_process import ACCOUNT, REGION, LocalStackProcess

Check = Callable[[], None]
Scenario = Callable[[LocalStackProcess], Check]
SCENARIOS: list[Scenario] = []
ROLE = f"arn:aws:iam::{ACCOUNT}:role/runs-functions"
BIG = bytes(range(256)) * 40_960  # 10 MB


def scenario(function: Scenario) -> Scenario:
    """Let *function* be one of :data:`SCENARIOS`."""
    SCENARIOS.append(function)
    return function


def eventually(is_so: Callable[[], Any], *, within: float = 20.0) -> Any:
    """What *is_so* answers once it is something."""
    deadline = time.monotonic() + within
    while not (answer := is_so()):
        assert time.monotonic() < deadline, "it never became so"
        time.sleep(0.1)
    return answer


def code(source: str) -> bytes:
    """A function's zip with ``app.py``."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("app.py", source)
    return content.getvalue()


def create_function(localstack: LocalStackProcess, name: str, source: str, **options: Any) -> Any:
    """A function that is ready to be called."""
    functions = localstack.client("lambda")
    created = functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="app.handler",
        Role=ROLE,
        Code={"ZipFile": code(source)},
        **options,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    return created


def invoke(localstack: LocalStackProcess, name: str, event: Any = None) -> Any:
    """What a function answers."""
    answer = localstack.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    assert "FunctionError" not in answer, answer["Payload"].read()
    return json.loads(answer["Payload"].read())


def messages(sqs: Any, url: str, **options: Any) -> list[str]:
    """Bodies of what can be received now."""
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **options)
    return sorted(message["Body"] for message in received.get("Messages", []))


@scenario
def queue_with_messages(localstack: LocalStackProcess) -> Check:
    """Messages stay, those in flight stay hidden, delayed ones come, and a receipt still deletes its message."""
    sqs = localstack.client("sqs")
    url = sqs.create_queue(QueueName="plain", Attributes={"VisibilityTimeout": "600"}, tags={"team": "a"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="hidden")
    receipt = sqs.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]
    for body in ("1", "2", "3"):
        sqs.send_message(
            QueueUrl=url, MessageBody=body, MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}}
        )
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=2)

    def check() -> None:
        sqs = localstack.client("sqs")
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert attributes["ApproximateNumberOfMessagesNotVisible"] == "1"
        assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "a"}
        found: set[str] = set()

        def all_found() -> bool:
            found.update(messages(sqs, url, WaitTimeSeconds=1))
            return found == {"1", "2", "3", "later"}

        eventually(all_found)
        sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt)
        sqs.send_message(QueueUrl=url, MessageBody="new")
        assert messages(sqs, url) == ["new"]

    return check


@scenario
def dead_letters(localstack: LocalStackProcess) -> Check:
    """A message that was received too often before moves on after."""
    sqs = localstack.client("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    policy = {"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead", "maxReceiveCount": 1}
    attributes = {"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "1"}
    url = sqs.create_queue(QueueName="alive", Attributes=attributes)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    assert messages(sqs, url) == ["poison"]

    def check() -> None:
        sqs = localstack.client("sqs")

        def moved() -> bool:
            assert messages(sqs, url) == []
            return messages(sqs, dead) == ["poison"]

        eventually(moved)

    return check


@scenario
def fifo_queue(localstack: LocalStackProcess) -> Check:
    """Order stays, and what was sent before is still known as a duplicate."""
    sqs = localstack.client("sqs")
    url = sqs.create_queue(QueueName="ordered.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for body in ("a", "b", "c"):
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g", MessageDeduplicationId=body)

    def check() -> None:
        sqs = localstack.client("sqs")
        sqs.send_message(QueueUrl=url, MessageBody="again", MessageGroupId="g", MessageDeduplicationId="a")
        sqs.send_message(QueueUrl=url, MessageBody="d", MessageGroupId="g", MessageDeduplicationId="d")
        received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        assert [message["Body"] for message in received] == ["a", "b", "c", "d"]

    return check


@scenario
def topic(localstack: LocalStackProcess) -> Check:
    """A subscription delivers, with its filter."""
    sqs, sns = localstack.client("sqs"), localstack.client("sns")
    url = sqs.create_queue(QueueName="subscribed")["QueueUrl"]
    arn = sns.create_topic(Name="news")["TopicArn"]
    sns.subscribe(
        TopicArn=arn,
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:subscribed",
        Attributes={"RawMessageDelivery": "true", "FilterPolicy": json.dumps({"kind": ["good"]})},
    )

    def check() -> None:
        sns = localstack.client("sns")
        for kind in ("bad", "good"):
            attributes = {"kind": {"DataType": "String", "StringValue": kind}}
            sns.publish(TopicArn=arn, Message=kind, MessageAttributes=attributes)
        assert eventually(lambda: messages(localstack.client("sqs"), url)) == ["good"]

    return check


@scenario
def bucket(localstack: LocalStackProcess) -> Check:
    """Objects, versions, metadata and a multipart upload that goes on."""
    s3 = localstack.client("s3")
    s3.create_bucket(Bucket="things", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket="things", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="things", Key="a/b", Body=b"first", Metadata={"x": "y"})["VersionId"]
    s3.put_object(Bucket="things", Key="a/b", Body=b"second", ContentType="text/plain")
    s3.put_object(Bucket="things", Key="big", Body=BIG)
    s3.copy_object(Bucket="things", Key="copy", CopySource={"Bucket": "things", "Key": "big"})
    s3.put_object(Bucket="things", Key="gone", Body=b"x")
    s3.delete_object(Bucket="things", Key="gone")
    upload = s3.create_multipart_upload(Bucket="things", Key="parts")["UploadId"]
    one = s3.upload_part(Bucket="things", Key="parts", UploadId=upload, PartNumber=1, Body=BIG)["ETag"]

    def check() -> None:
        s3 = localstack.client("s3")
        assert s3.get_object(Bucket="things", Key="a/b")["Body"].read() == b"second"
        old = s3.get_object(Bucket="things", Key="a/b", VersionId=first)
        assert (old["Body"].read(), old["Metadata"]) == (b"first", {"x": "y"})
        assert s3.get_object(Bucket="things", Key="copy")["Body"].read() == BIG
        assert s3.get_object(Bucket="things", Key="big", Range="bytes=256-511")["Body"].read() == BIG[256:512]
        assert "gone" not in [each["Key"] for each in s3.list_objects_v2(Bucket="things")["Contents"]]
        two = s3.upload_part(Bucket="things", Key="parts", UploadId=upload, PartNumber=2, Body=b"end")["ETag"]
        parts = [{"PartNumber": 1, "ETag": one}, {"PartNumber": 2, "ETag": two}]
        s3.complete_multipart_upload(Bucket="things", Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
        assert s3.get_object(Bucket="things", Key="parts")["Body"].read() == BIG + b"end"
        s3.put_object(Bucket="things", Key="big", Body=b"small")
        assert s3.get_object(Bucket="things", Key="big")["Body"].read() == b"small"

    return check


@scenario
def table(localstack: LocalStackProcess) -> Check:
    """Items, an index and the time to live."""
    dynamodb = localstack.client("dynamodb")
    dynamodb.create_table(
        TableName="orders",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "owner")],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-owner",
                "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    dynamodb.update_time_to_live(
        TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    for number in range(20):
        dynamodb.put_item(
            TableName="orders",
            Item={
                "id": {"S": str(number)},
                "owner": {"S": f"o{number % 2}"},
                "n": {"N": str(number)},
                "l": {"L": [{"B": b"x"}]},
            },
        )

    def check() -> None:
        dynamodb = localstack.client("dynamodb")
        described = dynamodb.describe_table(TableName="orders")["Table"]
        assert described["ItemCount"] == 20
        assert described["StreamSpecification"]["StreamEnabled"]
        found = dynamodb.query(
            TableName="orders",
            IndexName="by-owner",
            KeyConditionExpression="#o = :o",
            ExpressionAttributeNames={"#o": "owner"},
            ExpressionAttributeValues={":o": {"S": "o1"}},
        )
        assert {item["n"]["N"] for item in found["Items"]} == {str(number) for number in range(1, 20, 2)}
        lives = dynamodb.describe_time_to_live(TableName="orders")["TimeToLiveDescription"]
        assert lives == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
        dynamodb.put_item(TableName="orders", Item={"id": {"S": "new"}})
        assert dynamodb.scan(TableName="orders", Select="COUNT")["Count"] == 21

    return check


@scenario
def parameters_and_secrets(localstack: LocalStackProcess) -> Check:
    """Values, their versions, and a secret that is to be deleted."""
    ssm, secrets = localstack.client("ssm"), localstack.client("secretsmanager")
    ssm.put_parameter(Name="/app/a", Value="1", Type="String")
    ssm.put_parameter(Name="/app/a", Value="2", Type="String", Overwrite=True)
    ssm.put_parameter(Name="/app/secret", Value="s", Type="SecureString")
    arn = secrets.create_secret(Name="key", SecretString="one")["ARN"]
    secrets.put_secret_value(SecretId="key", SecretString="two")
    secrets.create_secret(Name="doomed", SecretString="x")
    secrets.delete_secret(SecretId="doomed", RecoveryWindowInDays=7)

    def check() -> None:
        ssm, secrets = localstack.client("ssm"), localstack.client("secretsmanager")
        found = ssm.get_parameters_by_path(Path="/app", WithDecryption=True)["Parameters"]
        assert {each["Name"]: each["Value"] for each in found} == {"/app/a": "2", "/app/secret": "s"}
        assert ssm.get_parameter(Name="/app/a:1")["Parameter"]["Value"] == "1"
        assert secrets.get_secret_value(SecretId=arn)["SecretString"] == "two"
        assert secrets.get_secret_value(SecretId="key", VersionStage="AWSPREVIOUS")["SecretString"] == "one"
        secrets.restore_secret(SecretId="doomed")
        assert secrets.get_secret_value(SecretId="doomed")["SecretString"] == "x"

    return check


@scenario
def identities(localstack: LocalStackProcess) -> Check:
    """Roles, users, policies of one's own and of AWS."""
    iam = localstack.client("iam")
    iam.create_role(RoleName="reads", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}))
    iam.attach_role_policy(RoleName="reads", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    allows = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allows]})
    own = iam.create_policy(PolicyName="own", PolicyDocument=document)
    iam.attach_role_policy(RoleName="reads", PolicyArn=own["Policy"]["Arn"])
    iam.create_user(UserName="someone")
    key = iam.create_access_key(UserName="someone")["AccessKey"]["AccessKeyId"]

    def check() -> None:
        iam = localstack.client("iam")
        attached = iam.list_attached_role_policies(RoleName="reads")["AttachedPolicies"]
        assert {each["PolicyName"] for each in attached} == {"ReadOnlyAccess", "own"}
        assert len(iam.list_policies(Scope="AWS", MaxItems=1000)["Policies"]) == 1000
        policy = iam.get_policy(PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")["Policy"]
        assert policy["AttachmentCount"] == 1
        iam.detach_role_policy(RoleName="reads", PolicyArn=policy["Arn"])
        assert iam.get_policy(PolicyArn=policy["Arn"])["Policy"]["AttachmentCount"] == 0
        assert iam.list_access_keys(UserName="someone")["AccessKeyMetadata"][0]["AccessKeyId"] == key
        assert localstack.client("sts").get_caller_identity()["Account"] == ACCOUNT

    return check


@scenario
def keys(localstack: LocalStackProcess) -> Check:
    """What was encrypted or signed before can be decrypted and verified after."""
    kms = localstack.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/mine", TargetKeyId=key)
    secret = kms.encrypt(KeyId="alias/mine", Plaintext=b"secret")["CiphertextBlob"]
    signs = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    how = {"KeyId": signs, "Message": b"m", "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    signature = kms.sign(**how)["Signature"]

    def check() -> None:
        kms = localstack.client("kms")
        assert kms.decrypt(CiphertextBlob=secret)["Plaintext"] == b"secret"
        assert kms.verify(**how, Signature=signature)["SignatureValid"]

    return check


@scenario
def logs(localstack: LocalStackProcess) -> Check:
    """Groups, their retention, streams and events."""
    client = localstack.client("logs")
    client.create_log_group(logGroupName="/own")
    client.put_retention_policy(logGroupName="/own", retentionInDays=7)
    client.create_log_stream(logGroupName="/own", logStreamName="s")
    now = int(time.time() * 1000)
    client.put_log_events(
        logGroupName="/own", logStreamName="s", logEvents=[{"timestamp": now + n, "message": f"m{n}"} for n in range(5)]
    )

    client.create_log_stream(logGroupName="/own", logStreamName="many")
    for start in range(0, 1500, 500):
        many = [{"timestamp": now, "message": f"many {n}"} for n in range(start, start + 500)]
        client.put_log_events(logGroupName="/own", logStreamName="many", logEvents=many)

    def check() -> None:
        client = localstack.client("logs")
        pages = client.get_paginator("filter_log_events").paginate(logGroupName="/own", logStreamNames=["many"])
        found = [event for page in pages for event in page["events"]]
        assert [event["message"] for event in found] == [f"many {n}" for n in range(1500)]
        assert client.describe_log_groups(logGroupNamePrefix="/own")["logGroups"][0]["retentionInDays"] == 7
        found = client.filter_log_events(logGroupName="/own", logStreamNames=["s"])["events"]
        assert [event["message"] for event in found] == ["m0", "m1", "m2", "m3", "m4"]
        client.put_log_events(
            logGroupName="/own", logStreamName="s", logEvents=[{"timestamp": now + 9, "message": "new"}]
        )

    return check


@scenario
def rules(localstack: LocalStackProcess) -> Check:
    """A rule delivers, a disabled one can be enabled, a bus, an archive and a schedule are there."""
    sqs, events = localstack.client("sqs"), localstack.client("events")
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    events.create_event_bus(Name="own")
    events.put_rule(Name="tells", EventBusName="own", EventPattern=json.dumps({"source": ["me"]}))
    target = {"Id": "1", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:told", "InputPath": "$.detail.what"}
    events.put_targets(Rule="tells", EventBusName="own", Targets=[target])
    events.put_rule(Name="ticks", ScheduleExpression="rate(1 minute)", State="ENABLED")
    events.put_targets(
        Rule="ticks", Targets=[{"Id": "1", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:told", "Input": "{}"}]
    )
    events.create_archive(ArchiveName="kept", EventSourceArn=f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/own")
    created = events.describe_archive(ArchiveName="kept")["CreationTime"]
    localstack.client("scheduler").create_schedule(
        Name="hourly",
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": target["Arn"], "RoleArn": ROLE},
    )

    def check() -> None:
        events = localstack.client("events")
        detail = json.dumps({"what": "hello"})
        events.put_events(Entries=[{"Source": "me", "DetailType": "d", "Detail": detail, "EventBusName": "own"}])
        eventually(lambda: '"hello"' in messages(localstack.client("sqs"), url, WaitTimeSeconds=1))
        assert events.describe_rule(Name="ticks")["ScheduleExpression"] == "rate(1 minute)"
        events.disable_rule(Name="ticks")
        assert events.describe_archive(ArchiveName="kept")["CreationTime"] == created
        assert eventually(lambda: events.describe_archive(ArchiveName="kept")["EventCount"]) == 1
        events.delete_archive(ArchiveName="kept")
        events.remove_targets(Rule="ticks", Ids=["1"])
        events.delete_rule(Name="ticks")
        schedule = localstack.client("scheduler").get_schedule(Name="hourly")
        assert schedule["ScheduleExpression"] == "rate(1 hour)"

    return check


@scenario
def other_accounts_and_regions(localstack: LocalStackProcess) -> Check:
    """What is in another account or region stays there."""
    places = [(account, region) for account in (ACCOUNT, "222222222222") for region in (REGION, "us-east-1")]
    for account, region in places:
        ssm = localstack.client("ssm", account=account, region=region)
        ssm.put_parameter(Name="where", Value=f"{account} {region}", Type="String")
        sqs = localstack.client("sqs", account=account, region=region)
        url = sqs.create_queue(QueueName="where")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=f"{account} {region}")
    s3 = localstack.client("s3", account="222222222222", region="us-east-1")
    s3.create_bucket(Bucket="elsewhere")

    def check() -> None:
        for account, region in places:
            ssm = localstack.client("ssm", account=account, region=region)
            assert ssm.get_parameter(Name="where")["Parameter"]["Value"] == f"{account} {region}"
            sqs = localstack.client("sqs", account=account, region=region)
            url = sqs.get_queue_url(QueueName="where")["QueueUrl"]
            assert messages(sqs, url) == [f"{account} {region}"]
        owned = localstack.client("s3").list_buckets()["Buckets"]
        assert "elsewhere" not in [each["Name"] for each in owned]

    return check
