"""What every command starts from, outside of a project too."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.cli.context import Context
from emulator.errors import ConfigError

VARIABLE = "MULTISTACK_ALLOW_REMOTE"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which has no project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path


@pytest.mark.parametrize("value", ["true", "1", "True"])
def test_variable_allows_an_engine_elsewhere(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every spelling that a project takes."""
    monkeypatch.setenv(VARIABLE, value)
    assert Context(file=None).allow_remote()


@pytest.mark.parametrize(("given", "allowed"), [(True, True), ("true", True), ("1", True), ("false", False)], ids=str)
def test_flag_wins(given: object, allowed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--allow-remote`` and ``--set allow_remote=…``, over the variable."""
    monkeypatch.setenv(VARIABLE, "0" if allowed else "1")
    assert Context(file=None, overrides={"allow_remote": given}).allow_remote() is allowed


def test_nobody_asked() -> None:
    """An engine elsewhere is used by nobody's oversight."""
    assert not Context(file=None).allow_remote()


def test_project_has_its_say(folder: Path) -> None:
    """Also for commands that do without one; a broken one leaves it at flag and variable."""
    file = folder / "multistack.toml"
    file.write_text('service = "s"\nallow_remote = true\n[environments.test]\n')
    assert Context(file=None).allow_remote()
    assert not Context(file=None, overrides={"allow_remote": "false"}).allow_remote()
    file.write_text("broken")
    assert not Context(file=None).allow_remote()
    assert Context(file=None, overrides={"allow_remote": True}).allow_remote()


def test_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of what said it."""
    monkeypatch.setenv(VARIABLE, "maybe")
    with pytest.raises(ConfigError, match=f"{VARIABLE}: allow_remote must be true or false, not 'maybe'"):
        Context(file=None).allow_remote()
