"""What our images are made from: their files, the hash of these, and the same as a build context."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from emulator.drivers.containers import IMAGE, LABEL
from emulator.errors import MultistackError
from emulator.model import OWN_IMAGE

_PACKAGE = Path(__file__).parent.parent
# In an installed wheel, and in a clone.
_PLACES = (_PACKAGE / "images" / "localstack", _PACKAGE.parent / "compose" / "localstack")
_EMBEDDED_PLACES = (_PACKAGE / "images" / "embedded", _PACKAGE.parent / "compose" / "embedded")
# On images of the embedded emulator: the hash of what they were made from.
_EMBEDDED_LABEL = f"{LABEL}.embedded"
# Of multistack itself: what the emulator's process imports.
_EMULATOR = (
    "__init__.py",
    "checkpoint.py",
    "drivers/__init__.py",
    "drivers/control.py",
    "drivers/embedded_environ.py",
    "drivers/functions.py",
    "drivers/launcher",
    "drivers/saved_state.py",
    "endpoint_key.py",
    "errors.py",
    "guards.py",
    "http_api_parameters.py",
    "http_api_security.py",
    "interpreters.py",
    "model",
    "ports.py",
    "process.py",
    "rest_api_security.py",
)
_PROXY = "compose/proxy"
# On images of the proxy: the hash of what they were made from.
_PROXY_LABEL = f"{LABEL}.proxy"
_DISTRIBUTION = "multistack-emulator"
# What the wheel of this repository is made of.
_SAMPLE = tuple(
    f"sample_service/{name}"
    for name in ("multistack.toml", "seeds", "single-stack.yaml", "smoke", "src", "template.yaml")
)
_SOURCES = (
    "emulator",
    "compose/embedded",
    "compose/localstack",
    "docs/workshop",
    *_SAMPLE,
    "pyproject.toml",
    "LICENSE",
    "constraints.txt",
)
# Tests don't change what the image does; caches and what a build leaves are no files of ours.
_LEFT_OUT = {"tests", "__pycache__", "build", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
_TEXT = "README.md"
# In the folder of our image's recipe, and no part of it; a wheel of multistack has it.
_BESIDE = "init"
# Filled for the time of a build only, from this machine's settings.
HOST = "host"


@dataclass(frozen=True, slots=True)
class Recipe:
    """
    The files an image is made from, by their path in the build context.

    Attributes:
        image: What it is called.
        label: Carries the recipe's digest.
        folder: Where in the context its Dockerfile is.
    """

    files: Mapping[str, bytes]
    image: str = OWN_IMAGE
    label: str = IMAGE
    folder: str = ""

    @property
    def dockerfile(self) -> str:
        """The path of the Dockerfile in the context."""
        return str(PurePosixPath(self.folder) / "Dockerfile")

    @property
    def digest(self) -> str:
        """Names the content of all files; an image carries it as a label."""
        total = hashlib.sha256()
        for name, data in sorted(self.files.items()):
            total.update(f"{name}\0{len(data)}\0".encode())
            total.update(data)
        return total.hexdigest()

    def context(self, host: Mapping[str, bytes]) -> bytes:
        """
        A build context: a tar of all files.

        Args:
            host: Files for the folder ``host``: settings of this machine, no part of what the image is.
        """
        packed = io.BytesIO()
        added = {str(PurePosixPath(self.folder) / HOST / name): data for name, data in host.items()}
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name, data in sorted({**self.files, **added}.items()):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(data), 0o644
                tar.addfile(entry, io.BytesIO(data))
        return packed.getvalue()


def read_recipe(folder: Path | None = None) -> Recipe:
    """
    The recipe that came with this version of multistack.

    Raises:
        MultistackError: It is missing: the installation is damaged.
    """
    found = folder or recipe_folder()
    if found is None:
        raise MultistackError(
            f"the image's recipe is missing: there is no {_PLACES[0]}", hint="install multistack again"
        )
    return Recipe({name: path.read_bytes() for name, path in _files(found) if PurePosixPath(name).parts[0] != _BESIDE})


def recipe_folder() -> Path | None:
    """Where the recipe lies; None where it is missing."""
    return next((place for place in _PLACES if (place / "Dockerfile").is_file()), None)


def read_proxy_recipe() -> Recipe:
    """
    That of the proxy of the Compose file: this multistack, from its source.

    Raises:
        MultistackError: The source is not here.
    """
    root = source_root()
    if root is None:
        raise MultistackError(
            "the proxy's image is made from multistack's source, which is not here",
            hint="`multistack image build --proxy` in a clone of its repository",
        )
    files = {name: data for source in (_PROXY, *_SOURCES) for name, data in _below(root, source).items()}
    files["README.md"] = b""  # the wheel needs one, and its text is nothing that the image depends on
    return Recipe(files, image=proxy_image(), label=_PROXY_LABEL, folder=_PROXY)


def read_embedded_recipe() -> Recipe:
    """
    That of the embedded emulator: a process of this multistack.

    Raises:
        MultistackError: It is missing: the installation is damaged.
    """
    folder = next((place for place in _EMBEDDED_PLACES if (place / "Dockerfile").is_file()), None)
    if folder is None:
        raise MultistackError(
            f"the image's recipe is missing: there is no {_EMBEDDED_PLACES[0]}", hint="install multistack again"
        )
    own = {f"emulator/{name}": data for part in _EMULATOR for name, data in _below(_PACKAGE, part).items()}
    built = {name: path.read_bytes() for name, path in _files(folder)}
    return Recipe({**built, **own}, image=embedded_image(), label=_EMBEDDED_LABEL)


def embedded_image() -> str:
    """What the image of the embedded emulator is called: it has the version of multistack that is in it."""
    return f"multistack/embedded:{importlib.metadata.version(_DISTRIBUTION)}"


def source_root() -> Path | None:
    """The repository that this multistack runs from; None where it was installed from a wheel."""
    root = _PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and (root / _PROXY / "Dockerfile").is_file() else None


def proxy_image() -> str:
    """What the image of the proxy is called: it has the version of multistack that is in it."""
    return f"multistack/proxy:{importlib.metadata.version(_DISTRIBUTION)}"


def _below(root: Path, name: str) -> dict[str, bytes]:
    if (root / name).is_file():
        return {name: (root / name).read_bytes()}
    return {f"{name}/{path}": found.read_bytes() for path, found in _files(root / name)}


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        relative = PurePosixPath(path.relative_to(folder).as_posix())
        is_left_out = any(part in _LEFT_OUT or part.endswith(".egg-info") for part in relative.parts)
        if path.is_file() and not is_left_out and relative.parts[0] != _TEXT:
            yield str(relative), path
