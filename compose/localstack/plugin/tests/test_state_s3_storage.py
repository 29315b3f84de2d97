"""Where S3 keeps the bytes of objects."""

from __future__ import annotations

import base64
import errno
import hashlib
import threading
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from multistack_localstack.state.object_files import ObjectFiles
from multistack_localstack.state.s3_storage import FileStorage


@pytest.fixture
def files(tmp_path: Path) -> ObjectFiles:
    """Those of a new folder."""
    return ObjectFiles(tmp_path / "objects", tmp_path / "aside")


@pytest.fixture
def storage(files: ObjectFiles) -> FileStorage:
    """A new one."""
    return FileStorage(files)


def thing(key: str = "k", version: str | None = None, checksum: str | None = None) -> Any:
    """What LocalStack knows of an object."""
    return SimpleNamespace(
        key=key, version_id=version, checksum_algorithm=checksum, size=0, etag=None, internal_last_modified=0
    )


def put(storage: FileStorage, object_: Any, content: bytes) -> None:
    """Store *content*."""
    with storage.open("b", object_, mode="w") as stored:
        stored.write(BytesIO(content))


def get(storage: FileStorage, object_: Any) -> bytes:
    """What is stored."""
    with storage.open("b", object_) as stored:
        return b"".join(stored)


def test_object_is_read_as_written(storage: FileStorage) -> None:
    """Content, size, ETag and checksum."""
    object_ = thing(checksum="SHA256")
    put(storage, object_, b"abc" * 50_000)
    assert get(storage, object_) == b"abc" * 50_000
    assert (object_.size, object_.etag) == (150_000, storage.open("b", object_).etag)
    with storage.open("b", object_) as stored:
        assert stored.checksum == base64.b64encode(hashlib.sha256(b"abc" * 50_000).digest()).decode()
        assert stored.last_modified == object_.internal_last_modified
        stored.seek(3)
        assert stored.read(3) == b"abc"


def test_versions_lie_apart(storage: FileStorage) -> None:
    """Two versions of a key are two objects."""
    put(storage, thing(version="1"), b"1")
    put(storage, thing(version="2"), b"2")
    assert (get(storage, thing(version="1")), get(storage, thing(version="2"))) == (b"1", b"2")


def test_reader_keeps_what_it_began_to_read(storage: FileStorage) -> None:
    """A new content does not change what somebody reads already."""
    put(storage, thing(), b"old")
    reader = storage.open("b", thing())
    put(storage, thing(), b"new")
    assert (reader.read(), get(storage, thing())) == (b"old", b"new")
    reader.close()


def test_reader_waits_for_a_writer(storage: FileStorage) -> None:
    """Who opens an object while it is written gets the new content."""
    writer = storage.open("b", thing(), mode="w")
    writer.write(BytesIO(b"new"))
    found: list[bytes] = []
    reading = threading.Thread(target=lambda: found.append(get(storage, thing())))
    reading.start()
    reading.join(0.05)
    assert found == []
    writer.close()
    reading.join()
    assert found == [b"new"]


def test_removed_while_written_keeps_the_old_content(storage: FileStorage, files: ObjectFiles) -> None:
    """LocalStack removes an object whose checksum was wrong before it closes it: what was there before stays."""
    put(storage, thing(), b"old")
    with storage.open("b", thing(), mode="w") as stored:
        stored.write(BytesIO(b"wrong"))
        storage.remove("b", thing())
    assert get(storage, thing()) == b"old"
    assert not list(files.aside.iterdir())


class FullDisk(BytesIO):
    """A content of which only the first bytes can be written."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().read(3)


def test_failed_overwrite_keeps_the_old_content(storage: FileStorage, files: ObjectFiles) -> None:
    """A disk that gets full in the middle of a new content takes nothing away, and nothing of it is left."""
    put(storage, thing(), b"old")
    with pytest.raises(OSError, match="No space left"), storage.open("b", thing(), mode="w") as stored:
        stored.write(FullDisk(b"newer"))
    assert get(storage, thing()) == b"old"
    assert not list(files.aside.iterdir())


def test_failed_completion_of_an_upload_keeps_the_old_content(storage: FileStorage, files: ObjectFiles) -> None:
    """Parts that don't fit together on the disk leave the object as it was, and can be tried again."""
    put(storage, thing("whole"), b"old")
    upload = SimpleNamespace(id="u", object=thing("whole"))
    parts = [SimpleNamespace(part_number=number, **vars(thing())) for number in (1, 2)]
    stored = storage.get_multipart("b", upload)
    for part, content in zip(parts, (b"one", b"two"), strict=True):
        with stored.open(part, mode="w") as opened:
            opened.write(BytesIO(content))
    [lost] = [name for key, (name, _, _) in storage.save().items() if key[-1] == "2"]
    (files.folder / lost).rename(files.folder / "gone")
    with pytest.raises(FileNotFoundError):
        storage.get_multipart("b", upload).complete_multipart(parts)
    assert get(storage, thing("whole")) == b"old"
    (files.folder / "gone").rename(files.folder / lost)
    storage.get_multipart("b", upload).complete_multipart(parts)
    assert get(storage, thing("whole")) == b"onetwo"
    assert not list(files.aside.iterdir())


def test_opened_and_not_written_changes_nothing(storage: FileStorage) -> None:
    """A precondition that fails leaves the object as it is."""
    put(storage, thing(), b"old")
    storage.open("b", thing(), mode="w").close()
    assert get(storage, thing()) == b"old"


def test_upload_is_put_together(storage: FileStorage) -> None:
    """Parts in their order, and nothing of them is left."""
    upload = SimpleNamespace(id="u", object=thing("whole"))
    parts = [SimpleNamespace(part_number=number, **vars(thing())) for number in (1, 2)]
    stored = storage.get_multipart("b", upload)
    for part, content in zip(parts, (b"one", b"two"), strict=True):
        with stored.open(part, mode="w") as opened:
            opened.write(BytesIO(content))
    storage.get_multipart("b", upload).complete_multipart(parts)
    storage.remove_multipart("b", upload)
    assert get(storage, thing("whole")) == b"onetwo"
    assert list(storage.save()) == [("b", "object", "whole", "null")]


def test_copy_and_delete(storage: FileStorage) -> None:
    """A copy has its own content; a deleted bucket has none."""
    put(storage, thing("a"), b"x")
    storage.copy("b", thing("a"), "b", thing("c")).close()
    storage.remove("b", thing("a"))
    assert (get(storage, thing("a")), get(storage, thing("c"))) == (b"", b"x")
    storage.delete_bucket("b")
    assert storage.save() == {}


def test_saved_and_loaded(storage: FileStorage, files: ObjectFiles) -> None:
    """Another storage over the same files has the same objects."""
    put(storage, thing(), b"x")
    other = FileStorage(files)
    other.load(storage.save())
    assert get(other, thing()) == b"x"
    assert other.sizes() == storage.sizes() == {name: 1 for name, _, _ in storage.save().values()}
