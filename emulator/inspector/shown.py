"""An exchange as it is shown: where its time went, its bodies as text, all of it as plain values."""

from __future__ import annotations

import base64
import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.model import Exchange, HttpAnswer, HttpRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """
    Where the seconds of an exchange went; together they are all of them.

    Attributes:
        proxy: Including what the client took to send its body, and a fault that held the request up.
        emulator: Waiting for it, without the functions that it called; None when it wasn't reached.
        function: Of all calls; None when there were none, or the emulator didn't tell.
    """

    proxy: float
    emulator: float | None
    function: float | None


def timing_of(exchange: Exchange) -> Timing:
    """The split of ``exchange.answer.seconds``."""
    upstream = exchange.upstream_seconds
    if upstream is None:
        return Timing(proxy=exchange.answer.seconds, emulator=None, function=None)
    upstream = min(upstream, exchange.answer.seconds)
    known = [call.seconds for call in exchange.invocations if call.seconds is not None]
    function = min(sum(known), upstream) if known else None
    return Timing(proxy=exchange.answer.seconds - upstream, emulator=upstream - (function or 0.0), function=function)


def text_of(body: bytes, *, is_cut: bool = False) -> str | None:
    """A body as text; None when it is none. The last character of a body that is cut may be cut as well."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(body, final=not is_cut)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def to_dict(exchange: Exchange, *, is_whole: bool = True) -> dict[str, Any]:
    """
    All of it in JSON's types.

    Args:
        is_whole: With headers and bodies.
    """
    timing, answer = timing_of(exchange), exchange.answer
    shown: dict[str, Any] = {
        "id": exchange.id,
        "at": exchange.at.isoformat(timespec="milliseconds"),
        "source": exchange.source.value,
        "environment": exchange.environment,
        "client": exchange.client,
        "release": exchange.release,
        "digest": exchange.digest,
        "method": exchange.request.method,
        "target": exchange.request.target,
        "status": answer.status,
        "is_complete": answer.is_complete,
        "problem": answer.problem,
        "faults": list(exchange.faults),
        "seconds": round(answer.seconds, 6),
        "timing": {
            "proxy": _rounded(timing.proxy),
            "emulator": _rounded(timing.emulator),
            "function": _rounded(timing.function),
        },
        "invocations": [
            {"function": call.function, "request_id": call.request_id, "seconds": _rounded(call.seconds)}
            for call in exchange.invocations
        ],
        "request_length": exchange.request.body_length,
        "answer_length": answer.body_length,
    }
    if is_whole:
        shown["request"] = _message(exchange.request)
        shown["answer"] = _message(answer)
    return shown


def is_cut(message: HttpRequest | HttpAnswer) -> bool:
    """Whether only the first part of a message's body was kept."""
    return message.body_length > len(message.body)


def _message(message: HttpRequest | HttpAnswer) -> Mapping[str, Any]:
    text = text_of(message.body, is_cut=is_cut(message))
    return {
        "headers": [list(header) for header in message.headers],
        "body": base64.b64encode(message.body).decode() if text is None else text,
        "body_encoding": "base64" if text is None else "text",
        "body_length": message.body_length,
        "is_cut": is_cut(message),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
