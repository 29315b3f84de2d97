"""
Gap: MiniStack 1.5.33 waits for the answer of a custom resource whose function has failed.

CloudFormation does as well, for an hour; its function is called twice more in that time. Here the stack fails with what
the function said. One that returned without an answer may still give it, from another function. An answer that was
given counts, whatever its function does after it.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-custom-resources.html
"""

from __future__ import annotations

import threading
from typing import Any

_LONGEST = 500


def apply() -> None:
    """Answer for functions that can't any more."""
    from ministack.services import lambda_svc
    from ministack.services.cloudformation import custom_resource

    current = threading.local()
    register, execute = custom_resource.register_token, lambda_svc._execute_function_with_config_scope

    def register_token(token: str) -> Any:
        current.token = token
        return register(token)

    def execute_function(function: Any, event: Any) -> Any:
        token, current.token = getattr(current, "token", None), None
        result = execute(function, event)
        if token is not None and isinstance(result, dict) and result.get("error"):
            name = (function.get("config") or {}).get("FunctionName", "its function")
            reason = f"{name} failed and gave no answer: {_said(result.get('body'))}"
            _fail_unanswered(custom_resource, token, reason)
        return result

    custom_resource.register_token = register_token
    lambda_svc._execute_function_with_config_scope = execute_function


def _fail_unanswered(custom_resource: Any, token: str, reason: str) -> None:
    with custom_resource._lock:
        pending = custom_resource._pending.get(token)
        if pending is not None and pending["result"] is None:
            pending["result"] = {"Status": "FAILED", "Reason": reason}
            pending["event"].set()


def _said(body: Any) -> str:
    said = body.get("errorMessage", body) if isinstance(body, dict) else body
    return str(said)[:_LONGEST]
