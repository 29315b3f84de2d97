"""What answers at the URL of an emulator that somebody else runs."""

from __future__ import annotations

import http.client
import re
import ssl
from dataclasses import dataclass

from emulator.endpoint import HEALTH_PATH, broken_services, connection_to, services_in
from emulator.model import Status

# A longer answer is none to our questions.
_MOST_BYTES = 2**20
_MINISTACK_HEALTH = "/_ministack/health"
_WHO_AM_I = "/?Action=GetCallerIdentity&Version=2011-06-15"


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What was found.

    Attributes:
        status: STOPPED when nothing listens, UNHEALTHY when it is no emulator or not a healthy one.
        reason: Why it is not ready, or what does not work although it is; empty when all is well.
    """

    status: Status
    reason: str = ""


def probe(url: str, *, timeout: float) -> Answer:
    """
    Ask for the health of the emulator at *url*; a redirect is not followed.

    Args:
        timeout: Seconds for the connection, and for the answer.
    """
    connection = connection_to(url, timeout=timeout)
    try:
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            return Answer(Status.UNHEALTHY, f"the certificate of {url} is not trusted: {error.verify_message}")
        except ssl.SSLError:
            return Answer(Status.UNHEALTHY, f"what answers at {url} speaks no TLS")
        except OSError as error:
            why = f"within {timeout:g} s" if isinstance(error, TimeoutError) else f"({error.strerror or error})"
            return Answer(Status.STOPPED, f"nothing answers at {url} {why}")
        try:
            connection.request("GET", HEALTH_PATH)
            response = connection.getresponse()
            return _judge(url, response, response.read(_MOST_BYTES))
        except TimeoutError:
            return Answer(Status.UNHEALTHY, f"what listens at {url} does not answer within {timeout:g} s")
        except (OSError, http.client.HTTPException):
            return Answer(Status.UNHEALTHY, f"what listens at {url} gives no HTTP answer")
    finally:
        connection.close()


def _judge(url: str, response: http.client.HTTPResponse, body: bytes) -> Answer:
    if 300 <= response.status < 400:
        location = response.headers.get("Location", "nowhere")
        return Answer(Status.UNHEALTHY, f"{url} redirects to {location[:200]!r}, which is not followed")
    if response.status >= 500:
        return Answer(Status.UNHEALTHY, f"the emulator at {url} is not healthy: HTTP {response.status}")
    services = services_in(body) if response.status == 200 else None
    if not services:
        return Answer(Status.UNHEALTHY, f"what answers at {url} is no emulator: it has no {HEALTH_PATH}")
    if broken := broken_services(services):
        return Answer(Status.READY, f"its emulator could not load {', '.join(broken)}")
    return Answer(Status.READY)


def only_account(url: str, *, timeout: float) -> str | None:
    """
    The account whose APIs alone the emulator at *url* calls, or None when it calls those of any.

    A call of an API is not signed. LocalStack finds the API whichever account has it, MiniStack looks into the account
    that it was started with, which an unsigned call of STS tells.

    Source:
        MiniStack 1.5.33, ``core/responses.py``, ``set_request_account_id``.
    """
    connection = connection_to(url, timeout=timeout)
    try:
        if _text(connection, _MINISTACK_HEALTH) is None:
            return None
        found = re.search(r"<Account>(\d{12})</Account>", _text(connection, _WHO_AM_I) or "")
        return found[1] if found else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _text(connection: http.client.HTTPConnection, path: str) -> str | None:
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read(_MOST_BYTES)
    return body.decode(errors="replace") if response.status == 200 else None
