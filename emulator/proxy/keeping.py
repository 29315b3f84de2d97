"""What keeps the proxy's exchanges while it runs: the feed, and the sinks at its end."""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.inspector.feed import Feed, Sink
from emulator.inspector.redaction import Redaction
from emulator.inspector.ring import Ring
from emulator.inspector.rows import REQUESTS_FILE
from emulator.model import Exchange, InspectorSettings
from emulator.rules import RULES_FILE, watch_rules

if TYPE_CHECKING:
    from emulator.inspector.shared_ring import SharedRing
    from emulator.store.store import Store

    Share = Callable[[Callable[[], InspectorSettings]], SharedRing]


def sharing(store: Store, project: str, folder: Path) -> Share:
    """Keeps what passes the proxy with this *folder* where other machines see it as well."""
    from emulator.inspector.shared_ring import SharedRing

    return lambda inspector: SharedRing(store, project, f"{socket.gethostname()}:{folder}", inspector)


class Keeping:
    """
    Everything that takes exchanges, under the project's rules of the moment.

    Args:
        folder: The proxy's own.
        sinks: Further ones beside the ring.
        share: Makes the one whose exchanges other machines see as well, by the settings of the moment.
    """

    def __init__(self, folder: Path, *, sinks: Sequence[Sink] = (), share: Share | None = None) -> None:
        self._rules = watch_rules(folder / RULES_FILE)
        self.path = folder / REQUESTS_FILE
        self.ring = Ring(self.path, lambda: self._rules.current().inspector)
        self.shared = share(lambda: self._rules.current().inspector) if share else None
        self.feed = Feed([self.ring, *([self.shared] if self.shared else []), *sinks], redact=self._redact)

    @property
    def problem(self) -> str | None:
        """Why exchanges are not kept although they should be; None while all is well."""
        return self.ring.problem or (self.shared.problem if self.shared else None)

    @property
    def lost(self) -> int:
        """How many exchanges could not be kept since the proxy started: too many came, or the file took none."""
        return self.feed.lost + self.ring.dropped + (self.shared.dropped if self.shared else 0)

    def close(self) -> None:
        """Keep what is on its way, and end."""
        self.feed.close()
        if self.shared:
            self.shared.close()
        self.ring.close()

    def _redact(self, exchange: Exchange) -> Exchange:
        redaction = _redaction(self._rules.current().inspector.redact)
        return redaction.redact(exchange, most=self.feed.body_limit or 0)


@functools.lru_cache(maxsize=4)
def _redaction(names: tuple[str, ...]) -> Redaction:
    return Redaction.of(names)
