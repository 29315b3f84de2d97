"""
The unpacked code of functions and layers: each content once, for as long as a process runs on it.

Unpacking is a third of a small function's cold start, so the second process of a function finds it done. On AWS the
folders are read-only for the function; sharing them relies on that.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html: layers are laid over each other in /opt, in order.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import stat
import tempfile
import threading
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Package:
    """A folder, whether it is unpacked by now, and how many processes use it."""

    key: str
    folder: Path
    users: int = 0
    is_unpacked: bool = False
    unpacking: threading.Lock = field(default_factory=threading.Lock)


class Packages:
    """
    The unpacked packages of one emulator.

    Args:
        base: Where they are put; made when first needed.
    """

    def __init__(self, base: Path) -> None:
        self._base = base
        self._lock = threading.Lock()
        self._packages: dict[str, Package] = {}

    def take(self, archives: Sequence[bytes]) -> Package:
        """
        The zip *archives*, unpacked over each other; give it back with :meth:`release`.

        Raises:
            zipfile.BadZipFile: One isn't a zip file, or reaches outside of its folder.
        """
        key = hashlib.sha256(b"".join(hashlib.sha256(archive).digest() for archive in archives)).hexdigest()
        with self._lock:
            package = self._packages.get(key)
            if package is None:
                self._base.mkdir(parents=True, exist_ok=True)
                package = Package(key, Path(tempfile.mkdtemp(prefix=f"{key[:8]}-", dir=self._base)))
                self._packages[key] = package
            package.users += 1
        try:
            with package.unpacking:
                if not package.is_unpacked:
                    for archive in archives:
                        unpack(archive, package.folder)
                    package.is_unpacked = True
        except BaseException:
            self.release(package)
            raise
        return package

    def release(self, package: Package) -> None:
        """One process less runs on it; after the last one the folder is removed, by a thread: thousands of files."""
        with self._lock:
            package.users -= 1
            if package.users:
                return
            if self._packages.get(package.key) is package:
                del self._packages[package.key]
        threading.Thread(target=shutil.rmtree, args=(package.folder, True), daemon=True).start()


def unpack(archive: bytes, folder: Path) -> None:
    """
    Unpack with the modes and links that the archive has: programs in a package must stay executable.

    Raises:
        zipfile.BadZipFile: Not a zip file, or a member would land outside of *folder*.
    """
    root, inside = folder.resolve(), set[Path]()
    with zipfile.ZipFile(io.BytesIO(archive)) as content:
        for member in content.infolist():
            mode = member.external_attr >> 16
            path = folder / member.filename
            is_inside = path.parent in inside or path.parent.resolve().is_relative_to(root)
            if ".." in path.parts or not is_inside:
                raise zipfile.BadZipFile(f"{member.filename!r} leads out of the package")
            inside.add(path.parent)
            if path.is_symlink() or (stat.S_ISLNK(mode) and path.is_file()):
                path.unlink()  # of a layer below; what is written must not go where it points
            if stat.S_ISLNK(mode):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to(content.read(member).decode())
                inside.clear()
                continue
            content.extract(member, folder)
            if not member.is_dir() and mode & 0o111:
                path.chmod(0o755)
