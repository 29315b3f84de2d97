"""AWS clients, made when they are first used: importing boto3 takes longer than everything else at a cold start."""

from __future__ import annotations

import functools
from typing import Any


@functools.cache
def client(name: str) -> Any:
    """The low-level client of the AWS service *name*; it gives up before the function's own timeout."""
    import boto3
    from botocore.config import Config

    return boto3.client(name, config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2}))
