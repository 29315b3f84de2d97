"""
What keeps other web pages away from the proxy's own: headers for browsers, and a check of whatever changes something.

That ``Host`` names this machine was checked before, see :func:`emulator.proxy.resolve.environment_of_host`.
"""

from __future__ import annotations

import hmac
import secrets

from flask import Request, Response

from emulator.proxy import origin
from emulator.proxy.problems import Problem

TOKEN_HEADER = "X-Multistack-Token"  # noqa: S105 (a header's name)
# Nothing is loaded from elsewhere, nothing runs that isn't a file of ours, nobody frames a page.
POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect")),
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def new_token() -> str:
    """What a request must carry to change something: another one in every process."""
    return secrets.token_urlsafe(32)


def add_headers(response: Response) -> Response:
    """Tell browsers what a page of ours may do."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def check_same_origin(request: Request) -> None:
    """See :func:`emulator.proxy.origin.check_same_origin`."""
    origin.check_same_origin(
        host=request.host,
        origins=request.headers.getlist("Origin"),
        sites=request.headers.getlist("Sec-Fetch-Site"),
    )


def check_token(request: Request, token: str, *, form: str | None = None) -> None:
    """
    Refuse what does not carry the token of this process.

    Args:
        form: The token in a form's field, which stands for the header.

    Raises:
        Problem: 403.
    """
    given = request.headers.get(TOKEN_HEADER) or form or ""
    if not hmac.compare_digest(given.encode(), token.encode()):
        detail = f"what changes something needs the header {TOKEN_HEADER}; GET /_multistack/api/session tells its value"
        raise Problem(403, "no-token", "Token missing or wrong", detail)
