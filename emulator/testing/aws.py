"""A boto3 session that reaches one environment and nothing else, whatever the process's variables say."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an environment's AWS API answers, and as whom to call it."""

    endpoint_url: str
    account_id: str
    region: str


class Aws:
    """
    The AWS API of one environment.

    Args:
        place: Asked each time: an emulator may come back elsewhere.
    """

    def __init__(self, place: Callable[[], Place]) -> None:
        self._place = place

    @property
    def session(self) -> Any:
        """A ``boto3.Session``: every client and resource that it makes leads to the environment."""
        return _session(self._place())

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client; without *options* the same one each time."""
        return self.session.client(service, **options) if options else _client(self._place(), service)

    def resource(self, service: str, **options: Any) -> Any:
        """A boto3 resource, e.g. of ``dynamodb``."""
        return self.session.resource(service, **options)


@functools.lru_cache(maxsize=32)
def _session(place: Place) -> Any:
    import boto3
    import botocore.session
    from botocore.config import Config

    # No variable of the process has a say, and none of the user's files.
    known = botocore.session.Session.SESSION_VARIABLES
    unread = {name: (key, None, default, convert) for name, (key, _, default, convert) in known.items()}
    for name in ("config_file", "credentials_file"):
        unread[name] = (None, None, os.devnull, None)
    core = botocore.session.Session(session_vars=unread)
    core.get_component("config_store").set_config_variable("endpoint_url", place.endpoint_url)
    # A bucket before the host's name would be another host, which no resolver knows.
    config = Config(proxies={}, connect_timeout=2, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    core.set_default_client_config(config)
    return boto3.Session(
        botocore_session=core,
        aws_access_key_id=place.account_id,
        aws_secret_access_key="multistack",  # noqa: S106 (emulators check no secret)
        region_name=place.region,
    )


@functools.lru_cache(maxsize=256)
def _client(place: Place, service: str) -> Any:
    return _session(place).client(service)
