"""Tells of what others publish in a store, as it happens: nobody asks again and again."""

from __future__ import annotations

import enum
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

from emulator.environment_names import name_problem
from emulator.errors import MultistackError
from emulator.model import SEPARATOR
from emulator.store.store import Store
from emulator.store.tables import CHANNEL

# Seconds between two looks whether to stop, until a quiet connection is asked whether it still is one.
_LOOK = 0.5
_QUIET = 10.0
# Seconds until the next try to reach a store that is away: longer each time.
_FIRST, _LONGEST = 0.5, 15.0


class What(enum.Enum):
    """What may be new."""

    # After each connection, the first one too: whatever happened before it was told to nobody.
    ALL = "all"
    # The list of spaces, who joined them, the key of their tokens.
    SPACES = "spaces"
    ROUTES = "routes"
    # A space was asked, or is to be woken: what a proxy elsewhere tells that of the space's own machine.
    USED = "used"
    WAKE = "wake"
    # Nothing: the store can't be reached now. What is known goes on being good.
    AWAY = "away"


_TOLD = frozenset(one.value for one in (What.SPACES, What.ROUTES, What.USED, What.WAKE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """
    Something that may be new.

    Attributes:
        space: Which one, for what is about one; the routes of none are the project's own.
        environment: Of a space that is to wake, which one was asked for.
        reason: Why the store is away.
    """

    what: What
    space: str = ""
    environment: str = ""
    reason: str = ""


def follow(store: Store, project: str, stop: threading.Event) -> Iterator[Change]:
    """
    Changes in what *project* publishes until *stop*, however often the store is away meanwhile.

    Each :attr:`What.AWAY` is told once, until the next :attr:`What.ALL`.
    """
    delay, is_away = _FIRST, False
    while not stop.is_set():
        try:
            with store.transaction():  # makes its tables, should nobody have yet
                pass
            with store.translated(), store.open_connection(name=f"multistack proxy of {project}") as connection:
                connection.autocommit = True
                connection.execute(f"LISTEN {CHANNEL}")
                yield Change(what=What.ALL)
                delay, is_away = _FIRST, False
                yield from _told(connection, project, stop)
        # Also what can't be used now: a server that was promoted, or a store that is being brought forward.
        except MultistackError as error:
            if not is_away:
                yield Change(what=What.AWAY, reason=error.message)
            is_away = True
            stop.wait(delay)
            delay = min(2 * delay, _LONGEST)


def _told(connection: psycopg.Connection[object], project: str, stop: threading.Event) -> Iterator[Change]:
    quiet = 0.0
    while not stop.is_set():
        told = list(connection.notifies(timeout=_LOOK, stop_after=1))
        quiet = 0.0 if told else quiet + _LOOK
        if quiet >= _QUIET:
            connection.execute("SELECT 1")
            quiet = 0.0
        for one in told:
            whose, _, rest = one.payload.partition(" ")
            what, _, which = rest.partition(" ")
            space, _, environment = which.partition(SEPARATOR)
            # Whoever may connect may tell anything: the name of a space becomes that of a folder.
            if whose == project and what in _TOLD and not any(map(name_problem, filter(None, (space, environment)))):
                yield Change(what=What(what), space=space, environment=environment)
