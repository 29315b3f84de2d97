"""Progress as plain facts; whoever listens decides what a person sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """
    One thing that happened.

    Attributes:
        environment: Whom it concerns, or None for the project as a whole.
        step: A verb in the present, e.g. ``starting``, ``deploying``, ``ready``.
        detail: What and why, e.g. ``emulator (pid 4711) is gone``.
        seconds: How long the step took, when it is over.
    """

    environment: str | None
    step: str
    detail: str = ""
    seconds: float | None = None


Emit = Callable[[Event], None]
