"""Trades a join token, or the code of it, for an access token: once, whoever else tries at the same moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from emulator.errors import NotReady
from emulator.lock import exclusive
from emulator.model import Space
from emulator.proxy.guesses import Guesses
from emulator.proxy.space_problems import busy_problem, token_problem, used_problem
from emulator.proxy.space_table import SpaceTable
from emulator.space_list import changed, read_spaces, write_spaces
from emulator.space_tokens import Purpose, expiry_of, flaw_of, make_token, tokens_in

# How long an access token is good in a space that has no end of its own.
ACCESS_FOR = timedelta(days=30)
# Seconds to wait for a command that changes the project.
_PATIENCE = 10.0
_LOOK = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """
    A seat in a space.

    Attributes:
        token: The access token.
        expires: When it ends.
    """

    token: str
    expires: datetime


class Joining:
    """
    Takes join tokens.

    Args:
        state: The project's state folder, whose list says which were used.
        now: The time, for tokens that expire.
    """

    def __init__(
        self,
        state: Path,
        table: SpaceTable,
        guesses: Guesses,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._state = state
        self._table = table
        self._guesses = guesses
        self._now = now
        # One of the proxy's own at a time: they would only look at the file's lock in turn.
        self._turn = threading.Lock()

    def check(self, name: str, token: str, *, client: str) -> Space:
        """
        The space that *token* may join, which isn't used up by that.

        Raises:
            Problem: 401 or 403, it may join none of that name, or was used. 429, its client has guessed too often.
        """
        return self._checked(self._table.spaces().get(name), name, token, client)

    def join(self, name: str, token: str, *, client: str) -> Joined:
        """
        Use a join token up.

        Raises:
            Problem: As with :meth:`check`. Or 503, a command changes the project for long.
        """
        self.check(name, token, client=client)
        deadline = time.monotonic() + _PATIENCE
        with self._turn:
            while True:
                try:
                    with exclusive(self._state, f"space join {name}", emit=lambda _event: None, wait=False):
                        return self._trade(name, token, client)
                except NotReady as error:
                    if time.monotonic() > deadline:
                        raise busy_problem() from error
                time.sleep(_LOOK)

    def _trade(self, name: str, token: str, client: str) -> Joined:
        spaces = read_spaces(self._state)
        space = self._checked(spaces.get(name), name, token, client)
        key = self._table.key()
        if key is None:
            raise token_problem(name, None)
        write_spaces(self._state, changed(spaces, name, is_joined=True))
        access = make_token(key, Purpose.ACCESS, space, expires=space.expires or self._now() + ACCESS_FOR)
        return Joined(token=access, expires=expiry_of(access) or self._now())

    def _checked(self, space: Space | None, name: str, token: str, client: str) -> Space:
        if token and not tokens_in(token):  # a code: short enough to be found by whoever may go on trying
            self._guesses.check(client)
        flaw = flaw_of(token, key=self._table.key(), purpose=Purpose.JOIN, name=name, space=space, now=self._now())
        if space is None or flaw is not None:
            if token:
                self._guesses.check(client)
                self._guesses.note(client)
            raise token_problem(name, flaw if token else None)
        if space.is_joined:
            raise used_problem(name)
        return space
