"""What the proxy says when it can't pass a request on: RFC 9457 problem details."""

from __future__ import annotations

import http
import json
from collections.abc import Mapping

CONTENT_TYPE = "application/problem+json"
_TYPE = "urn:multistack:problem:"


class Problem(Exception):
    """
    An answer of the proxy's own, instead of an environment's.

    Args:
        kind: What a program tells problems apart by; becomes the end of ``type``.
        title: The same for every problem of a kind.
        detail: What is wrong with this request.
        environment: The environment it concerns, as far as it is known.
        next_command: The command that helps, or None when none does.
        extra: Further members, e.g. the environments that exist.

    Attributes:
        headers: Sent beside those that every problem has; whoever lets it pass may add some.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str,
        *,
        environment: str | None = None,
        next_command: str | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.environment = environment
        self.next_command = next_command
        self.extra = dict(extra or {})
        self.headers: list[tuple[str, str]] = []

    @property
    def status_line(self) -> str:
        """Code and phrase, e.g. ``404 Not Found``."""
        return f"{self.status} {phrase(self.status)}"

    def to_json(self, *, instance: str | None) -> bytes:
        """The problem as a JSON document; *instance* is the target that was asked for."""
        content = {
            "type": _TYPE + self.kind if self.kind else "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "environment": self.environment,
            "next": self.next_command,
            **self.extra,
        }
        return json.dumps(content, indent=2).encode() + b"\n"


def phrase(status: int) -> str:
    """The standard phrase of a status, or nothing when it has none."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


def plain_problem(status: int, detail: str) -> Problem:
    """A problem that says no more than its status does: ``about:blank``."""
    return Problem(status, "", phrase(status), detail)


def internal_problem() -> Problem:
    """Our bug; what it was stands in the log only."""
    return Problem(500, "internal", "Error in the proxy", "the proxy failed; its log has the traceback")
