"""Unpacked code: once for all who run on it."""

from __future__ import annotations

import io
import stat
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from emulator.drivers.launcher.functions.packages import Packages, unpack
from tests.functional.emulators import archive

# What is broken is found when much has been unpacked.
_BROKEN = archive({**{f"f{number}": "x" for number in range(500)}, "../escape": "x"})
_PROGRAM, _LINK, _FILE = stat.S_IFREG | 0o755, stat.S_IFLNK | 0o777, stat.S_IFREG | 0o644


def wait_until_empty(folder: Path) -> None:
    """Until a thread has removed what was there."""
    deadline = time.monotonic() + 60
    while found := list(folder.iterdir()):
        assert time.monotonic() < deadline, found
        time.sleep(0.01)


def with_links(*members: tuple[str, int, str]) -> bytes:
    """A zip file of names, kinds and contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as content:
        for name, mode, text in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            content.writestr(info, text)
    return buffer.getvalue()


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
    wait_until_empty(tmp_path / "code")


def test_layers_lie_over_each_other_in_order(tmp_path: Path) -> None:
    """The later one wins."""
    first, second = archive({"a": "1", "b": "1"}), archive({"b": "2"})
    folder = Packages(tmp_path).take([first, second]).folder
    assert [(folder / name).read_text() for name in "ab"] == ["1", "2"]


def test_programs_and_links_stay_what_they_are(tmp_path: Path) -> None:
    """A binary without its mode is no program."""
    unpack(with_links(("run", _PROGRAM, "#!"), ("link", _LINK, "run")), tmp_path / "code")
    assert (tmp_path / "code/run").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "code/link").readlink() == Path("run")


@pytest.mark.parametrize("name", ["../escape", "a/../../escape", "/escape"])
def test_nothing_is_unpacked_elsewhere(tmp_path: Path, name: str) -> None:
    """A package is no way to write into the machine; and nothing is left of the attempt."""
    packages = Packages(tmp_path / "code")
    with pytest.raises(zipfile.BadZipFile, match="leads out of the package"):
        packages.take([archive({name: "x"})])
    wait_until_empty(tmp_path / "code")
    assert not (tmp_path / "escape").exists()


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """Neither below a link to a folder elsewhere, nor over a link to a file."""
    (tmp_path / "machine").write_text("untouched")
    packages = Packages(tmp_path / "code")
    with pytest.raises(zipfile.BadZipFile, match="'up/escape' leads out of the package"):
        packages.take([with_links(("up", _LINK, "../.."), ("up/escape", _FILE, "x"))])
    layers = [with_links((name, _LINK, "../../machine")) for name in "aab"]
    folder = packages.take([*layers, with_links(("a", _FILE, "mine"))]).folder
    assert ((folder / "a").read_text(), (tmp_path / "machine").read_text()) == ("mine", "untouched")


def test_all_who_want_a_broken_package_are_told_at_once(tmp_path: Path) -> None:
    """Whoever waited for another to unpack it does not wait for nothing."""
    packages = Packages(tmp_path / "code")
    begin = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        failed = [pool.submit(packages.take, [_BROKEN]) for _ in range(8)]
    assert all(isinstance(one.exception(), zipfile.BadZipFile) for one in failed)
    assert time.monotonic() - begin < 20
