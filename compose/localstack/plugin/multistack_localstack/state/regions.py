"""
In which regions a service is, looked up with one session for all services.

LocalStack makes a new one for each, which takes 15 to 50 ms: up to half a second in a start that restores ten services.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace

import boto3
from localstack.utils.aws import aws_stack


def look_up_with_one_session() -> None:
    """Let LocalStack's look-up use one session."""
    one = SimpleNamespace(Session=functools.cache(boto3.Session), session=boto3.session)
    vars(aws_stack)["boto3"] = one
