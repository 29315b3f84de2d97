"""
Gap: MiniStack 1.5.33 answers 200 to an object that it could not write, e.g. on a full disk; a restart loses it.

On AWS an object that was acknowledged is stored: what can't be done is answered with 500 InternalError.

Source:
    https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

import functools
from typing import Any


class _Unstored(Exception):
    """The object was not written; MiniStack has logged why."""


def apply() -> None:
    """Fail a request whose object was not written."""
    from ministack.services import s3

    persist, handle = s3._persist_object, s3.handle_request

    @functools.wraps(persist)
    def persist_or_fail(bucket: str, key: str, obj: Any) -> None:
        persist(bucket, key, obj)
        # It drops a body that it has written.
        if isinstance(obj, dict) and obj.get("body") is not None:
            raise _Unstored

    @functools.wraps(handle)
    async def handle_or_fail(*args: Any, **options: Any) -> Any:
        try:
            return await handle(*args, **options)
        except _Unstored:
            return s3._error("InternalError", "We encountered an internal error. Please try again.", 500)

    s3._persist_object = persist_or_fail
    s3.handle_request = handle_or_fail
