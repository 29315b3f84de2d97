"""A bundle is written whole or not at all, and read only as it was written."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emulator.bundle.manifest import FOLDER, BrokenBundle, Manifest, to_json
from emulator.bundle.reader import open_bundle
from emulator.bundle.targets import Target
from emulator.bundle.writer import PROGRAM, Writer, aside_of, replacing
from emulator.errors import ArtifactError, ConfigError, MultistackError
from emulator.events import Event

LONG = f"slides/{'x' * 90}/{'y' * 120}.txt"
FILES = {
    "README.txt": b"hello",
    "wheels/a-1-py3-none-any.whl": bytes(range(256)) * 40,
    "images/a.tar.gz": b"",
    LONG: b"long",
}


def write(path: Path, files: Mapping[str, bytes] = FILES) -> Manifest:
    """A bundle of *files*."""
    with replacing(path, mtime=0) as writer:
        for name, data in files.items():
            writer.add_stream(name, [data[:100], data[100:]], mode=PROGRAM)
        manifest = Manifest(
            version="0.1.0",
            at=datetime(2026, 11, 26, tzinfo=UTC),
            targets=(Target(python="3.12", platform="linux/amd64"),),
            packages=("multistack-emulator",),
            images=(),
            members=writer.members,
        )
        writer.finish(manifest)
    return manifest


def write_and_fail(path: Path) -> None:
    """A bundle for which something can't be had."""
    with replacing(path, mtime=0) as writer:
        writer.add("README.txt", b"new")
        raise ArtifactError("a wheel can't be had")


def verify(path: Path) -> None:
    """Open and verify a bundle, as ``load`` does."""
    bundle = open_bundle(path)
    try:
        bundle.verify(ignore)
    finally:
        bundle.close()


def ignore(_event: Event) -> None:
    """Nobody listens."""


def unpack(path: Path, to: Path) -> Path:
    """As ``tar xf`` does it."""
    with tarfile.open(path) as archive:
        archive.extractall(to, filter="data")
    return to / FOLDER


def test_bundle_is_a_plain_tar_in_one_folder(tmp_path: Path) -> None:
    """Whoever has no multistack yet unpacks it with tar, and litters no folder."""
    write(tmp_path / "b.tar")
    folder = unpack(tmp_path / "b.tar", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [FOLDER]
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert os.access(folder / "README.txt", os.X_OK)


def test_bundle_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Members of unknown length and with long names too."""
    manifest = write(tmp_path / "b.tar")
    bundle = open_bundle(tmp_path / "b.tar")
    bundle.verify(ignore)
    assert bundle.manifest == manifest
    assert {name: bundle.open(name).read() for name in FILES} == FILES
    bundle.close()


@pytest.mark.parametrize("kept", [0.001, 0.02, 0.3, 0.7, 0.9], ids=str)
def test_cut_bundle_is_refused_in_one_line(tmp_path: Path, kept: float) -> None:
    """Wherever a copy broke off."""
    path = tmp_path / "b.tar"
    write(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole.rstrip(b"\0")) * kept)])
    with pytest.raises(ArtifactError) as error:
        verify(path)
    assert "\n" not in error.value.message


def test_no_changed_byte_goes_unnoticed(tmp_path: Path) -> None:
    """In a member's bytes, in the manifest, or in a header where it matters."""
    path = tmp_path / "b.tar"
    write(path)
    whole = path.read_bytes()
    bundle = open_bundle(path)
    spans = [(bundle._tar.getmember(f"{FOLDER}/{name}"), name) for name in bundle.names()]  # type: ignore[attr-defined]
    bundle.close()
    for info, name in spans:
        for at in {info.offset_data, info.offset_data + info.size // 2, info.offset_data + info.size - 1}:
            if info.size:
                path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
                with pytest.raises(BrokenBundle, match="is not as it was saved") as error:
                    verify(path)
                assert name in error.value.message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"wheels/a-1-py3-none-any.whl": None}, "wheels/a-1-py3-none-any.whl is missing"),
        ({"wheels/b-1-py3-none-any.whl": b"b"}, "its manifest doesn't know wheels/b-1-py3-none-any.whl"),
        ({"README.txt": b"hallo"}, "README.txt is not as it was saved"),
    ],
    ids=["missing", "one too many", "another"],
)
def test_members_must_be_those_of_the_manifest(
    tmp_path: Path, changes: Mapping[str, bytes | None], message: str
) -> None:
    """Nothing is taken in that wasn't saved."""
    manifest = write(tmp_path / "b.tar")
    files = {**FILES, **changes}
    with (tmp_path / "c.tar").open("w+b") as file:
        writer = Writer(file, mtime=0)
        for name, data in files.items():
            if data is not None:
                writer.add(name, data)
        writer.finish(manifest)
    with pytest.raises(BrokenBundle) as error:
        verify(tmp_path / "c.tar")
    assert error.value.message == f"bundle {tmp_path / 'c.tar'} is broken: {message}"


