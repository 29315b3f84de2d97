"""Completion in shells."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.cli import cli
from tests.conftest import MULTISTACK, SAMPLE


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_its_script(shell: str) -> None:
    """The script asks the installed command, so that it is never older than that."""
    done = CliRunner().invoke(cli, ["completion", shell])
    assert done.exit_code == 0
    assert f"_MULTISTACK_COMPLETE={shell}_complete" in done.stdout


def complete(*words: str, folder: Path = SAMPLE) -> list[str]:
    """What bash offers for the last of *words*."""
    script = f"""
        eval "$({MULTISTACK} completion bash)"
        COMP_WORDS=({MULTISTACK} {" ".join(words)}); COMP_CWORD={len(words)}
        _multistack_completion {MULTISTACK}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], cwd=folder, check=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands() -> None:
    """As they begin."""
    assert complete("prom") == ["promote"]


def test_bash_completes_environments_of_the_project() -> None:
    """Also where the project is named."""
    assert complete("verify", "st") == ["staging"]
    assert complete("--file", str(SAMPLE / "multistack.toml"), "promote", "pr", folder=Path("/")) == ["prod"]


def test_bash_completes_nothing_without_a_project(tmp_path: Path) -> None:
    """Tab never prints an error."""
    assert complete("verify", "st", folder=tmp_path) == []
