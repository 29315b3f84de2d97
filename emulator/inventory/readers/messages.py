"""What carries messages: queues, topics, rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.inventory.account import Account, document, given
from emulator.inventory.resource import Properties

# Told of a queue or topic, and nobody's setting.
_VOLATILE = (
    "Approximate",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "Owner",
    "QueueArn",
    "Subscriptions",
    "TopicArn",
    "EffectiveDeliveryPolicy",
    "ConfirmationWasAuthenticated",
    "PendingConfirmation",
    "SubscriptionArn",
    "SubscriptionPrincipal",
)
_DOCUMENTS = ("Policy", "RedrivePolicy", "RedriveAllowPolicy", "FilterPolicy", "DeliveryPolicy")


def queue(account: Account, url: str, _parent: str) -> Properties:
    """A queue: its attributes, its policies, and where what fails goes."""
    aws = account.client("sqs")
    found = aws.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]).get("Attributes") or {}
    return given(_attributes(found))


def _attributes(found: Mapping[str, str]) -> Properties:
    return {
        name: document(value) if name in _DOCUMENTS else _plain(value)
        for name, value in found.items()
        if not name.startswith(_VOLATILE)
    }


def _plain(value: str) -> str | int:
    return int(value) if value.isdecimal() else value


def topic(account: Account, arn: str, _parent: str) -> Properties:
    """A topic, with the subscriptions that are no resources of the stack."""
    aws = account.client("sns")
    found = aws.get_topic_attributes(TopicArn=arn)["Attributes"]
    listed = account.optional(lambda: aws.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"], [])
    own = account.in_stack("AWS::SNS::Subscription")
    added = {one["Endpoint"]: one["Protocol"] for one in listed if one["SubscriptionArn"] not in own}
    return given({**_attributes(found), "Subscription": added})


def subscription(account: Account, arn: str, _parent: str) -> Properties:
    """Who gets a topic's messages, and which of them."""
    return given(_attributes(account.client("sns").get_subscription_attributes(SubscriptionArn=arn)["Attributes"]))


def rule(account: Account, name: str, _parent: str) -> Properties:
    """A rule of EventBridge, with its targets."""
    aws = account.client("events")
    bus, _, own = name.rpartition("|")  # on another bus than the default the id is bus|name
    where = {"EventBusName": bus} if bus else {}
    found = aws.describe_rule(Name=own.rpartition("/")[2], **where)
    targets = aws.list_targets_by_rule(Rule=own.rpartition("/")[2], **where)["Targets"]
    return given(
        {
            "Description": found.get("Description"),
            "EventPattern": document(found.get("EventPattern")),
            "ScheduleExpression": found.get("ScheduleExpression"),
            "State": found.get("State"),
            "Targets": {one["Id"]: one for one in targets},
        }
    )


def log_group(account: Account, name: str, _parent: str) -> Properties | None:
    """How long a group keeps its lines."""
    found: list[dict[str, Any]] = account.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    group = next((one for one in found if one["logGroupName"] == name), None)
    return group and given({"RetentionInDays": group.get("retentionInDays"), "KmsKeyId": group.get("kmsKeyId")})


READERS = {
    "AWS::SQS::Queue": queue,
    "AWS::SNS::Topic": topic,
    "AWS::SNS::Subscription": subscription,
    "AWS::Events::Rule": rule,
    "AWS::Logs::LogGroup": log_group,
}
