"""Installed dependencies, kept between builds."""

from __future__ import annotations

from pathlib import Path

from emulator.dependencies import _key, install
from emulator.interpreters import own
from emulator.template import LocalCode


def test_what_killed_builds_left_is_removed(tmp_path: Path) -> None:
    """What is installed stays."""
    requirements, cache = tmp_path / "requirements.txt", tmp_path / "dependencies"
    requirements.write_text("six\n")
    installed = cache / _key(requirements, own())
    installed.mkdir(parents=True)
    (cache / "tmpabc/built").mkdir(parents=True)
    code = LocalCode(logical_id="A", type="AWS::Lambda::Function", path=tmp_path, runtime="python3.12", handler="a.b")
    assert install(requirements, code, cache, python=own(), emit=lambda _event: None) == installed
    assert list(cache.iterdir()) == [installed]
