"""A problem as AWS's clients read it, in each of AWS's protocols: they know no others."""

from __future__ import annotations

import json
import re
from xml.sax.saxutils import escape

from emulator.proxy.problems import CONTENT_TYPE, Problem
from emulator.proxy.request import Request

# By status, as AWS's services call it; of the last two clients make another attempt.
_CODES = {
    401: "InvalidClientTokenId",
    403: "AccessDenied",
    404: "ResourceNotFoundException",
    413: "RequestEntityTooLarge",
    429: "ThrottlingException",
    503: "ServiceUnavailable",
}
# Services whose answers are XML though their requests aren't forms.
_XML_SERVICES = frozenset({"s3", "s3-outposts", "route53", "cloudfront"})
_SCOPE = re.compile(r"Credential=[^/%&,]*(?:/|%2F)[0-9]{8}(?:/|%2F)[a-z0-9-]*(?:/|%2F)([a-z0-9-]+)", re.IGNORECASE)
_FORM = "application/x-www-form-urlencoded"


def aws_error(problem: Problem, request: Request, *, instance: str) -> tuple[str, bytes, list[tuple[str, str]]]:
    """
    Content type, body, and further headers of the answer.

    Args:
        instance: The target that was asked for.
    """
    code = _CODES.get(problem.status, "InternalFailure")
    service = _service(request)
    if service in _XML_SERVICES or any(value.startswith(_FORM) for value in request.values("content-type")):
        said = f"<Error><Code>{code}</Code><Message>{escape(problem.detail)}</Message></Error>"
        content = said if service == "s3" else f"<ErrorResponse>{said}</ErrorResponse>"
        return "text/xml", f'<?xml version="1.0" encoding="UTF-8"?>\n{content}\n'.encode(), problem.headers
    told = {**json.loads(problem.to_json(instance=instance)), "__type": code, "message": problem.detail}
    return CONTENT_TYPE, json.dumps(told, indent=2).encode() + b"\n", [*problem.headers, ("X-Amzn-ErrorType", code)]


def _service(request: Request) -> str:
    """The service that a request is signed for; empty for one that isn't signed."""
    found = (_SCOPE.search(text) for text in (*request.values("authorization"), request.target))
    return next((match[1].lower() for match in found if match), "")
