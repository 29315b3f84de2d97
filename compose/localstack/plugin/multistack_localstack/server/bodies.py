"""A function gets the very bytes of a request's body, whatever its type."""

from __future__ import annotations

from typing import Any

from localstack.services.apigateway.next_gen.execute_api.handlers import parse

_restore = parse.restore_payload


def keep() -> None:
    """
    Let API Gateway read bodies as they came.

    LocalStack reads a form to find out which service is meant, and then writes the form anew: of JSON that a client
    calls a form, as curl does without being told otherwise, only a mangled name is left.
    """
    parse.restore_payload = body_of


def body_of(request: Any) -> bytes:
    """The body of *request*, which our server keeps until it is answered."""
    stream = request.environ.get("wsgi.input")
    if not getattr(stream, "seekable", lambda: False)():
        return bytes(_restore(request))
    stream.seek(0)
    return bytes(stream.read())
