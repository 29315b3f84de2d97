"""
Queues and topics: a name that is taken fails, and an update keeps what it must not touch.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queue.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topic.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-subscription.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from localstack.services.cloudformation.provider_utils import generate_default_name
from localstack.services.cloudformation.resource_provider import ProgressEvent
from localstack.services.sns.resource_providers.aws_sns_subscription import SNSSubscriptionProvider
from localstack.services.sns.resource_providers.aws_sns_topic import SNSTopicProvider
from localstack.services.sqs.resource_providers.aws_sqs_queue import SQSQueueProvider

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.parts import (
    Request,
    before,
    has_changed,
    selected,
    tag_changes,
    tag_map,
    taken_back,
)

# Attribute to its value without a template.
_QUEUE: Mapping[str, str] = {
    "DelaySeconds": "0",
    "KmsDataKeyReusePeriodSeconds": "300",
    "KmsMasterKeyId": "",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "RedriveAllowPolicy": "",
    "RedrivePolicy": "",
    "SqsManagedSseEnabled": "true",
    "VisibilityTimeout": "30",
}
_FIFO_QUEUE: Mapping[str, str] = {
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}
_TOPIC: Mapping[str, str] = {
    "ArchivePolicy": "{}",
    "ContentBasedDeduplication": "false",
    "DisplayName": "",
    "FifoThroughputScope": "Topic",
    "KmsMasterKeyId": "",
    "SignatureVersion": "1",
    "TracingConfig": "PassThrough",
}
_SUBSCRIPTION: Mapping[str, str] = {
    "DeliveryPolicy": "{}",
    "FilterPolicy": "{}",
    "FilterPolicyScope": "MessageAttributes",
    "RawMessageDelivery": "false",
    "RedrivePolicy": "{}",
}


class Queue(SQSQueueProvider):
    """Queues."""

    COMPARED = frozenset({*_QUEUE, *_FIFO_QUEUE, "QueueName"})

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Make a queue; SQS would hand over one that has the name already."""
        model, sqs = request.desired_state, request.aws_client_factory.sqs
        if model.get("QueueName"):
            try:
                sqs.get_queue_url(QueueName=model["QueueName"])
            except sqs.exceptions.QueueDoesNotExist:
                pass
            else:
                raise ValueError(f"{model['QueueName']} already exists")
        return super().create(request)

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Set the attributes, those that the template drops to what they are without; messages stay."""
        model, sqs, was = request.desired_state, request.aws_client_factory.sqs, before(request)
        url = was["QueueUrl"]
        defaults = {**_QUEUE, **(_FIFO_QUEUE if was.get("FifoQueue") else {})}
        attributes = {
            name: attribute_text(model.get(name), default)
            for name, default in defaults.items()
            if model.get(name) is not None or was.get(name) is not None
        }
        if attributes:
            sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
        wanted, dropped = tag_changes(request)
        if wanted:
            sqs.tag_queue(QueueUrl=url, Tags=wanted)
        if dropped:
            sqs.untag_queue(QueueUrl=url, TagKeys=dropped)
        # It says whether the queue is there when nothing had to be set.
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return done({**model, **selected(was, "QueueUrl", "Arn", "QueueName", "FifoQueue")})

    def read(self, request: Request) -> ProgressEvent[Any]:
        """What the queue is like."""
        model = request.desired_state
        attributes = request.aws_client_factory.sqs.get_queue_attributes(
            QueueUrl=model["QueueUrl"], AttributeNames=["All"]
        )["Attributes"]
        found = {name: _parsed(attributes[name]) for name in (*_QUEUE, *_FIFO_QUEUE) if name in attributes}
        return done({**found, "QueueName": attributes["QueueArn"].rpartition(":")[2]})


class Topic(SNSTopicProvider):
    """Topics."""

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Make a topic; SNS would hand over one that has the name already."""
        model, sns = request.desired_state, request.aws_client_factory.sns
        is_fifo = bool(model.get("FifoTopic"))
        if not model.get("TopicName"):
            name = generate_default_name(request.stack_name, request.logical_resource_id)
            model["TopicName"] = f"{name}.fifo" if is_fifo else name
        arn = f"arn:aws:sns:{request.region_name}:{request.account_id}:{model['TopicName']}"
        try:
            sns.get_topic_attributes(TopicArn=arn)
        except sns.exceptions.NotFoundException:
            pass
        else:
            raise ValueError(f"{model['TopicName']} already exists")
        attributes = {name: attribute_text(model[name], "") for name in _TOPIC if model.get(name) is not None}
        if is_fifo:
            attributes["FifoTopic"] = "true"
        tags = [{"Key": key, "Value": value} for key, value in tag_map(model).items()]
        model["TopicArn"] = sns.create_topic(Name=model["TopicName"], Attributes=attributes, Tags=tags)["TopicArn"]
        with taken_back(lambda: sns.delete_topic(TopicArn=model["TopicArn"])):
            for one in model.get("Subscription") or []:
                sns.subscribe(TopicArn=model["TopicArn"], Protocol=one["Protocol"], Endpoint=one["Endpoint"])
        return done(model)

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Set the attributes; subscriptions that others made stay."""
        model, sns, was = request.desired_state, request.aws_client_factory.sns, before(request)
        model |= selected(was, "TopicArn", "TopicName")
        for name, default in _TOPIC.items():
            if has_changed(request, name) and (model.get(name) is not None or was.get(name) is not None):
                sns.set_topic_attributes(
                    TopicArn=model["TopicArn"],
                    AttributeName=name,
                    AttributeValue=attribute_text(model.get(name), default),
                )
        self._put_subscriptions(request)
        wanted, dropped = tag_changes(request)
        if wanted:
            tags = [{"Key": key, "Value": value} for key, value in wanted.items()]
            sns.tag_resource(ResourceArn=model["TopicArn"], Tags=tags)
        if dropped:
            sns.untag_resource(ResourceArn=model["TopicArn"], TagKeys=dropped)
        sns.get_topic_attributes(TopicArn=model["TopicArn"])
        return done(model)

    def _put_subscriptions(self, request: Request) -> None:
        model, sns = request.desired_state, request.aws_client_factory.sns
        if not has_changed(request, "Subscription"):
            return
        wanted, was = (
            {(one["Protocol"], one["Endpoint"]) for one in properties.get("Subscription") or []}
            for properties in (model, before(request))
        )
        pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=model["TopicArn"])
        there = {
            (one["Protocol"], one["Endpoint"]): one["SubscriptionArn"]
            for page in pages
            for one in page["Subscriptions"]
        }
        for protocol, endpoint in sorted(wanted - there.keys()):
            sns.subscribe(TopicArn=model["TopicArn"], Protocol=protocol, Endpoint=endpoint)
        for one in (was - wanted) & there.keys():
            sns.unsubscribe(SubscriptionArn=there[one])


class Subscription(SNSSubscriptionProvider):
    """Subscriptions."""

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Set the attributes, those that the template drops to what they are without."""
        model, was, sns = request.desired_state, before(request), self._get_client(request).sns
        model["Id"] = was["Id"]
        for name, default in _SUBSCRIPTION.items():
            if has_changed(request, name) and (model.get(name) is not None or was.get(name) is not None):
                sns.set_subscription_attributes(
                    SubscriptionArn=model["Id"],
                    AttributeName=name,
                    AttributeValue=attribute_text(model.get(name), default),
                )
        return done(model)


def attribute_text(value: Any, default: str) -> str:
    """A property as SQS and SNS take attributes: as a text, an object as JSON."""
    if value is None:
        return default
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def _parsed(value: str) -> Any:
    return json.loads(value) if value.startswith("{") else value
