"""Artifacts as files."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from emulator.artifact import ArtifactStore, sha256_of
from emulator.artifact_transfer import export, import_
from emulator.errors import ArtifactError


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """With one artifact."""
    archive = tmp_path / "code.zip"
    archive.write_bytes(b"zip")
    store = ArtifactStore(tmp_path / "store")
    store.add({"Resources": {}}, {"Web": (archive, sha256_of(archive))})
    return store


def test_an_artifact_comes_back_as_it_was(store: ArtifactStore, tmp_path: Path) -> None:
    """The same bytes, whoever exports it and whenever; twice is once."""
    (digest,) = store.digests()
    export(store, digest, tmp_path / "a.tar")
    export(store, digest, tmp_path / "b.tar")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    other = ArtifactStore(tmp_path / "other")
    assert import_(other, tmp_path / "a.tar") == import_(other, tmp_path / "a.tar") == digest
    assert other.digests() == [digest]
    assert sorted(path.name for path in other.folder(digest).parent.iterdir()) == sorted([digest, "tmp"])


def test_a_file_that_can_not_be_written_leaves_nothing(store: ArtifactStore, tmp_path: Path) -> None:
    """Told in one line."""
    with pytest.raises(ArtifactError, match="can't write"):
        export(store, store.digests()[0], tmp_path / "no folder" / "a.tar")


def tar(path: Path, files: dict[str, bytes]) -> Path:
    """A tar of *files*."""
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


HEX = "a" * 64


@pytest.mark.parametrize(
    ("files", "said"),
    [
        pytest.param({}, "it holds no artifact, or several", id="empty"),
        pytest.param({f"{HEX}/artifact.json": b"{}"}, "was changed after it was exported", id="other digest"),
        pytest.param({f"{HEX}/artifact.json": b"no JSON"}, "is no artifact that was exported", id="no JSON"),
        pytest.param({f"{HEX}/artifact.json": b"[]"}, "is no artifact that was exported", id="no object"),
        pytest.param({f"{HEX}/artifact.json": b'{"code": 5}'}, "is no artifact that was exported", id="no codes"),
        pytest.param({f"{HEX}/artifact.json": b"[" * 100_000}, "is no artifact that was exported", id="deep"),
        pytest.param({"../artifact.json": b"{}"}, "it holds no artifact", id="out of the folder"),
        pytest.param({f"{HEX}/artifact.json": b"{}", "x/y": b""}, "it holds no artifact, or several", id="more"),
    ],
)
def test_what_is_no_artifact_is_refused(tmp_path: Path, files: dict[str, bytes], said: str) -> None:
    """Nothing of it stays, in the store or elsewhere."""
    store = ArtifactStore(tmp_path / "store")
    with pytest.raises(ArtifactError, match=said):
        import_(store, tar(tmp_path / "a.tar", files))
    assert store.digests() == []
    assert list((tmp_path / "store/tmp").iterdir()) == []


def test_a_cut_file_is_refused(store: ArtifactStore, tmp_path: Path) -> None:
    """Half of an artifact is none."""
    export(store, store.digests()[0], tmp_path / "a.tar")
    (tmp_path / "a.tar").write_bytes((tmp_path / "a.tar").read_bytes()[:700])
    with pytest.raises(ArtifactError, match="is no artifact that was exported"):
        import_(ArtifactStore(tmp_path / "other"), tmp_path / "a.tar")
