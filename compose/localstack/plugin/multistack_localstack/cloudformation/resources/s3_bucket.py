"""
``AWS::S3::Bucket``: every configuration set, changed and taken away, and no object lost.

LocalStack takes a bucket over that somebody else has, sets half of the configurations, and deletes a bucket with all
that is in it.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError
from localstack.services.cloudformation.provider_utils import generate_default_name
from localstack.services.cloudformation.resource_provider import ProgressEvent
from localstack.services.s3.resource_providers.aws_s3_bucket import S3BucketProvider
from localstack.services.s3.utils import normalize_bucket_name

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.parts import (
    Properties,
    Request,
    before,
    has_changed,
    selected,
    taken_back,
)
from multistack_localstack.cloudformation.resources.s3_lifecycle import lifecycle_rules

_OPEN = {"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"}
_ATTRIBUTES = ("Arn", "DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL", "BucketName")

Put = Callable[[Any, str, Any], object]


class Bucket(S3BucketProvider):
    """Buckets."""

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Make a bucket that nobody has, and configure it."""
        model, s3 = request.desired_state, request.aws_client_factory.s3
        name = model.get("BucketName") or generate_default_name(request.stack_name, request.logical_resource_id)
        model["BucketName"] = normalize_bucket_name(name)
        if _is_there(s3, model["BucketName"]):
            raise ValueError(f"{model['BucketName']} already exists")
        creation: dict[str, Any] = {"Bucket": model["BucketName"]}
        if model.get("ObjectLockEnabled"):
            creation["ObjectLockEnabledForBucket"] = True
        if request.region_name != "us-east-1":
            creation["CreateBucketConfiguration"] = {"LocationConstraint": request.region_name}
        s3.create_bucket(**creation)
        with taken_back(lambda: s3.delete_bucket(Bucket=model["BucketName"])):
            self._put_all(request)
        self._setup_post_creation_attributes(model, request.region_name)
        model["DualStackDomainName"] = model["DomainName"]
        return done(model)

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Change the configurations of a bucket; what is in it stays."""
        model, s3 = request.desired_state, request.aws_client_factory.s3
        model |= selected(before(request), *_ATTRIBUTES)
        s3.head_bucket(Bucket=model["BucketName"])
        self._put_all(request)
        return done(model)

    def delete(self, request: Request) -> ProgressEvent[Any]:
        """Delete an empty bucket; S3 refuses to delete one that has objects."""
        model = request.desired_state
        request.aws_client_factory.s3.delete_bucket(Bucket=model["BucketName"])
        return done(model)

    def _put_all(self, request: Request) -> None:
        model, s3 = request.desired_state, request.aws_client_factory.s3
        bucket = model["BucketName"]
        for name, (put, drop) in _CONFIGURATIONS.items():
            if not has_changed(request, name):
                continue
            if model.get(name):
                put(s3, bucket, model[name])
            elif before(request).get(name):
                drop(s3, bucket)
        for name, begin, end in (
            ("AccessControl", self._put_acl, lambda: s3.put_bucket_acl(Bucket=bucket, ACL="private")),
            ("CorsConfiguration", self._put_cors, lambda: s3.delete_bucket_cors(Bucket=bucket)),
            ("NotificationConfiguration", self._put_notifications, lambda: _end_notifications(s3, bucket)),
            ("WebsiteConfiguration", self._put_website, lambda: s3.delete_bucket_website(Bucket=bucket)),
        ):
            if has_changed(request, name) and model.get(name):
                begin(s3, model)
            elif has_changed(request, name) and before(request).get(name):
                end()

    def _put_acl(self, s3: Any, model: Properties) -> None:
        s3.put_bucket_acl(Bucket=model["BucketName"], ACL=self._convert_acl_cf_to_s3(model["AccessControl"]))

    def _put_cors(self, s3: Any, model: Properties) -> None:
        rules = self._transform_cfn_cors(model["CorsConfiguration"])
        s3.put_bucket_cors(Bucket=model["BucketName"], CORSConfiguration=rules)

    def _put_notifications(self, s3: Any, model: Properties) -> None:
        s3.put_bucket_notification_configuration(**self._get_s3_bucket_notification_config(model))

    def _put_website(self, s3: Any, model: Properties) -> None:
        website = self._transform_website_configuration(model["WebsiteConfiguration"])
        s3.put_bucket_website(Bucket=model["BucketName"], WebsiteConfiguration=website)


def _end_notifications(s3: Any, bucket: str) -> None:
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})


def _is_there(s3: Any, bucket: str) -> bool:
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        # 403: somebody else's.
        return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] != 404)
    return True


def _encryption(configuration: Properties) -> dict[str, Any]:
    def rule(one: Properties) -> dict[str, Any]:
        default = one.get("ServerSideEncryptionByDefault") or {}
        applied = selected(default, "SSEAlgorithm", "KMSMasterKeyID")
        return {
            **selected(one, "BucketKeyEnabled"),
            **({"ApplyServerSideEncryptionByDefault": applied} if applied else {}),
        }

    return {"Rules": [rule(one) for one in configuration["ServerSideEncryptionConfiguration"]]}


def _logging(configuration: Properties) -> dict[str, Any]:
    target = configuration.get("DestinationBucketName")
    if not target:
        return {}
    return {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": configuration.get("LogFilePrefix", "")}}


# Configuration to what sets it and what takes it away.
_CONFIGURATIONS: Mapping[str, tuple[Put, Callable[[Any, str], object]]] = {
    "AccelerateConfiguration": (
        lambda s3, bucket, given: s3.put_bucket_accelerate_configuration(
            Bucket=bucket, AccelerateConfiguration={"Status": given["AccelerationStatus"]}
        ),
        lambda s3, bucket: s3.put_bucket_accelerate_configuration(
            Bucket=bucket, AccelerateConfiguration={"Status": "Suspended"}
        ),
    ),
    "BucketEncryption": (
        lambda s3, bucket, given: s3.put_bucket_encryption(
            Bucket=bucket, ServerSideEncryptionConfiguration=_encryption(given)
        ),
        lambda s3, bucket: s3.delete_bucket_encryption(Bucket=bucket),
    ),
    "LifecycleConfiguration": (
        lambda s3, bucket, given: s3.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": lifecycle_rules(given["Rules"])}
        ),
        lambda s3, bucket: s3.delete_bucket_lifecycle(Bucket=bucket),
    ),
    "LoggingConfiguration": (
        lambda s3, bucket, given: s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus=_logging(given)),
        lambda s3, bucket: s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={}),
    ),
    "ObjectLockConfiguration": (
        lambda s3, bucket, given: s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=given),
        lambda s3, bucket: s3.put_object_lock_configuration(
            Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
        ),
    ),
    "OwnershipControls": (
        lambda s3, bucket, given: s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=given),
        lambda s3, bucket: s3.delete_bucket_ownership_controls(Bucket=bucket),
    ),
    "PublicAccessBlockConfiguration": (
        lambda s3, bucket, given: s3.put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration={name: bool(given.get(name)) for name in _OPEN}
        ),
        lambda s3, bucket: s3.delete_public_access_block(Bucket=bucket),
    ),
    "Tags": (
        lambda s3, bucket, given: s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": given}),
        lambda s3, bucket: s3.delete_bucket_tagging(Bucket=bucket),
    ),
    "VersioningConfiguration": (
        lambda s3, bucket, given: s3.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": given.get("Status", "Suspended")}
        ),
        lambda s3, bucket: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}),
    ),
}
