"""Who may use a proxy that listens beyond loopback: this machine, and whoever knows the password."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import replace

from emulator.proxy.guesses import Guesses
from emulator.proxy.problems import Problem
from emulator.proxy.request import Request
from emulator.proxy.resolve import ENVIRONMENT_HEADER, environment_of_host, split_segment
from emulator.proxy.seat import TOKEN_HEADER

PASSWORD_HEADER = "x-multistack-password"  # noqa: S105 (the header's name)
SESSION_COOKIE = "multistack_session"
_SECRET_HEADERS = frozenset({PASSWORD_HEADER, "proxy-authorization", TOKEN_HEADER})
# They tell nothing: whoever starts the proxy asks the first, and the page where spaces are joined needs the others.
_OPEN = ("/_multistack/health", "/_multistack/static/style.css", "/_multistack/static/icon.svg")
_SESSION_SECONDS = 12 * 3600


def without_credentials(request: Request, password: str | None = None) -> Request:
    """
    The request as environments, records and comparisons may see it.

    Args:
        password: The proxy's. After a sign-in at a page browsers send it to all of the origin, as `Authorization`.
    """
    if password is None and not any(
        name.lower() in _SECRET_HEADERS or SESSION_COOKIE in value for name, value in request.headers
    ):
        return request  # nearly all of them
    kept = []
    for name, value in request.headers:
        key = name.lower()
        cookies = _other_cookies(value) if key == "cookie" and SESSION_COOKIE in value else value
        is_ours = key == "authorization" and password is not None and _equal(_basic(value) or "", password)
        if key not in _SECRET_HEADERS and not is_ours and (cookies or cookies == value):
            kept.append((name, cookies))
    return replace(request, headers=kept)


class Guard:
    """
    Asks other machines for the password.

    Args:
        password: What it is right now; None lets nobody in.
        guesses: The wrong ones so far.
        listens_on: See :func:`emulator.proxy.resolve.resolve`.
        now: Seconds since the epoch: sessions end by it.
    """

    def __init__(
        self,
        password: Callable[[], str | None],
        *,
        guesses: Guesses,
        listens_on: Callable[[str], bool],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._password = password
        self._listens_on = listens_on
        self._now = now
        self._guesses = guesses
        self._key = secrets.token_bytes(32)

    def admit(self, request: Request) -> list[tuple[str, str]]:
        """
        Let a request in; what is returned are headers for its answer.

        Raises:
            Problem: 401, it has no password or a wrong one. Or 429, its client has guessed too often.
        """
        if self._guesses.is_local(request.caller):
            return []
        is_page = self._is_page(request)
        if is_page and request.method in {"GET", "HEAD"} and request.target in _OPEN:
            return []
        password = self._password()
        if password is not None and any(self._is_session(one, password) for one in _sessions(request)):
            return []
        given = _given(request, is_page=is_page)
        if not given:
            raise _unknown(is_page=is_page)
        self._guesses.check(request.caller)
        if password is None or not _equal(given, password):
            self._guesses.note(request.caller)
            raise _unknown(is_page=is_page, detail="the password is wrong")
        return [("Set-Cookie", self._session(password, request.scheme))] if is_page else []

    def without_credentials(self, request: Request) -> Request:
        """See :func:`without_credentials`."""
        has_one = any(name.lower() == "authorization" for name, _ in request.headers)
        return without_credentials(request, self._password() if has_one else None)

    def _is_page(self, request: Request) -> bool:
        """Whether it is for the proxy itself, so that ``Authorization`` is not an environment's."""
        if request.values(ENVIRONMENT_HEADER) or environment_of_host(request.host or "", self._listens_on) is not None:
            return False
        return split_segment(request.target)[0] in {"", "_multistack"}

    def _session(self, password: str, scheme: str) -> str:
        """A cookie that no script reads, and that browsers send with no other site's requests."""
        ends = int(self._now()) + _SESSION_SECONDS
        value = f"{ends}.{self._sign(ends, password)}"
        secure = "; Secure" if scheme == "https" else ""
        return f"{SESSION_COOKIE}={value}; Path=/; Max-Age={_SESSION_SECONDS}; HttpOnly; SameSite=Strict{secure}"

    def _is_session(self, value: str, password: str) -> bool:
        ends, _, signature = value.partition(".")
        if not (ends.isdecimal() and len(ends) < 12 and int(ends) > self._now()):
            return False
        return _equal(signature, self._sign(int(ends), password))

    def _sign(self, ends: int, password: str) -> str:
        return hmac.new(self._key, f"{ends}/{password}".encode(), hashlib.sha256).hexdigest()


def _given(request: Request, *, is_page: bool) -> str | None:
    """The password that a request carries."""
    if plain := request.values(PASSWORD_HEADER):
        return plain[0]
    headers = ("proxy-authorization", "authorization") if is_page else ("proxy-authorization",)
    given = (_basic(value) for header in headers for value in request.values(header))
    return next((one for one in given if one is not None), None)


def _basic(value: str) -> str | None:
    """The password in the value of a header with the scheme `Basic`."""
    scheme, _, content = value.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(content.strip(), validate=True).decode("latin-1").partition(":")[2]
    except (binascii.Error, ValueError):
        return None


def _sessions(request: Request) -> list[str]:
    pairs = (pair.strip().partition("=") for value in request.values("cookie") for pair in value.split(";"))
    return [value for name, _, value in pairs if name == SESSION_COOKIE]


def _other_cookies(value: str) -> str:
    pairs = [pair.strip() for pair in value.split(";")]
    return "; ".join(pair for pair in pairs if pair.partition("=")[0].strip() != SESSION_COOKIE)


def _equal(given: str, expected: str) -> bool:
    """In a time that doesn't tell how much of it is right."""
    return hmac.compare_digest(given.encode("latin-1", "replace"), expected.encode("latin-1", "replace"))


def _unknown(*, is_page: bool, detail: str = "other machines need the proxy's password") -> Problem:
    way = "" if is_page else ": send it as X-Multistack-Password, or sign in at / in this browser"
    problem = Problem(401, "password", "Password needed", detail + way)
    # Of the own scheme browsers make no dialog, whose answer would go to the environment as Authorization.
    scheme = 'Basic realm="multistack", charset="UTF-8"' if is_page else 'Multistack realm="multistack"'
    problem.headers.append(("WWW-Authenticate", scheme))
    return problem
