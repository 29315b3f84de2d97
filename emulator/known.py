"""What environments serve: by the ledger or, while a shared one is away, by what was last published on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator.errors import StoreAway
from emulator.events import Emit, Event
from emulator.history import History
from emulator.model import Api
from emulator.routes import ROUTES_FILE, load_routes


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """
    What one environment serves.

    Attributes:
        release: None for nothing yet, or unknown.
        config_hash: None also where only the routes were asked, which know neither it nor what follows.
        failed: Why the last deployment failed, or was interrupted; empty when it succeeded, and without any.
    """

    release: str | None = None
    digest: str | None = None
    apis: Sequence[Api] = ()
    config_hash: str | None = None
    canary: str | None = None
    failed: str = ""
    skipped: Sequence[str] = ()


def known_of(history: History, state: Path, names: Sequence[str], *, emit: Emit) -> Mapping[str, Known]:
    """
    Name to what the environment serves, as far as that can be known now.

    Args:
        state: The state folder of the project or space.
        emit: Told when the store can't be asked.
    """
    try:
        return {name: _recorded(history, name) for name in names}
    except StoreAway as error:
        detail = f"{error.message}; releases are those that this machine published last"
        emit(Event(None, "warning:", detail))
    try:
        routes = load_routes(state / ROUTES_FILE)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        routes = {}
    there = {name: routes[name] for name in names if name in routes}
    return {
        name: Known(release=one.release, digest=one.digest, apis=one.apis) if (one := there.get(name)) else Known()
        for name in names
    }


def _recorded(history: History, name: str) -> Known:
    current, canary, last = history.current(name), history.canary(name), history.last(name)
    failed, beside = last.failure if last else "", canary.release.id if canary else None
    if current is None:
        return Known(failed=failed, canary=beside)
    return Known(
        release=current.release.id,
        digest=current.release.digest,
        apis=current.apis,
        config_hash=current.release.config_hash,
        canary=beside,
        failed=failed,
        skipped=current.skipped,
    )
