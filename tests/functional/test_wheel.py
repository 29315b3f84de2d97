"""The wheel: made once, installed as people install it."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

# They install all dependencies, which needs an index and is too slow for every run: TEST_INSTALLERS=1 runs them.
TOOLS = [pytest.param(name, marks=pytest.mark.skipif(shutil.which(name) is None, reason=f"needs {name}")) for name in
         ("pipx", "uv")]  # fmt: skip


def run(*command: str | Path, **environ: str) -> str:
    """A command that must succeed, with a home of its own; returns what it says."""
    done = subprocess.run(
        list(map(str, command)), env={**os.environ, **environ}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this source."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(REPOSITORY),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    if "Could not find a version" in done.stderr or "No matching distribution" in done.stderr:
        pytest.skip("needs a package index, for hatchling")
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_has_types_and_the_manual(wheel: Path) -> None:
    """Type checkers look for py.typed, `man` in share/man beside the bin of the installation."""
    names = zipfile.ZipFile(wheel).namelist()
    assert "emulator/py.typed" in names
    assert [name for name in names if name.endswith("/multistack.1")] == [
        f"{wheel.name.removesuffix('-py3-none-any.whl')}.data/data/share/man/man1/multistack.1"
    ]


def test_the_wheel_installs_with_pip(wheel: Path, tmp_path: Path) -> None:
    """With an empty home; what it depends on is that of these tests here, so that it takes no minute."""
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    (packages,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{site.getsitepackages()[0]}\n")
    told = run(tmp_path / "venv/bin/multistack", "--version", HOME=str(tmp_path))
    assert told.startswith("multistack, version ")
    assert (tmp_path / "venv/share/man/man1/multistack.1").is_file()
    where = run(python, "-P", "-c", "import emulator; print(emulator.__file__)", PYTHONPATH="")
    assert Path(where.strip()).is_relative_to(packages)


@pytest.mark.skipif("TEST_INSTALLERS" not in os.environ, reason="needs TEST_INSTALLERS=1 and a package index")
@pytest.mark.parametrize("name", TOOLS)
def test_the_wheel_installs_with_tools(wheel: Path, tmp_path: Path, name: str) -> None:
    """`pipx install` and `uv tool install`, with all dependencies and nothing else."""
    binaries = str(tmp_path / "bin")
    if name == "pipx":
        given = {"PIPX_HOME": str(tmp_path / "home"), "PIPX_BIN_DIR": binaries, "PIPX_MAN_DIR": str(tmp_path / "man")}
        run("pipx", "install", "--python", sys.executable, wheel, **given)
    else:
        given = {"UV_TOOL_DIR": str(tmp_path / "home"), "UV_TOOL_BIN_DIR": binaries}
        run("uv", "tool", "install", "--python", sys.executable, wheel, **given)
    assert run(f"{binaries}/multistack", "--version", HOME=str(tmp_path)).startswith("multistack, version ")
