"""Approvals and holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emulator.permits import Permits

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def permits(tmp_path: Path) -> Permits:
    """Of an empty ledger, at noon."""
    return Permits(tmp_path / "history.sqlite", now=lambda: NOON)


def test_an_approval_is_for_one_environment_and_digest(permits: Permits) -> None:
    """With who said so, when, and until when."""
    permits.approve("prod", "d1", by="Ada", expires=NOON + timedelta(days=1))
    permits.approve("staging", "d1", by="Bob", expires=NOON)
    (approval,) = permits.approvals("prod")
    assert (approval.digest, approval.by, approval.at, approval.expires) == (
        "d1",
        "Ada",
        NOON,
        NOON + timedelta(days=1),
    )


def test_a_hold_lasts_until_it_is_lifted(permits: Permits) -> None:
    """One that was set twice is lifted once."""
    assert permits.held("prod") is None
    permits.hold("prod", reason="a", by="Ada")
    permits.hold("prod", reason="b", by="Bob")
    hold = permits.held("prod")
    assert hold is not None
    assert (hold.reason, hold.by) == ("b", "Bob")
    assert permits.held("staging") is None
    permits.lift("prod", reason="", by="Ada")
    assert permits.held("prod") is None


@pytest.mark.parametrize("table", ["approvals", "holds", "gates"])
def test_permits_are_append_only(permits: Permits, tmp_path: Path, table: str) -> None:
    """What somebody said can't be unsaid."""
    permits.approve("prod", "d1", by="Ada", expires=NOON)
    permits.hold("prod", reason="a", by="Ada")
    with closing(sqlite3.connect(tmp_path / "history.sqlite")) as connection:
        connection.execute("INSERT INTO gates (deployment, name, phase, result, detail, at) VALUES (1,'','','','','')")
        with pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only"):
            connection.execute(f"DELETE FROM {table}")
