"""What an environment served, one release after the other, as its deployments tell."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime

from emulator.model import Deployment, Kind


def served_since(done: Sequence[Deployment]) -> datetime:
    """
    When an environment began to serve what it serves.

    Args:
        done: Its deployments that succeeded, oldest first; at least one.
    """
    same = itertools.takewhile(lambda one: one.release.id == done[-1].release.id, reversed(done))
    return min(one.ended or one.at for one in same)


def line_of(done: Sequence[Deployment]) -> list[Deployment]:
    """
    The releases that stand behind the current one: a rollback takes away all that it went back over.

    Args:
        done: Deployments that succeeded, oldest first.
    """
    line: list[Deployment] = []
    for one in done:
        places = [place for place, other in enumerate(line) if other.release.id == one.release.id]
        if one.cause.kind is Kind.ROLLBACK and places:
            del line[places[-1] + 1 :]
        elif not (places and places[-1] == len(line) - 1):
            line.append(one)
    return line
