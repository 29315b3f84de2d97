"""What doctor says of a store, by what it looked like."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from emulator.doctor import Verdict
from emulator.doctor.shared_store import check_clock, check_format, check_rights, check_server, examine_store
from emulator.model import StoreSettings
from emulator.store.looking import Look
from tests.unit.test_doctor import project

GOOD = Look(server="15.8", user="ann", is_standby=False, denied=(), format=2, ahead=0.2)


def test_without_a_store_the_ledger_is_a_file(tmp_path: Path) -> None:
    """Which is as it should be."""
    (check,) = examine_store(project(tmp_path))
    assert (check.name, check.verdict) == ("store", Verdict.OK)
    assert "none set" in check.found
    assert str(tmp_path / ".multistack/history.sqlite") in check.found


def test_a_store_that_is_away_is_one_row(tmp_path: Path) -> None:
    """The others would only say so again; no password is told."""
    settings = StoreSettings(url="postgresql://ann:geheim77@127.0.0.1:1/store")
    (check,) = examine_store(replace(project(tmp_path), store=settings))
    assert (check.name, check.verdict) == ("store", Verdict.PROBLEM)
    assert "postgresql://ann@127.0.0.1:1/store can't be reached" in check.found
    assert "start it, or correct its address" in check.advice
    assert "geheim77" not in check.found + check.advice


def test_the_server_is_told() -> None:
    """With its version."""
    check = check_server(GOOD, "postgresql://db/x")
    assert (check.verdict, check.found) == (Verdict.OK, "PostgreSQL 15.8 at postgresql://db/x")


@pytest.mark.parametrize(
    ("look", "verdict", "said"),
    [
        pytest.param(GOOD, Verdict.OK, "ann may write", id="may"),
        pytest.param(replace(GOOD, denied=["write joins"]), Verdict.PROBLEM, "ann may not write joins", id="a table"),
        pytest.param(replace(GOOD, is_standby=True), Verdict.PROBLEM, "standby", id="a standby"),
    ],
)
def test_it_must_be_written_to(look: Look, verdict: Verdict, said: str) -> None:
    """Else a deployment fails at its end."""
    check = check_rights(look)
    assert check.verdict is verdict
    assert said in check.found


@pytest.mark.parametrize(
    ("found", "verdict"),
    [(3, Verdict.OK), (0, Verdict.INFO), (2, Verdict.WARNING), (4, Verdict.PROBLEM), (None, Verdict.PROBLEM)],
    ids=["the newest", "none yet", "an older one", "a newer one", "unknown"],
)
def test_its_tables_are_of_some_format(found: int | None, verdict: Verdict) -> None:
    """What the next command would bring forward is told before."""
    check = check_format(replace(GOOD, format=found), newest=3)
    assert check.verdict is verdict
    assert bool(check.advice) is (verdict is not Verdict.OK)


@pytest.mark.parametrize(
    ("ahead", "verdict", "said"),
    [(4.9, Verdict.OK, "within 5 s"), (61.2, Verdict.WARNING, "61 s ahead"), (-7.0, Verdict.WARNING, "7 s behind")],
)
def test_its_clock_should_tell_the_same_time(ahead: float, verdict: Verdict, said: str) -> None:
    """What expires, expires by the clock of whoever asks."""
    check = check_clock(ahead)
    assert check.verdict is verdict
    assert said in check.found
