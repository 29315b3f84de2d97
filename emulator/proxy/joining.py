"""Trades a join token, or the code of it, for an access token: once, whoever else tries at the same moment."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.errors import NotReady, StoreAway
from emulator.lock import exclusive
from emulator.model import Space
from emulator.proxy.guesses import Guesses
from emulator.proxy.space_problems import away_problem, busy_problem, token_problem, used_problem
from emulator.proxy.space_table import SpaceTable
from emulator.space_list import changed, read_spaces, write_spaces
from emulator.space_tokens import Purpose, expiry_of, flaw_of, make_token, tokens_in

if TYPE_CHECKING:
    from emulator.store.published import Published

# How long an access token is good in a space that has no end of its own.
ACCESS_FOR = timedelta(days=30)
# Seconds to wait for a command that changes the project.
_PATIENCE = 10.0
_LOOK = 0.1

_log = logging.getLogger(__name__)


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
        shared: The store that says it for the proxies on all machines; None where there is one proxy.
        is_replica: Whether the list is another machine's: then only the store says it.
        now: The time, for tokens that expire.
    """

    def __init__(
        self,
        state: Path,
        table: SpaceTable,
        guesses: Guesses,
        *,
        shared: Published | None = None,
        is_replica: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._state = state
        self._table = table
        self._guesses = guesses
        self._shared = shared
        self._is_replica = is_replica
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
            Problem: As with :meth:`check`. Or 503, a command changes the project for long, or the store is away.
        """
        self.check(name, token, client=client)
        try:
            if self._shared is not None:  # here, where whoever waits for a store that is away holds up nobody
                self._shared.check_there()
            if self._shared is not None and self._is_replica:
                space = self._checked(self._shared.spaces().get(name), name, token, client)
                return self._use_up(self._shared, space)
            return self._join_here(name, token, client)
        except StoreAway as error:
            _log.warning("space %s can't be joined: %s", name, error.message)
            raise away_problem() from error

    def _join_here(self, name: str, token: str, client: str) -> Joined:
        deadline = time.monotonic() + _PATIENCE
        with self._turn:
            while True:
                try:
                    with exclusive(self._state, f"space join {name}", emit=lambda _event: None, wait=False):
                        return self._trade(name, token, client)
                except StoreAway:
                    raise
                except NotReady as error:
                    if time.monotonic() > deadline:
                        raise busy_problem() from error
                time.sleep(_LOOK)

    def _trade(self, name: str, token: str, client: str) -> Joined:
        spaces = read_spaces(self._state)
        space = self._checked(spaces.get(name), name, token, client)
        # One that was made before the project had a store is not in it yet: no other proxy lets anybody in there.
        if self._shared is not None and name in self._shared.spaces():
            joined = self._use_up(self._shared, space)
        else:
            joined = self._joined(space)
        write_spaces(self._state, changed(spaces, name, is_joined=True))
        return joined

    def _use_up(self, shared: Published, space: Space) -> Joined:
        joined = self._joined(space)
        if not shared.use_join(space):
            raise used_problem(space.name)
        return joined

    def _joined(self, space: Space) -> Joined:
        key = self._table.key()
        if key is None:
            raise token_problem(space.name, None)
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
