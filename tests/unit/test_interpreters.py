"""Which interpreter runs a runtime."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator import interpreters
from emulator.interpreters import Interpreter


def python(folder: Path, version: str) -> str:
    """A program called as one of that version; its folder is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"python{version}").touch(mode=0o755)
    return str(folder)


def test_pythons_of_path_pyenv_and_uv_are_found(tmp_path: Path) -> None:
    """The path wins, then pyenv's and uv's newest patch; pyenv's shims are no interpreters."""
    named = python(tmp_path / "bin", "3.21")
    pyenv = tmp_path / ".pyenv/versions"
    for version in ("3.21.9", "3.22.9", "3.22.10"):
        python(pyenv / version / "bin", version.rpartition(".")[0])
    python(tmp_path / ".pyenv/shims", "3.23")
    python(tmp_path / ".local/share/uv/python/cpython-3.24.1-linux/bin", "3.24")
    folders = interpreters.search_path(f"{named}:{tmp_path / '.pyenv/shims'}", home=tmp_path)
    found = {one.version[1]: one.program.parent for one in interpreters.find(folders)}
    assert found[21] == tmp_path / "bin"
    assert found[22] == pyenv / "3.22.10/bin"
    assert 23 not in found
    assert found[24] == tmp_path / ".local/share/uv/python/cpython-3.24.1-linux/bin"


def test_pyenv_root_says_where_pyenv_is(tmp_path: Path) -> None:
    """The variable goes before the usual place."""
    python(tmp_path / "elsewhere/versions/3.31.0/bin", "3.31")
    folders = interpreters.search_path("", home=tmp_path, pyenv_root=str(tmp_path / "elsewhere"))
    assert 31 in {one.version[1] for one in interpreters.find(folders)}


def test_programs_that_are_too_old_or_none_are_left_out(tmp_path: Path) -> None:
    """What the function's side can't run on, and helpers beside an interpreter."""
    folder = tmp_path / "bin"
    for name in ("3.9", "3.40-config", "3.41t", "3"):
        python(folder, name)
    assert interpreters.find([str(folder)]) == (interpreters.own(),)


@pytest.mark.parametrize(
    ("runtime", "minor"),
    [
        pytest.param("python3.12", 12, id="the very one"),
        pytest.param("python3.14", 13, id="the nearest below"),
        pytest.param("python3.11", 12, id="of two as near, the newer"),
    ],
)
def test_the_nearest_is_chosen(runtime: str, minor: int) -> None:
    """A warning is due unless it is the very one."""
    here = [Interpreter((3, number), Path(f"/opt/python3.{number}")) for number in (10, 12, 13)]
    chosen = interpreters.choose(runtime, here)
    assert chosen.version == (3, minor)
    expected = f"{runtime} is not on this machine: its functions run on python3.{minor} (/opt/python3.{minor})"
    assert interpreters.warning(runtime, chosen) == ("" if runtime == f"python3.{minor}" else expected)


def test_a_version_too_old_for_boto3_is_told_as_such() -> None:
    """It may well be on this machine."""
    said = interpreters.warning("python3.9", Interpreter((3, 10), Path("/opt/python3.10")))
    assert said.startswith("python3.9 is older than Python 3.10, which boto3 needs: its functions run on python3.10 (")


def test_what_is_no_python_runtime_needs_none() -> None:
    """Node's version is whatever the path has."""
    assert interpreters.version_of("nodejs20.x") is None
    assert interpreters.warning("nodejs20.x", interpreters.own()) == ""
