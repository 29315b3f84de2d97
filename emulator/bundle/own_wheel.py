"""multistack itself as a wheel: of the source that runs here, or put together again from what is installed."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.metadata
import json
import zipfile
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from emulator.errors import ArtifactError

DISTRIBUTION = "multistack-emulator"
# Written by whoever installs, not by whoever made the wheel.
_INSTALLERS = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json"}
# The oldest time that a zip can hold: the same files give the same wheel.
_TIME = (1980, 1, 1, 0, 0, 0)


def find() -> Distribution:
    """
    The distribution that this process runs.

    Raises:
        ArtifactError: It was not installed.
    """
    try:
        return importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError as error:
        raise ArtifactError(f"{DISTRIBUTION} is not installed here", hint="`pip install .` in its source") from error


def source_of(distribution: Distribution) -> Path | None:
    """The folder that an editable installation runs from; None for any other installation. Source: PEP 610."""
    try:
        told = json.loads(distribution.read_text("direct_url.json") or "{}")
    except ValueError:
        return None
    url = urlsplit(str(told.get("url") or ""))
    is_editable = bool((told.get("dir_info") or {}).get("editable"))
    return Path(unquote(url.path)) if is_editable and url.scheme == "file" else None


def pack(distribution: Distribution, folder: Path) -> Path:
    """
    A wheel in *folder* with the files that were installed from one.

    Raises:
        ArtifactError: One of them is gone.
    """
    name = distribution.metadata["Name"].replace("-", "_")
    path = folder / f"{name}-{distribution.version}-py3-none-any.whl"
    record, info = [], ""
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for file in _recorded(distribution):
            if not _belongs(file):
                continue
            try:
                data = Path(str(distribution.locate_file(file))).read_bytes()
            except OSError as error:
                raise ArtifactError(
                    f"{file} of the installed {DISTRIBUTION} can't be read: {error.strerror}",
                    hint=f"`pip install --force-reinstall {DISTRIBUTION}`",
                ) from error
            archive.writestr(zipfile.ZipInfo(str(file), _TIME), data, compress_type=zipfile.ZIP_DEFLATED)
            record.append(f"{file},sha256={_digest(data)},{len(data)}")
            info = file.parts[0] if file.parts[0].endswith(".dist-info") else info
        if not info:
            raise ArtifactError(f"nobody wrote down which files {DISTRIBUTION} has", hint="install it with pip")
        lines = [*record, f"{info}/RECORD,,", ""]
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD", _TIME), "\n".join(lines))
    return path


def _recorded(distribution: Distribution) -> list[PurePosixPath]:
    """All that RECORD names; ``distribution.files`` leaves out what is gone since Python 3.12."""
    rows = csv.reader((distribution.read_text("RECORD") or "").splitlines())
    return sorted((PurePosixPath(row[0]) for row in rows if row), key=str)


def _belongs(file: PurePosixPath) -> bool:
    """Whether it was in the wheel; what lies outside of the packages, such as the command, is made at installation."""
    return (
        ".." not in file.parts
        and not file.is_absolute()
        and "__pycache__" not in file.parts
        and not (file.parts[0].endswith(".dist-info") and file.name in _INSTALLERS)
    )


def _digest(data: bytes) -> str:
    """As RECORD has it. Source: the specification of binary distributions."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
