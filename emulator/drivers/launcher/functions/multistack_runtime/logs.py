"""
The root handler of ``logging``, which AWS's runtime installs before it imports the function.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

_TEXT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
_TIME = "%Y-%m-%dT%H:%M:%S"
# What Lambda calls levels, where Python calls them otherwise.
_LEVELS = {"TRACE": logging.DEBUG, "FATAL": logging.CRITICAL, "WARN": logging.WARNING}


class _Handler(logging.Handler):
    """Writes to what ``sys.stdout`` is at that moment, and knows the call."""

    def __init__(self) -> None:
        super().__init__()
        self.request_id = ""

    def emit(self, record: logging.LogRecord) -> None:
        record.aws_request_id = self.request_id
        try:
            sys.stdout.write(self.format(record) + "\n")
        except Exception:  # logging must never fail a call; handleError says what happened, as in every handler
            self.handleError(record)


class _Json(logging.Formatter):
    """One JSON object for each record."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "timestamp": time.strftime(_TIME, time.gmtime(record.created)) + "Z",
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": getattr(record, "aws_request_id", ""),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields)


def install(*, as_json: bool, level: str) -> _Handler:
    """Give the root logger its handler, in the format and from the level that the function's ``LoggingConfig`` asks."""
    handler = _Handler()
    text = logging.Formatter(_TEXT, _TIME)
    text.converter = time.gmtime
    handler.setFormatter(_Json() if as_json else text)
    root = logging.getLogger()
    root.addHandler(handler)
    if level:
        root.setLevel(_LEVELS.get(level, getattr(logging, level, logging.WARNING)))
    return handler
