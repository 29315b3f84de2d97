"""
What a call ends with: its result as JSON, or AWS's description of what went wrong.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html and, for the types that begin with ``Runtime``,
    https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html
"""

from __future__ import annotations

import decimal
import json
import os
import traceback
from typing import Any

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 6 MB, and what AWS's own message says.
MOST_RESULT_BYTES = 6_291_556
_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib costs 5 ms of a cold start


class Failure(Exception):
    """Something AWS has a type for: *kind* is ``Runtime.…`` or ``Function.…``."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def marshal(result: Any) -> bytes:
    """
    *result* as JSON.

    Raises:
        Failure: JSON has nothing for it, or it is too long.
    """
    try:
        content = json.dumps(result, default=_number).encode()
    except Exception as error:  # whatever a type of the function's own raises meanwhile
        raise Failure("Runtime.MarshalError", f"Unable to marshal response: {error}") from error
    if len(content) > MOST_RESULT_BYTES:
        raise Failure(
            "Function.ResponseSizeTooLarge",
            f"Response payload size exceeded maximum allowed payload size ({MOST_RESULT_BYTES} bytes).",
        )
    return content


def _number(value: Any) -> float:
    if isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def describe(error: BaseException, request_id: str) -> dict[str, Any]:
    """The answer for *error*: a class of the function's own is named as it is, without its module."""
    if isinstance(error, Failure):
        return {"errorMessage": str(error), "errorType": error.kind, "requestId": request_id, "stackTrace": []}
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_internal(frame.filename)]
    return {
        "errorMessage": _text(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_list(frames),
    }


def lines(description: dict[str, Any]) -> str:
    """What a failed call has in its log: what and why, then where."""
    found = ["[ERROR] {}: {}".format(description["errorType"], description["errorMessage"])]
    if description["stackTrace"]:
        found.append("Traceback (most recent call last):")
        found += [frame.rstrip("\n") for frame in description["stackTrace"]]
    return "\n".join(found) + "\n"


def _is_internal(file: str) -> bool:
    return file.startswith((_OWN_FOLDER, "<frozen importlib")) or "importlib/__init__.py" in file


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as inner:  # an exception of the function's own with a broken __str__
        return f"<no text: {type(inner).__name__}>"
