"""
The lines that Lambda itself writes into a function's log.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html: START, END and REPORT, fields divided by tabs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """
    What a call took.

    Attributes:
        duration: Seconds from the event to the answer.
        init: Seconds that the process took to be ready, if it was started for this call.
        memory_size: What the function may use, in MB.
        memory_used: The most it had so far, in MB.
    """

    duration: float
    memory_size: int
    memory_used: int
    init: float | None = None


def start_line(request_id: str, version: str) -> str:
    """A call begins."""
    return f"START RequestId: {request_id} Version: {version}"


def end_line(request_id: str) -> str:
    """A call has ended."""
    return f"END RequestId: {request_id}"


def report_line(request_id: str, usage: Usage, *, status: str = "") -> str:
    """What a call took; *status* tells how it failed."""
    milliseconds = usage.duration * 1000
    fields = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {milliseconds:.2f} ms",
        f"Billed Duration: {math.ceil(milliseconds)} ms",
        f"Memory Size: {usage.memory_size} MB",
        f"Max Memory Used: {usage.memory_used} MB",
    ]
    if usage.init is not None:
        fields.append(f"Init Duration: {usage.init * 1000:.2f} ms")
    if status:
        fields.append(f"Status: {status}")
    return "\t".join(fields)
