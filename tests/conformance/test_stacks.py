"""Stacks: what a template becomes, and what goes when the stack goes."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.account import Account, eventually, unique
from tests.conformance.cases import case
from tests.conformance.stack_templates import (
    API,
    GUIDE,
    TEMPLATES,
    events,
    function,
    outputs,
    parameter,
    refused,
    resource,
    status,
    template,
)


@case(source=f"{TEMPLATES}/intrinsic-function-reference-ref.html")
def test_ref_gives_what_the_type_says(account: Account) -> None:
    """`Ref` gives a name, a URL or an ARN, as each resource type's page says."""
    resources = {
        "Function": function(account, "one"),
        "Version": resource("Lambda::Version", {"FunctionName": {"Ref": "Function"}}),
        "Alias": resource(
            "Lambda::Alias",
            {
                "FunctionName": {"Ref": "Function"},
                "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
                "Name": "live",
            },
        ),
        "Mapping": resource(
            "Lambda::EventSourceMapping",
            {"FunctionName": {"Ref": "Function"}, "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}},
        ),
        "Queue": resource("SQS::Queue"),
        "Topic": resource("SNS::Topic"),
        "Bucket": resource("S3::Bucket"),
        "Parameter": parameter("one"),
        "LogGroup": resource("Logs::LogGroup"),
        "Table": resource(
            "DynamoDB::Table",
            {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            },
        ),
    }
    stack = account.create_stack(template(resources, Outputs={name: {"Value": {"Ref": name}} for name in resources}))
    found = outputs(account, stack)
    arn = account.client("lambda").get_function(FunctionName=found["Function"])["Configuration"]["FunctionArn"]
    assert found["Version"] == f"{arn}:1"
    assert found["Alias"] == f"{arn}:live"
    assert account.client("lambda").get_event_source_mapping(UUID=found["Mapping"])["FunctionArn"] == arn
    assert account.client("sqs").get_queue_attributes(QueueUrl=found["Queue"])
    assert account.client("sns").get_topic_attributes(TopicArn=found["Topic"])
    assert account.client("s3").head_bucket(Bucket=found["Bucket"])
    assert account.client("ssm").get_parameter(Name=found["Parameter"])["Parameter"]["Value"] == "one"
    groups = account.client("logs").describe_log_groups(logGroupNamePrefix=found["LogGroup"])["logGroups"]
    assert [group["logGroupName"] for group in groups] == [found["LogGroup"]]
    assert account.client("dynamodb").describe_table(TableName=found["Table"])["Table"]["TableName"] == found["Table"]


@case(source=f"{TEMPLATES}/aws-resource-secretsmanager-secret.html", gap="secret_ref")
def test_ref_of_a_secret_is_its_arn(account: Account) -> None:
    """`Ref` of a secret is its ARN, which reads its value, also after an update."""
    secret = {"Secret": resource("SecretsManager::Secret", {"SecretString": "one"})}
    shown = {"Outputs": {"Secret": {"Value": {"Ref": "Secret"}}}}
    stack = account.create_stack(template(secret, **shown))
    arn = outputs(account, stack)["Secret"]
    assert arn.startswith("arn:aws:secretsmanager:")
    secret["Secret"]["Properties"]["SecretString"] = "two"
    account.update_stack(stack, template(secret, **shown))
    assert outputs(account, stack)["Secret"] == arn
    assert account.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"] == "two"
    account.client("cloudformation").delete_stack(StackName=stack)
    listed = account.client("secretsmanager").list_secrets
    gone = eventually(lambda: [s["ARN"] for s in listed()["SecretList"]], lambda arns: arn not in arns, timeout=5)
    assert arn not in gone


@case(source=f"{GUIDE}/dynamic-references-secretsmanager.html")
def test_a_secret_is_read_into_a_property(account: Account) -> None:
    """`{{resolve:secretsmanager:…}}` with the `Ref` of a secret gives one key of its value."""
    copied = parameter("")
    copied["Properties"]["Value"] = {"Fn::Sub": "{{resolve:secretsmanager:${Secret}:SecretString:password}}"}
    secret = resource("SecretsManager::Secret", {"SecretString": json.dumps({"password": "hush", "user": "me"})})
    stack = account.create_stack(template({"Copy": copied, "Secret": secret}))
    found = account.client("ssm").get_parameter(Name=account.physical_id(stack, "Copy"))
    assert found["Parameter"]["Value"] == "hush"


@case(source=f"{GUIDE}/using-cfn-stack-exports.html", gap="stack_exports")
def test_an_export_name_is_unique(account: Account) -> None:
    """A stack whose export has the name of another stack's export fails, and the first one keeps it."""
    name = unique("export")
    first = account.create_stack(_exporting(name, "one"))
    second = account.create_stack(_exporting(name, "two"))
    assert (status(account, first), status(account, second)) == ("CREATE_COMPLETE", "ROLLBACK_COMPLETE")
    importing = template({"Copy": parameter("x")}, Outputs={"Value": {"Value": {"Fn::ImportValue": name}}})
    assert outputs(account, account.create_stack(importing))["Value"] == "one"


@case(source=f"{GUIDE}/using-cfn-stack-exports.html", gap="stack_exports")
def test_an_export_in_use_can_not_change(account: Account) -> None:
    """An exported value that another stack imports can be neither changed nor removed."""
    name = unique("export")
    exporter = account.create_stack(_exporting(name, "one"))
    importing = template({"Copy": parameter("x")}, Outputs={"Value": {"Value": {"Fn::ImportValue": name}}})
    account.create_stack(importing)
    for changed in (_exporting(name, "two"), template({"Parameter": parameter("two")})):
        account.update_stack(exporter, changed)
        assert status(account, exporter) == "UPDATE_ROLLBACK_COMPLETE"
    with refused(account):
        account.client("cloudformation").delete_stack(StackName=exporter)


def _exporting(name: str, value: str) -> dict[str, Any]:
    return template({"Parameter": parameter(value)}, Outputs={"Value": {"Value": value, "Export": {"Name": name}}})


@case(source=f"{TEMPLATES}/aws-attribute-deletionpolicy.html")
def test_a_retained_resource_outlives_its_stack(account: Account) -> None:
    """A resource with `DeletionPolicy: Retain` stays when its stack is deleted; the others go."""
    stack = account.create_stack(
        template({"Kept": parameter("kept", DeletionPolicy="Retain"), "Gone": parameter("gone")})
    )
    kept, gone = account.physical_id(stack, "Kept"), account.physical_id(stack, "Gone")
    account.client("cloudformation").delete_stack(StackName=stack)
    ssm = account.client("ssm")
    left = eventually(lambda: ssm.get_parameters(Names=[kept, gone]), lambda found: gone in found["InvalidParameters"])
    assert [found["Name"] for found in left["Parameters"]] == [kept]


@case(source=f"{TEMPLATES}/aws-attribute-dependson.html")
def test_depends_on_orders_creation_and_deletion(account: Account) -> None:
    """A resource is created after what it `DependsOn`, and deleted before it."""
    made = {"A": parameter("a", DependsOn="B"), "B": parameter("b", DependsOn=["C"]), "C": parameter("c")}
    stack = account.create_stack(template(made))
    arn = account.stack_settled(stack)["StackId"]
    account.client("cloudformation").delete_stack(StackName=stack)
    assert eventually(lambda: status(account, arn), lambda now: now == "DELETE_COMPLETE") == "DELETE_COMPLETE"
    seen = [
        (e["LogicalResourceId"], e["ResourceStatus"])
        for e in events(account, arn)
        if e["LogicalResourceId"] in made and e["ResourceStatus"].endswith("_COMPLETE")
    ]
    assert [name for name, state in seen if state == "CREATE_COMPLETE"] == ["C", "B", "A"]
    assert [name for name, state in seen if state == "DELETE_COMPLETE"] == ["A", "B", "C"]


@case(source=f"{TEMPLATES}/conditions-section-structure.html")
def test_a_condition_decides_what_is_made(account: Account) -> None:
    """A resource whose condition is false isn't made, and an update that makes it true adds it."""
    body = template(
        {"Always": parameter("a"), "Sometimes": parameter("b", Condition="IsProd")},
        Parameters={"Stage": {"Type": "String", "AllowedValues": ["test", "prod"]}},
        Conditions={"IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}},
    )
    stack = account.create_stack(body, Parameters=[{"ParameterKey": "Stage", "ParameterValue": "test"}])
    assert _logical_ids(account, stack) == ["Always"]
    account.update_stack(stack, body, Parameters=[{"ParameterKey": "Stage", "ParameterValue": "prod"}])
    assert _logical_ids(account, stack) == ["Always", "Sometimes"]
    with refused(account):
        account.update_stack(stack, body, Parameters=[{"ParameterKey": "Stage", "ParameterValue": "dev"}])


def _logical_ids(account: Account, stack: str) -> list[str]:
    found = account.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    return sorted(resource["LogicalResourceId"] for resource in found)


@case(source=f"{TEMPLATES}/parameters-section-structure.html")
def test_a_parameter_without_echo_is_masked(account: Account) -> None:
    """The value of a `NoEcho` parameter reaches the resource, but no description of the stack."""
    body = template({"Copy": parameter("")}, Parameters={"Password": {"Type": "String", "NoEcho": True}})
    body["Resources"]["Copy"]["Properties"]["Value"] = {"Ref": "Password"}
    stack = account.create_stack(body, Parameters=[{"ParameterKey": "Password", "ParameterValue": "hush"}])
    assert account.stack_settled(stack)["Parameters"][0]["ParameterValue"] == "****"
    found = account.client("ssm").get_parameter(Name=account.physical_id(stack, "Copy"))
    assert found["Parameter"]["Value"] == "hush"


@case(source=f"{TEMPLATES}/cloudformation-supplied-parameter-types.html", gap="parameter_values")
def test_a_parameter_is_read_from_the_parameter_store(account: Account) -> None:
    """A parameter of an SSM type takes the stored value, again at each update."""
    ssm, name = account.client("ssm"), unique("/conformance/delay")
    ssm.put_parameter(Name=name, Value="one", Type="String")
    body = template(
        {"Copy": parameter("")}, Parameters={"Value": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": name}}
    )
    body["Resources"]["Copy"]["Properties"]["Value"] = {"Ref": "Value"}
    stack = account.create_stack(body)
    ssm.put_parameter(Name=name, Value="two", Type="String", Overwrite=True)
    account.update_stack(stack, body, Parameters=[{"ParameterKey": "Value", "UsePreviousValue": True}])
    assert ssm.get_parameter(Name=account.physical_id(stack, "Copy"))["Parameter"]["Value"] == "two"
    shown = account.stack_settled(stack)["Parameters"]
    assert shown == [{"ParameterKey": "Value", "ParameterValue": name, "ResolvedValue": "two"}]


@case(source=f"{GUIDE}/using-cfn-protect-stacks.html")
def test_a_protected_stack_can_not_be_deleted(account: Account) -> None:
    """With termination protection a deletion is refused and everything stays; without it goes."""
    stack = account.create_stack(template({"Parameter": parameter("one")}), EnableTerminationProtection=True)
    aws, name = account.client("cloudformation"), account.physical_id(stack, "Parameter")
    with refused(account):
        aws.delete_stack(StackName=stack)
    assert account.client("ssm").get_parameter(Name=name)
    aws.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
    aws.delete_stack(StackName=stack)
    found = eventually(lambda: account.client("ssm").get_parameters(Names=[name]), lambda got: not got["Parameters"])
    assert found["InvalidParameters"] == [name]


@case(source=f"{API}/API_UpdateStack.html")
def test_an_update_without_changes_is_refused(account: Account) -> None:
    """Updating a stack to what it is already is refused."""
    body = template({"Parameter": parameter("one")})
    stack = account.create_stack(body)
    with refused(account, says="No updates are to be performed"):
        account.update_stack(stack, body)


@case(source=f"{TEMPLATES}/intrinsic-function-reference-getatt.html")
def test_getatt_gives_what_the_type_says(account: Account) -> None:
    """`Fn::GetAtt` gives ARNs, names and values as each resource type's page says."""
    wanted = {
        "Queue": ["Arn", "QueueName", "QueueUrl"],
        "Topic": ["TopicArn", "TopicName"],
        "Bucket": ["Arn", "DomainName"],
        "LogGroup": ["Arn"],
        "Parameter": ["Type", "Value"],
    }
    resources = {
        "Queue": resource("SQS::Queue"),
        "Topic": resource("SNS::Topic"),
        "Bucket": resource("S3::Bucket"),
        "LogGroup": resource("Logs::LogGroup"),
        "Parameter": parameter("one"),
    }
    asked = {name + key: {"Value": {"Fn::GetAtt": [name, key]}} for name, keys in wanted.items() for key in keys}
    stack = account.create_stack(template(resources, Outputs=asked))
    found, where = outputs(account, stack), f"{account.endpoint.region}:{account.endpoint.account_id}"
    ids = {name: account.physical_id(stack, name) for name in resources}
    assert found["QueueArn"] == f"arn:aws:sqs:{where}:{found['QueueQueueName']}"
    assert found["QueueQueueUrl"] == ids["Queue"]
    assert found["TopicTopicArn"] == f"arn:aws:sns:{where}:{found['TopicTopicName']}" == ids["Topic"]
    assert found["BucketArn"] == f"arn:aws:s3:::{ids['Bucket']}"
    assert found["BucketDomainName"].startswith(ids["Bucket"])
    assert found["LogGroupArn"] == f"arn:aws:logs:{where}:log-group:{ids['LogGroup']}:*"
    assert (found["ParameterType"], found["ParameterValue"]) == ("String", "one")


@case(source=f"{TEMPLATES}/aws-resource-dynamodb-table.html", gap="table_properties")
def test_a_template_sets_time_to_live(account: Account) -> None:
    """A template sets and changes a table's time to live and point-in-time recovery."""
    made = {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "TimeToLiveSpecification": {"AttributeName": "until", "Enabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    }
    stack = account.create_stack(template({"Table": resource("DynamoDB::Table", made)}))
    dynamodb, name = account.client("dynamodb"), account.physical_id(stack, "Table")
    ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert (ttl["TimeToLiveStatus"] in ("ENABLING", "ENABLED"), ttl["AttributeName"]) == (True, "until")
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    del made["TimeToLiveSpecification"]
    account.update_stack(stack, template({"Table": resource("DynamoDB::Table", made)}))
    ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert ttl["TimeToLiveStatus"] in ("DISABLING", "DISABLED")
