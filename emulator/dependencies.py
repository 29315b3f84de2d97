"""Install a function's ``requirements.txt`` with aws-lambda-builders, once per content."""

from __future__ import annotations

import hashlib
import logging
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from emulator.errors import ArtifactError
from emulator.events import Emit, Event
from emulator.interpreters import Interpreter
from emulator.template import LocalCode

_UNFINISHED = "tmp"


def install(requirements: Path, source: LocalCode, cache: Path, *, python: Interpreter, emit: Emit) -> Path:
    """
    A folder with what *requirements* asks for, for the interpreter that runs the function in the embedded emulator.

    Args:
        cache: Kept between builds, so that a code change needs no package index; what killed ones left is removed.

    Raises:
        ArtifactError: A requirement does not exist, can't be downloaded, or has no wheel and can't be built.
    """
    for leftover in cache.glob(f"{_UNFINISHED}*"):  # of a command that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    folder = cache / _key(requirements, python)
    if folder.exists():
        return folder
    emit(Event(None, "installing", f"{requirements.parent.name}/requirements.txt"))
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=_UNFINISHED) as work:
        built = Path(work) / "built"
        _run_builder(requirements, source, Path(work), built, python)
        (built / requirements.name).unlink(missing_ok=True)
        try:
            built.rename(folder)
        except OSError:
            if not folder.exists():  # else another command finished the same install first
                raise
    return folder


def _key(requirements: Path, python: Interpreter) -> str:
    """Changes with what would be installed: the requirement files, the interpreter, the platform."""
    parts = [python.name, sys.platform, platform.machine()]
    parts += [hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(requirements.parent.glob("*.txt"))]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:32]


def _run_builder(requirements: Path, source: LocalCode, work: Path, built: Path, python: Interpreter) -> None:
    from aws_lambda_builders.architecture import ARM64, X86_64
    from aws_lambda_builders.builder import LambdaBuilder
    from aws_lambda_builders.exceptions import LambdaBuilderError

    # It would copy the source along: give it a folder with the requirements alone.
    alone = work / "source"
    alone.mkdir()
    (work / "scratch").mkdir()
    for file in requirements.parent.glob("*.txt"):
        shutil.copyfile(file, alone / file.name)
    logging.getLogger("aws_lambda_builders").setLevel(logging.CRITICAL)
    try:
        LambdaBuilder(language="python", dependency_manager="pip", application_framework=None).build(
            str(alone),
            str(built),
            str(work / "scratch"),
            str(alone / requirements.name),
            runtime=python.name,
            executable_search_paths=[str(python.program.parent)],
            architecture=ARM64 if platform.machine() in ("arm64", "aarch64") else X86_64,
        )
    except LambdaBuilderError as error:
        lines = _reasons(str(error), alone=alone, requirements=requirements)
        raise ArtifactError(
            f"can't install {requirements} for {source.logical_id}: {lines[-1] if lines else type(error).__name__}",
            hint=f"check the names and versions in it; pip of {python.program} needs a package index the first time",
            details=lines[:-1],
        ) from error


def _reasons(text: str, *, alone: Path, requirements: Path) -> list[str]:
    """What pip says, with the user's own paths and without what it says about the builder that calls it."""
    told = text.replace(str(alone), str(requirements.parent)).removeprefix("PythonPipBuilder:ResolveDependencies - ")
    noise = ("WARNING: pip is being invoked by an old script", "Please see https://github.com/pypa/pip/issues/5599")
    lines = (line for line in told.splitlines() if line.strip() and not line.startswith(noise))
    return [line for line in lines if not line.startswith("To avoid this problem you can invoke Python with '-m pip'")]
