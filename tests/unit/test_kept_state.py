"""The state of a container as a tar file, and what stands beside it."""

from __future__ import annotations

import io
import shutil
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emulator import checkpoint
from emulator.drivers.kept_state import KeptState, fill_copy, homes
from emulator.errors import MultistackError

HEADER = checkpoint.Header(
    emulator="localstack 4.14.0", at=datetime(2026, 11, 26, tzinfo=UTC), account_id="111111111111", region="eu-west-1"
)


def archive(**files: bytes) -> bytes:
    """A tar of a folder ``state`` as an engine sends it, with the owner that files have there."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as target:
        folder = tarfile.TarInfo("state")
        folder.type, folder.uid, folder.mode = tarfile.DIRTYPE, 0, 0o755
        target.addfile(folder)
        for name, content in files.items():
            member = tarfile.TarInfo(f"state/{name}")
            member.size, member.uid, member.uname = len(content), 0, "root"
            target.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_nothing_is_kept_at_first(tmp_path: Path) -> None:
    """Nor is there a container; asking makes no folder."""
    kept = KeptState(tmp_path / "test")
    assert (kept.read(), kept.at, kept.for_container(), kept.has_begun, kept.is_filling) == (
        None,
        None,
        None,
        False,
        False,
    )
    kept.forget()
    kept.end()
    assert not (tmp_path / "test").exists()


def test_what_is_kept_replaces_what_was(tmp_path: Path) -> None:
    """For its owner only, and until it is forgotten."""
    kept = KeptState(tmp_path / "test")
    kept.keep([archive(a=b"1")])
    second = archive(a=b"2")
    kept.keep([second[:700], second[700:]])
    assert kept.read() == second
    assert kept.at is not None
    assert abs((datetime.now(UTC) - kept.at).total_seconds()) < 60
    (file,) = (tmp_path / "test").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    kept.forget()
    assert kept.read() is None


@pytest.mark.parametrize("length", [0, 100, 2000], ids=["nothing", "part of a header", "part of a file"])
def test_a_cut_archive_replaces_nothing(tmp_path: Path, length: int) -> None:
    """An engine that ends midway just sends no more; the volume must not be removed then."""
    kept = KeptState(tmp_path)
    whole = archive(a=b"x" * 3000)
    kept.keep([whole])
    with pytest.raises(OSError, match="only a part"):
        kept.keep([archive(a=b"y" * 3000)[:length]])
    assert kept.read() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["container.tar"]


def test_what_fails_midway_leaves_what_was(tmp_path: Path) -> None:
    """Whatever ends the sending."""

    def chunks() -> object:
        yield b"x" * 512
        raise MultistackError("the Docker engine no longer answers")

    kept = KeptState(tmp_path)
    whole = archive(a=b"1")
    kept.keep([whole])
    with pytest.raises(MultistackError):
        kept.keep(chunks())  # type: ignore[arg-type]
    assert kept.read() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["container.tar"]


def test_files_for_a_container_are_its_users(tmp_path: Path) -> None:
    """It runs as user 1000 and could not write what is root's."""
    kept = KeptState(tmp_path)
    kept.keep([archive(a=b"1")])
    made = kept.for_container()
    assert made is not None
    with made, tarfile.open(fileobj=made) as found:
        members = found.getmembers()
        assert [(member.name, member.uid, member.gid, member.uname) for member in members] == [
            ("state", 1000, 1000, ""),
            ("state/a", 1000, 1000, ""),
        ]
        content = found.extractfile("state/a")
        assert content is not None
        assert content.read() == b"1"


def test_what_is_no_tar_is_an_error(tmp_path: Path) -> None:
    """Nothing starts from half of a state."""
    kept = KeptState(tmp_path)
    kept.keep([archive(a=b"x" * 3000)])
    file = tmp_path / "container.tar"
    for content in (b"no tar" * 1000 + bytes(1024), file.read_bytes()[:1000], b""):
        file.write_bytes(content)
        with pytest.raises(tarfile.TarError):
            kept.for_container()


def test_marks_say_how_far_a_killed_command_came(tmp_path: Path) -> None:
    """A volume counts only once it was filled."""
    kept = KeptState(folder_of(tmp_path))
    kept.begin()
    assert (kept.has_begun, kept.is_filling) == (True, False)
    kept.filling()
    assert KeptState(folder_of(tmp_path)).is_filling
    kept.filled()
    assert not kept.is_filling
    kept.stopping()
    assert KeptState(folder_of(tmp_path)).is_stopping
    kept.end()
    assert (kept.has_begun, kept.is_stopping) == (False, False)
    kept.stopping()  # and was killed after its container was gone
    kept.begin()
    assert not kept.is_stopping


def folder_of(root: Path) -> Path:
    """The folder of an environment of the project in *root*."""
    return root / ".multistack/environments/test"


def test_a_moved_project_knows_where_it_was(tmp_path: Path) -> None:
    """What is in the engine has names of the folder that the project was in."""
    KeptState(folder_of(tmp_path / "old")).begin()
    (tmp_path / "old").rename(tmp_path / "new")
    moved = KeptState(folder_of(tmp_path / "new"))
    assert (moved.has_begun, moved.home) == (True, tmp_path / "old")
    assert homes(folder_of(tmp_path / "new").parent) == {tmp_path / "old"}
    moved.end()
    assert (moved.has_begun, moved.home) == (False, tmp_path / "new")
    assert homes(folder_of(tmp_path / "new").parent) == set()


def test_a_copied_project_has_no_container(tmp_path: Path) -> None:
    """The original's is the original's, for as long as that has it."""
    original = KeptState(folder_of(tmp_path / "one"))
    original.begin()
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    copy = KeptState(folder_of(tmp_path / "two"))
    assert (copy.has_begun, copy.home) == (False, tmp_path / "two")
    assert homes(folder_of(tmp_path / "two").parent) == set()
    copy.begin()
    assert (copy.has_begun, original.has_begun) == (True, True)


def test_a_saved_state_can_be_loaded(tmp_path: Path) -> None:
    """A snapshot holds the same tar."""
    saved = tmp_path / "saved"
    saved.mkdir()
    fill_copy(saved, HEADER, archive(a=b"1"))
    kept = KeptState(tmp_path / "test")
    kept.load(saved)
    assert kept.read() == archive(a=b"1")


def test_a_broken_saved_state_replaces_nothing(tmp_path: Path) -> None:
    """It is read to its end first."""
    saved = tmp_path / "saved"
    saved.mkdir()
    fill_copy(saved, HEADER, archive(a=b"1"))
    (saved / "checkpoint").write_bytes((saved / "checkpoint").read_bytes()[:-10])
    kept = KeptState(tmp_path / "test")
    kept.keep([archive(a=b"2")])
    with pytest.raises(checkpoint.BrokenCheckpoint):
        kept.load(saved)
    assert kept.read() == archive(a=b"2")
