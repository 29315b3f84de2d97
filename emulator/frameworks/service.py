"""What every framework's reader does: from a file that people edit to a template and the code beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from emulator.events import Emit
from emulator.image_code import Images, NoImages
from emulator.template import Template

if TYPE_CHECKING:
    from emulator.frameworks.kept import KeptPackages


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """
    What the build takes, whatever framework it comes from.

    Attributes:
        template: CloudFormation or SAM. Code of a function or layer is a local path: a folder, a file, or a zip.
        folder: Where its local paths start.
        path: What errors name.
        is_complete: Whether the code has all that it needs: the framework's tool installed it.
        complete: Where that holds for a part of the code, that part's paths.
        archives: Code that an earlier build zipped.
    """

    template: Template
    folder: Path
    path: Path
    is_complete: bool = False
    complete: frozenset[Path] = frozenset()
    archives: frozenset[Path] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaging:
    """
    What a framework's own tool is run with, where it packages the service itself.

    Attributes:
        environ: The whole of the child's variables: the caller's without any that concern AWS.
        stages: What environments are called there, and their accounts; a tool that makes a template per stage makes one
            for each.
        work: A folder for what it writes; it is there until the build is done, and gone after it.
        emit: A tool that takes a while says so, e.g. ``Event(None, "packaging", "with osls 3.40")``.
        cancelled: Called while waiting; raises to stop.
        kept: What this process packaged before.
        awaited: The stages that can't wait, where others can.
        images: Of functions that are container images.
    """

    environ: Mapping[str, str] = field(repr=False)
    stages: Mapping[str, str] = field(default_factory=dict)
    work: Path
    emit: Emit
    cancelled: Callable[[], None]
    kept: KeptPackages | None = None
    awaited: Sequence[str] = ()
    images: Images = field(default_factory=NoImages)


@dataclass(frozen=True, slots=True)
class GivenValue:
    """A parameter's value from a framework's own file; *source* says where, e.g. ``samconfig.toml:12``."""

    text: str
    source: str


class ServiceReader(Protocol):
    """
    One framework.

    Attributes:
        name: As its users write it, e.g. ``Serverless Framework``.
        files: What its file may be called, relative to the project's folder; the first that is there counts.
    """

    @property
    def name(self) -> str: ...

    @property
    def files(self) -> tuple[str, ...]: ...

    def recognises(self, path: Path) -> bool:
        """Whether this file is of this framework, by its name or a glance at its text; every command asks."""

    def parameters(self, path: Path) -> Mapping[str, Mapping[str, Any]]:
        """
        The template's ``Parameters`` as far as they are known without running a tool, for ``init``.

        Raises:
            ConfigError: The file is broken.
        """

    def values(self, path: Path, environment: str) -> Mapping[str, GivenValue]:
        """
        Parameter to value, as the framework's own files give it to a stage or environment of that name.

        What the project file says goes before. Cheap, because every command asks; no tool is run.

        Raises:
            ConfigError: The file is broken.
        """

    def stages(self, path: Path) -> Sequence[str]:
        """
        The stages or environments that the framework's own files name, in their order; for ``init``.

        Raises:
            ConfigError: The file is broken.
        """

    def sources(self, path: Path) -> Sequence[Path]:
        """
        The files and folders that the service is made of, as far as they are known without running a tool.

        Raises:
            ConfigError: The file is broken.
        """

    def read(self, path: Path, packaging: Packaging) -> Service:
        """
        The service as it is now, packaged by the framework's tool if it has one of its own.

        Raises:
            ConfigError: The file is broken, or asks for what can't be had here; one line that says what.
            ArtifactError: The tool is missing or fails; details are what it says.
        """
