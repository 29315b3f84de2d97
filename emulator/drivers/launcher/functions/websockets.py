"""
Gap: MiniStack 1.5.33 calls a function behind a WebSocket API without a lease of the process that runs it.

Another call then gets the same process and waits for it, on the thread of the event loop if it is warm: the emulator
stands still, for as long as the first one waits for it. What such a function prints is lost as well. Here it is
called as all others are, one process for each call at once, and logs.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


def apply() -> None:
    """Give WebSocket APIs, which alone ask for it, something to call in the place of a process."""
    from ministack.core import lambda_runtime

    lambda_runtime.get_or_create_worker = caller_of


@dataclass(frozen=True, slots=True)
class Caller:
    """Looks like a process of MiniStack's; *record* is the function's, with ``config`` and ``code_zip``."""

    record: Mapping[str, Any]

    def invoke(self, event: Any, _message_id: str) -> dict[str, Any]:
        """Call the function, and answer as such a process does."""
        from ministack.services import lambda_svc

        answer = lambda_svc._execute_function(self.record, event)
        if answer.get("error"):
            return {"status": "error", "error": _message(answer.get("body"))}
        return {"status": "ok", "result": answer.get("body")}


def caller_of(_name: str, config: Mapping[str, Any], code_zip: bytes, *, qualifier: str = "") -> Caller:
    """What calls the function or version that *config* describes."""
    del qualifier  # it is what the configuration says
    return Caller({"config": config, "code_zip": code_zip})


def _message(body: Any) -> str:
    return str(body.get("errorMessage") or body.get("message") or "") if isinstance(body, Mapping) else str(body)
