"""An environment's AWS API: clients that can reach nothing else, and its health."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from emulator.errors import DeployError, NotReady
from emulator.model import Endpoint

HEALTH_PATH = "/_localstack/health"
# Seconds between two looks at whether it is worth waiting on: a Docker engine takes its time to answer.
_LOOK = 0.2
# boto3 loads its service descriptions through one shared session, which is not thread-safe.
_creating = threading.Lock()


class Clock(Protocol):
    """Time as an argument, so that a test can move it."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    def sleep(self, seconds: float, /) -> None:
        """Let *seconds* pass."""


@functools.lru_cache(maxsize=256)
def client(endpoint: Endpoint, service: str) -> Any:
    """
    A boto3 client for *service* of one environment.

    Made through localstack-client, with the account id as access key: emulators take the account from it. No proxy is
    used and no real credentials are looked for (``config.isolate_process`` sees to the environ).
    """
    from botocore.config import Config
    from localstack_client.session import Session

    parts = urlsplit(endpoint.url)
    options = Config(proxies={}, connect_timeout=2, read_timeout=60, retries={"total_max_attempts": 1})
    with _creating:
        session = Session(
            aws_access_key_id=endpoint.account_id,
            aws_secret_access_key="multistack",  # noqa: S106 (emulators check no secret)
            region_name=endpoint.region,
            localstack_host=f"{parts.hostname}:{parts.port}",
        )
        return session.client(service, config=options)


@contextlib.contextmanager
def answering(endpoint: Endpoint) -> Iterator[None]:
    """
    For as long as the emulator must answer.

    Raises:
        NotReady: It ended, or a connection to it broke.
        DeployError: It refused a call that should have worked.
    """
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    broken = (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.IncompleteReadError)
    try:
        yield
    except exceptions.ClientError as error:
        raise DeployError(
            f"environment {endpoint.environment}: {error}", hint=f"multistack logs {endpoint.environment}"
        ) from error
    except (*broken, ResponseParserError) as error:
        raise NotReady(
            f"environment {endpoint.environment}: its emulator no longer answers ({endpoint.url})",
            hint=f"multistack up {endpoint.environment}",
        ) from error


def health(endpoint: Endpoint, *, timeout: float) -> Mapping[str, str] | None:
    """
    Service name to state, e.g. ``{"s3": "available"}``, or None when the emulator doesn't answer 200 in time.

    Source:
        ``GET /_localstack/health`` (LocalStack openapi.yaml; MiniStack answers it too).
    """
    parts = urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.request("GET", HEALTH_PATH)
        response = connection.getresponse()
        body = response.read()
        return dict(json.loads(body)["services"]) if response.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()


def broken_services(services: Mapping[str, str]) -> list[str]:
    """The services that answer their health with an error: they could not even be loaded."""
    return sorted(name for name, state in services.items() if state == "error")


def wait_until_healthy(
    endpoint: Endpoint, *, timeout: float, clock: Clock = time, give_up: Callable[[], str | None] = lambda: None
) -> Mapping[str, str]:
    """
    Poll the emulator until it reports healthy.

    Args:
        timeout: Seconds, on a monotonic clock.
        give_up: Asked now and then; a text ends the wait with it as the reason.

    Returns:
        Service name to state.

    Raises:
        NotReady: No HTTP 200 within *timeout*, or one that names broken services, or *give_up* said why not to wait.
    """
    deadline = clock.monotonic() + timeout
    look = clock.monotonic()
    while True:
        remaining = deadline - clock.monotonic()
        services = health(endpoint, timeout=max(0.05, min(1.0, remaining)))
        if services and not broken_services(services):
            return services
        if clock.monotonic() >= look:
            if reason := give_up():
                raise NotReady(f"environment {endpoint.environment}: {reason}")
            look = clock.monotonic() + _LOOK
        if clock.monotonic() >= deadline:
            broken = f", broken: {', '.join(broken_services(services))}" if services else ""
            raise NotReady(
                f"environment {endpoint.environment} is not healthy after {timeout:g} s ({endpoint.url}{broken})"
            )
        clock.sleep(0.02)
