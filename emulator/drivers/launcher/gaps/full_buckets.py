"""
Gap: MiniStack 1.5.33 deletes a stack's bucket with everything in it.

On AWS such a deletion ends in DELETE_FAILED, and the objects stay.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html
"""

from __future__ import annotations

from typing import Any

_REASON = "The bucket you tried to delete is not empty (Service: S3, Status Code: 409)"


def apply() -> None:
    """Refuse to delete a bucket that has objects or versions of some."""
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    deleted = handlers["delete"]

    def delete(physical_id: str, properties: Any) -> None:
        from ministack.services import s3

        bucket = s3._buckets.get(physical_id)
        if bucket is not None and (bucket["objects"] or s3._bucket_has_versions(physical_id)):
            raise ValueError(_REASON)
        deleted(physical_id, properties)

    handlers["delete"] = delete
