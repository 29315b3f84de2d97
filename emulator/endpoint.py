"""An environment's AWS API: clients that can reach nothing else, and its health."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from emulator.addresses import origin_of
from emulator.endpoint_key import headers_of
from emulator.errors import DeployError, MultistackError, NotReady
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
def client(endpoint: Endpoint, service: str, *, patience: float = 60.0) -> Any:
    """
    A boto3 client for *service* of one environment.

    Made through localstack-client, with the account id as access key: emulators take the account from it. No proxy is
    used and no real credentials are looked for (``config.isolate_process`` sees to the environ). A redirect is an
    error and not followed.

    Args:
        patience: Seconds to wait for an answer.
    """
    from botocore.config import Config
    from localstack_client.session import Session

    options = Config(
        proxies={},
        connect_timeout=2,
        read_timeout=patience,
        retries={"total_max_attempts": 1},
        # A bucket before the host's name would be another host, which no resolver knows.
        s3={"addressing_style": "path"},
    )
    with _creating:
        session = Session(
            aws_access_key_id=endpoint.account_id,
            aws_secret_access_key="multistack",  # noqa: S106 (emulators check no secret)
            region_name=endpoint.region,
        )
        # By itself it makes only URLs such as http://name:4566, and checks no certificate.
        session._service_endpoint_mapping = dict.fromkeys(session._service_endpoint_mapping, endpoint.url)
        if endpoint.url.startswith("https:"):
            session.common_protected_kwargs["verify"] = ca_file() or True
        made = session.client(service, config=options)
    if endpoint.key:
        made.meta.events.register("before-send.*", functools.partial(_add_key, key=endpoint.key))
    return made


def _add_key(request: Any, *, key: str, **_told: Any) -> None:
    """Let a request carry the emulator's key, after it was signed: the emulator takes it off."""
    for name, value in headers_of(key).items():
        request.headers[name] = value


def ca_file() -> str | None:
    """The file of certificates that SSL_CERT_FILE names, for emulators whose certificate no public authority gave."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile if paths.cafile != paths.openssl_cafile else None


def connection_to(url: str, *, timeout: float) -> http.client.HTTPConnection:
    """
    A connection to the server at *url*, to be opened by its first request.

    Args:
        timeout: Seconds to wait for the connection, and for every read on it.
    """
    origin = origin_of(url)
    if origin.scheme == "https":
        return http.client.HTTPSConnection(origin.host, origin.port, timeout=timeout)
    return http.client.HTTPConnection(origin.host, origin.port, timeout=timeout)


@contextlib.contextmanager
def answering(endpoint: Endpoint, *, refusal: type[MultistackError] = DeployError) -> Iterator[None]:
    """
    For as long as the emulator must answer.

    Args:
        refusal: What is raised when it refuses a call.

    Raises:
        NotReady: It ended, or a connection to it broke.
        MultistackError: It refused a call that should have worked; by default a DeployError.
    """
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    broken = (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.IncompleteReadError)
    try:
        yield
    except exceptions.ClientError as error:
        raise refusal(
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
    connection = connection_to(endpoint.url, timeout=timeout)
    try:
        connection.request("GET", HEALTH_PATH)
        response = connection.getresponse()
        body = response.read()
        return services_in(body) if response.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def services_in(health: bytes) -> Mapping[str, str] | None:
    """Service name to state out of an emulator's health, or None when it is no such thing."""
    try:
        return dict(json.loads(health)["services"])
    except (ValueError, KeyError, TypeError):
        return None


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
        healthy = services if services and not broken_services(services) else None
        # A healthy one is asked about, too: where the emulator has died, its port may be another one's by now.
        if healthy or clock.monotonic() >= look:
            if reason := give_up():
                raise NotReady(f"environment {endpoint.environment}: {reason}")
            look = clock.monotonic() + _LOOK
        if healthy:
            return healthy
        if clock.monotonic() >= deadline:
            broken = f", broken: {', '.join(broken_services(services))}" if services else ""
            raise NotReady(
                f"environment {endpoint.environment} is not healthy after {timeout:g} s ({endpoint.url}{broken})"
            )
        clock.sleep(0.02)
