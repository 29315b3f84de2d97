"""
Where LocalStack's S3 keeps the bytes of objects: in files that outlive it.

LocalStack's own storage holds them in memory or in temporary files that end with it.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from io import BytesIO, UnsupportedOperation
from typing import IO, Any

from localstack.services.s3.constants import S3_CHUNK_SIZE
from localstack.services.s3.models import S3Multipart, S3Object, S3Part
from localstack.services.s3.storage.core import (
    LimitedStream,
    S3ObjectStore,
    S3StoredMultipart,
    S3StoredObject,
    should_copy_in_place,
)
from localstack.services.s3.utils import ObjectRange, get_s3_checksum

from multistack_localstack.state.object_files import ObjectFiles

# Bucket, and what tells an object's version or an upload's part from others in it.
Key = tuple[str, ...]
# Name of the file, size in bytes, time of the last change in nanoseconds.
Saved = tuple[str, int, int]


class _Entry:
    """What is stored under a key: nothing yet, or a file. Its lock is held while a new content is written."""

    def __init__(self, saved: Saved | None = None) -> None:
        self.saved = saved
        self.lock = threading.RLock()
        self.writer: StoredFile | None = None


class StoredFile(S3StoredObject):
    """An object or part, open to be read or to be written anew."""

    def __init__(self, s3_object: S3Object | S3Part, entry: _Entry, files: ObjectFiles, mode: str = "r") -> None:
        super().__init__(s3_object=s3_object, mode="w" if mode == "w" else "r")
        self._entry, self._files = entry, files
        self._name = ""
        self._etag: str | None = None
        self._checksum: str | None = None
        self._is_discarded = False
        self._file: IO[bytes] = BytesIO()
        self.last_modified_ns = self._size = 0
        if mode == "w":
            entry.lock.acquire()
            entry.writer = self
            return
        with entry.lock:  # a reader waits here for a writer; after that its file never changes
            if entry.saved:
                name, self._size, self.last_modified_ns = entry.saved
                self._file = files.open(name)

    def write(self, s: IO[bytes] | S3StoredObject | LimitedStream) -> int:
        """Take all of the stream *s* as the new content; returns its length in bytes."""
        self._begin()
        algorithm = self.s3_object.checksum_algorithm
        checksum = get_s3_checksum(algorithm) if algorithm else None
        etag, size = hashlib.md5(usedforsecurity=False), 0
        while data := (s or BytesIO()).read(S3_CHUNK_SIZE):
            self._put(data)
            etag.update(data)
            if checksum:
                checksum.update(data)
            size += len(data)
        self._etag = self.s3_object.etag = etag.hexdigest()
        self._checksum = base64.b64encode(checksum.digest()).decode() if checksum else None
        self._changed(size)
        self._file.seek(0)
        return size

    def append(self, part: S3StoredObject) -> int:
        """Put the content of *part* behind what was written; returns its length in bytes."""
        if not self._name:
            self._begin()
        size = 0
        while data := part.read(S3_CHUNK_SIZE):
            self._put(data)
            size += len(data)
        self._changed(self._file.tell())
        return size

    def truncate(self, size: int | None = None) -> int:
        """Only what LocalStack does with it: begin anew."""
        self._begin()
        self._changed(0)
        return 0

    def read(self, s: int = -1) -> bytes | None:
        return self._file.read(s)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._file.close()
        if self._mode == "w":
            try:
                self._settle()
            finally:
                self._entry.writer = None
                self._entry.lock.release()

    def __exit__(self, kind: type[BaseException] | None, *args: object) -> None:
        """Half of a content, of a disk that got full for one, must not take the place of a whole one."""
        if kind is not None:
            self.discard()
        self.close()

    def discard(self) -> None:
        """What was written is not to be kept: the content before it stays."""
        self._is_discarded = True

    @property
    def last_modified(self) -> int:
        return self.last_modified_ns

    @property
    def checksum(self) -> str | None:
        if not self.s3_object.checksum_algorithm:
            return None
        if self._checksum is None:
            self._checksum = base64.b64encode(self._over(get_s3_checksum(self.s3_object.checksum_algorithm))).decode()
        return self._checksum

    @property
    def etag(self) -> str:
        if self._etag is None:
            self._etag = self._over(hashlib.md5(usedforsecurity=False)).hex()
        return self._etag

    def __iter__(self) -> Iterator[bytes]:
        while data := self.read(S3_CHUNK_SIZE):
            yield data

    def _begin(self) -> None:
        if self._mode != "w":
            raise UnsupportedOperation("the object is open to be read")
        self._file.close()
        if self._name:
            self._files.discard(self._name)
        self._name, self._file = self._files.create()

    def _put(self, data: bytes) -> None:
        left = memoryview(data)
        while left:  # an unbuffered write may take less than it is given
            left = left[self._file.write(left) :]

    def _changed(self, size: int) -> None:
        self.last_modified_ns = self.s3_object.internal_last_modified = time.time_ns()
        self.s3_object.size = size
        self._size = size

    def _settle(self) -> None:
        if not self._name:
            return
        if self._is_discarded:
            self._files.discard(self._name)
            return
        self._files.keep(self._name)
        before = self._entry.saved
        self._entry.saved = (self._name, self._size, self.last_modified_ns)
        if before:
            self._files.drop(before[0])

    def _over(self, digest: Any) -> bytes:
        position = self._file.tell()
        self._file.seek(0)
        while data := self._file.read(S3_CHUNK_SIZE):
            digest.update(data)
        self._file.seek(position)
        return bytes(digest.digest())


class StoredUpload(S3StoredMultipart):
    """The parts of a multipart upload."""

    _s3_store: FileStorage

    def open(self, s3_part: S3Part, mode: str = "r") -> StoredFile:
        return self._s3_store.open_key(self._key(s3_part), s3_part, mode)

    def remove_part(self, s3_part: S3Part) -> None:
        self._s3_store.remove_key(self._key(s3_part))

    def complete_multipart(self, parts: list[S3Part]) -> None:  # type: ignore[override]
        with self._s3_store.open(self.bucket, self.s3_multipart.object, mode="w") as whole:
            whole.truncate()
            for part in parts:
                with self.open(part) as stored:
                    whole.append(stored)

    def close(self) -> None:
        for key in self._s3_store.keys((self.bucket, "upload", self.s3_multipart.id)):
            self._s3_store.remove_key(key)

    def copy_from_object(
        self, s3_part: S3Part, src_bucket: str, src_s3_object: S3Object, range_data: ObjectRange | None
    ) -> None:
        with self._s3_store.open(src_bucket, src_s3_object) as source, self.open(s3_part, mode="w") as stored:
            stored.write(LimitedStream(source, range_data=range_data) if range_data else source)
            if s3_part.checksum_algorithm:
                s3_part.checksum_value = stored.checksum

    def _key(self, s3_part: S3Part) -> Key:
        return (self.bucket, "upload", self.s3_multipart.id, str(s3_part.part_number))


class FileStorage(S3ObjectStore):
    """
    All objects and parts by their key; a part of the state of S3, see :class:`services.Part`.

    Attributes:
        root_directory: Where the files lie; LocalStack reports it.
    """

    key = "objects"

    def __init__(self, files: ObjectFiles) -> None:
        self._files = files
        self._entries: dict[Key, _Entry] = {}
        self.root_directory = str(files.folder)

    def open(self, bucket: str, s3_object: S3Object, mode: str = "r") -> StoredFile:
        return self.open_key(_key_of(bucket, s3_object), s3_object, mode)

    def open_key(self, key: Key, s3_object: S3Object | S3Part, mode: str) -> StoredFile:
        """What is stored under *key*; nothing is stored there yet: empty."""
        entry = self._entries.setdefault(key, _Entry()) if mode == "w" else self._entries.get(key, _Entry())
        return StoredFile(s3_object, entry, self._files, mode)

    def remove(self, bucket: str, s3_object: S3Object | list[S3Object]) -> None:
        for each in s3_object if isinstance(s3_object, list) else [s3_object]:
            self.remove_key(_key_of(bucket, each))

    def remove_key(self, key: Key) -> None:
        """Forget what is stored under *key*; of one that is just being written, only the new content."""
        entry = self._entries.get(key)
        if entry is None:
            return
        if entry.writer is not None:
            entry.writer.discard()
            return
        self._entries.pop(key, None)
        if entry.saved:
            self._files.drop(entry.saved[0])

    def copy(self, src_bucket: str, src_object: S3Object, dest_bucket: str, dest_object: S3Object) -> StoredFile:
        if should_copy_in_place(src_bucket, src_object, dest_bucket, dest_object):
            return self.open(dest_bucket, dest_object)
        with self.open(src_bucket, src_object) as source:
            copied = self.open(dest_bucket, dest_object, mode="w")
            try:
                copied.write(source)
            except BaseException:
                copied.discard()
                copied.close()
                raise
        return copied

    def get_multipart(self, bucket: str, upload_id: S3Multipart) -> StoredUpload:
        return StoredUpload(self, bucket, upload_id)

    def remove_multipart(self, bucket: str, s3_multipart: S3Multipart) -> None:
        self.get_multipart(bucket, s3_multipart).close()

    def delete_bucket(self, bucket: str) -> None:
        for key in self.keys((bucket,)):
            self.remove_key(key)

    def reset(self) -> None:
        for key in list(self._entries):
            self.remove_key(key)

    def keys(self, prefix: Key) -> list[Key]:
        """All keys that begin with *prefix*."""
        return [key for key in list(self._entries) if key[: len(prefix)] == prefix]

    def save(self) -> dict[Key, Saved]:
        """Which file is stored under which key."""
        return {key: entry.saved for key, entry in list(self._entries.items()) if entry.saved}

    def load(self, saved: dict[Key, Saved]) -> None:
        """Take what :meth:`save` gave; the files are there."""
        self._entries.update({key: _Entry(each) for key, each in saved.items()})

    def sizes(self) -> dict[str, int]:
        """Name and size in bytes of the files that are stored now."""
        return {name: size for name, size, _ in self.save().values()}


def _key_of(bucket: str, s3_object: S3Object) -> Key:
    return (bucket, "object", s3_object.key, s3_object.version_id or "null")
