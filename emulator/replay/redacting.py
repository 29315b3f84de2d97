"""What comes from elsewhere, made fit for git: without secrets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime

from emulator.inspector.redaction import Redaction
from emulator.model import Exchange, HttpAnswer, HttpRequest, Source

_NOTHING = HttpAnswer(status=204, headers=(), body=b"", body_length=0, seconds=0.0)


def redacted(
    pairs: Iterable[tuple[HttpRequest, HttpAnswer | None]], names: Collection[str]
) -> Iterator[tuple[HttpRequest, HttpAnswer | None]]:
    """
    Requests and answers as a recording would have kept them.

    Args:
        names: What the project calls secret besides what always is.
    """
    redaction = Redaction.of(names)
    for request, answer in pairs:
        found = redaction.redact(as_exchange(request, answer or _NOTHING))
        yield found.request, found.answer if answer else None


def as_exchange(request: HttpRequest, answer: HttpAnswer) -> Exchange:
    """Both as what the proxy's recorder hands on, of no environment."""
    return Exchange(
        at=datetime.fromtimestamp(0, UTC),
        source=Source.CLIENT,
        environment="",
        client="",
        release=None,
        digest=None,
        request=request,
        answer=answer,
        upstream_seconds=None,
    )
