"""Unpacked code: once for all who run on it."""

from __future__ import annotations

import stat
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from emulator.drivers.launcher.functions.packages import Packages, unpack
from tests.functional.emulators import archive


def test_a_package_is_there_while_somebody_uses_it(tmp_path: Path) -> None:
    """The same content is one folder; the last who leaves takes it along."""
    packages = Packages(tmp_path / "code")
    content = archive({"app.py": "x = 1"})
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(packages.take, [[content]] * 8))
    assert len({package.folder for package in taken}) == 1
    for package in taken:
        assert (package.folder / "app.py").read_text() == "x = 1"
        packages.release(package)
    assert list((tmp_path / "code").iterdir()) == []


def test_layers_lie_over_each_other_in_order(tmp_path: Path) -> None:
    """The later one wins."""
    first, second = archive({"a": "1", "b": "1"}), archive({"b": "2"})
    folder = Packages(tmp_path).take([first, second]).folder
    assert [(folder / name).read_text() for name in "ab"] == ["1", "2"]


def test_programs_and_links_stay_what_they_are(tmp_path: Path) -> None:
    """A binary without its mode is no program."""
    path = tmp_path / "code.zip"
    with zipfile.ZipFile(path, "w") as content:
        for name, mode, text in (("run", stat.S_IFREG | 0o755, "#!"), ("link", stat.S_IFLNK | 0o777, "run")):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            content.writestr(info, text)
    unpack(path.read_bytes(), tmp_path / "code")
    assert (tmp_path / "code/run").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "code/link").readlink() == Path("run")


@pytest.mark.parametrize("name", ["../escape", "a/../../escape", "/escape"])
def test_nothing_is_unpacked_elsewhere(tmp_path: Path, name: str) -> None:
    """A package is no way to write into the machine; and nothing is left of the attempt."""
    packages = Packages(tmp_path / "code")
    with pytest.raises(zipfile.BadZipFile, match="leads out of the package"):
        packages.take([archive({name: "x"})])
    assert list((tmp_path / "code").iterdir()) == []
    assert not (tmp_path / "escape").exists()
