"""
The object that a handler gets as its second argument.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

from __future__ import annotations

import time
from typing import Any


class _Fields:
    """Attributes by name; what AWS documents is there even when the caller sent nothing."""

    _NAMES: tuple[str, ...] = ()

    def __init__(self, values: Any) -> None:
        for name in self._NAMES:
            setattr(self, name, values.get(name) if isinstance(values, dict) else None)

    def __repr__(self) -> str:
        return "{}({})".format(type(self).__name__, ", ".join(f"{name}={getattr(self, name)}" for name in self._NAMES))


class CognitoIdentity(_Fields):
    """Who called, when a mobile SDK did."""

    _NAMES = ("cognito_identity_id", "cognito_identity_pool_id")


class Client(_Fields):
    """The application that called, when a mobile SDK did."""

    _NAMES = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(_Fields):
    """What the caller sent as ``ClientContext``."""

    _NAMES = ("custom", "env")

    def __init__(self, values: Any) -> None:
        super().__init__(values)
        sent = values.get("client") if isinstance(values, dict) else None
        self.client = Client(sent) if sent is not None else None


class LambdaContext:
    """One call: its identity, its function, and how long it may still take."""

    def __init__(self, function: Any, call: Any) -> None:
        self.function_name = function["name"]
        self.function_version = function["version"]
        self.memory_limit_in_mb = str(function["memory"])
        self.log_group_name = function["log_group"]
        self.log_stream_name = function["log_stream"]
        self.aws_request_id = call["request_id"]
        self.invoked_function_arn = call["arn"]
        self.tenant_id = None
        self.identity = CognitoIdentity(None)
        sent = call.get("client_context")
        self.client_context = ClientContext(sent) if sent is not None else None
        self._deadline = time.monotonic() + call["seconds"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the call is ended for taking too long."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))

    def log(self, message: Any) -> None:
        """Write *message* to the log, without a line end."""
        print(message, end="", flush=True)  # noqa: T201 - a function's output is its log

    def __repr__(self) -> str:
        return f"LambdaContext({', '.join(f'{name}={value}' for name, value in vars(self).items() if name[0] != '_')})"
