"""One finding of ``doctor``: what it is, how good or bad, and what to do about it."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Verdict(enum.Enum):
    """How good or bad a finding is."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """
    One thing looked at; the names of the attributes are the keys of ``doctor --json``.

    Attributes:
        found: What is there.
        advice: What it means and what to do; empty when all is well.
    """

    name: str
    verdict: Verdict
    found: str
    advice: str = ""
