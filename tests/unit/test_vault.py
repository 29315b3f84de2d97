"""Secrets on this machine."""

from __future__ import annotations

import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from emulator.errors import ConfigError
from emulator.vault import Vault


def test_a_kept_secret_is_known_by_a_salted_hash(tmp_path: Path) -> None:
    """Equal values have equal hashes in one project, and others in another."""
    vault = Vault(tmp_path / "one")
    hashes = vault.keep({"A": "s3cret", "B": "s3cret", "C": "other"})
    assert hashes["A"] == hashes["B"] != hashes["C"]
    assert hashes == Vault(tmp_path / "one").hashes({"A": "s3cret", "B": "s3cret", "C": "other"})
    assert hashes["A"] != Vault(tmp_path / "two").hashes({"A": "s3cret"})["A"]
    assert re.fullmatch("[0-9a-f]{24}", hashes["A"])
    assert Vault(tmp_path / "one").value("A", hashes["A"]) == "s3cret"


def test_secrets_are_for_their_owner_only(tmp_path: Path) -> None:
    """Nobody else may even list them."""
    Vault(tmp_path / "state").keep({"A": "s3cret"})
    assert stat.S_IMODE((tmp_path / "state/secrets").stat().st_mode) == 0o700


def test_without_secrets_nothing_is_written(tmp_path: Path) -> None:
    """Most projects have none."""
    assert Vault(tmp_path / "state").keep({}) == {}
    assert not (tmp_path / "state").exists()


def test_threads_that_come_first_share_one_salt(tmp_path: Path) -> None:
    """Else two environments of one release would differ."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: Vault(tmp_path / "state").keep({"A": "s3cret"})["A"], range(16)))
    assert len(set(found)) == 1


def test_a_value_that_is_gone_or_changed_is_told(tmp_path: Path) -> None:
    """Nothing else is ever delivered in its place."""
    vault = Vault(tmp_path)
    hashed = vault.keep({"A": "s3cret"})["A"]
    (tmp_path / "secrets" / hashed).write_text("forged")
    with pytest.raises(ConfigError, match=r"secret A .* was changed by hand"):
        vault.value("A", hashed)
    (tmp_path / "secrets" / hashed).unlink()
    with pytest.raises(ConfigError, match=r"secret A .* is no longer in"):
        vault.value("A", hashed)