def test_link_in_a_bundle_is_refused(tmp_path: Path) -> None:
    """It could lead anywhere, and no bundle has one."""
    with tarfile.open(tmp_path / "b.tar", "w") as archive:
        info = tarfile.TarInfo(f"{FOLDER}/wheels/a.whl")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(ArtifactError, match="is no bundle of multistack"):
        verify(tmp_path / "b.tar")


def test_other_files_are_no_bundle(tmp_path: Path) -> None:
    """An archive of something else, a text, an empty file."""
    (tmp_path / "text").write_text("hello\n" * 1000)
    (tmp_path / "empty").touch()
    with tarfile.open(tmp_path / "tar", "w") as archive:
        archive.add(tmp_path / "text", "text")
    for name in ("text", "empty", "tar"):
        with pytest.raises(ArtifactError, match="is no bundle of multistack"):
            verify(tmp_path / name)


def test_what_is_no_file_is_a_mistake(tmp_path: Path) -> None:
    """A pipe would be waited for without end."""
    os.mkfifo(tmp_path / "pipe")
    for name, message in (("pipe", "is no file"), ("none", "there is no bundle"), (".", "is no unpacked bundle")):
        with pytest.raises(ConfigError, match=message):
            open_bundle(tmp_path / name)


def test_unpacked_bundle_is_verified_where_it_counts(tmp_path: Path) -> None:
    """Learners change the service that came along, and wheels must still be as they were saved."""
    write(tmp_path / "b.tar")
    folder = unpack(tmp_path / "b.tar", tmp_path / "out")
    (folder / LONG).write_text("changed")
    (folder / "README.txt").unlink()
    (folder / "notes.txt").write_text("new")
    verify(folder)
    verify(tmp_path / "out")  # the folder above will do
    (folder / "wheels/a-1-py3-none-any.whl").write_bytes(b"changed")
    with pytest.raises(BrokenBundle, match=r"wheels/a-1-py3-none-any\.whl is not as it was saved"):
        verify(folder)


def test_unpacked_manifest_leads_nowhere_else(tmp_path: Path) -> None:
    """A member's name must stay in the folder."""
    manifest = write(tmp_path / "b.tar", {"../secret": b""})
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "manifest.json").write_bytes(to_json(manifest))
    with pytest.raises(BrokenBundle, match=r"its manifest names \.\./secret"):
        open_bundle(folder)


def test_failed_save_leaves_what_was_there(tmp_path: Path) -> None:
    """The old bundle, and nothing beside it."""
    path = tmp_path / "b.tar"
    write(path)
    before = path.read_bytes()
    with pytest.raises(ArtifactError):
        write_and_fail(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_save_left_is_overwritten(tmp_path: Path) -> None:
    """There is one place aside, so that nothing piles up."""
    path = tmp_path / "b.tar"
    aside_of(path).write_bytes(b"x" * 100_000)
    write(path)
    verify(path)
    assert list(tmp_path.iterdir()) == [path]


def test_two_saves_to_one_place_are_told(tmp_path: Path) -> None:
    """The second doesn't spoil the first."""
    path = tmp_path / "b.tar"
    with aside_of(path).open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(MultistackError, match="another command is writing"):
            write(path)
        assert aside_of(path).exists()


def test_other_files_are_never_overwritten(tmp_path: Path) -> None:
    """A bundle takes the place of a bundle only."""
    path = tmp_path / "template.yaml"
    path.write_text("Resources: {}")
    with pytest.raises(ConfigError, match="is there and no bundle"):
        write(path)
    assert path.read_text() == "Resources: {}"
    write(tmp_path / "b.tar")
    write(tmp_path / "b.tar")


class FullDisk(io.BytesIO):
    """Takes some bytes, and then no more."""

    def write(self, data: object) -> int:
        """As a full disk does it."""
        if self.tell() > 600:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)  # type: ignore[arg-type]


def test_full_disk_is_told_with_what_to_do() -> None:
    """One line, not a traceback from within."""
    writer = Writer(FullDisk(), mtime=0)
    with pytest.raises(MultistackError, match="No space left") as error:
        writer.add("a", bytes(2000))
    assert error.value.hint == "free some space, then run the same command again"


def test_two_files_of_one_name_are_refused() -> None:
    """Two folders of the same name would mix."""
    writer = Writer(io.BytesIO(), mtime=0)
    writer.add("src/a", b"")
    with pytest.raises(ConfigError, match="two files"):
        writer.add("src/a", b"")


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    """It was there when the folder was listed."""
    with pytest.raises(ArtifactError, match=r"can't read .*gone"):
        Writer(io.BytesIO(), mtime=0).add_file("a", tmp_path / "gone")
