"""Reports as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emulator.errors import ConfigError, NotReady, file_hint
from emulator.lab.experiment import Experiment
from emulator.lab.report.html import to_html
from emulator.lab.report.markdown import to_markdown
from emulator.lab.results import Result
from emulator.process import write_atomically

_FORMATS = {".html": to_html, ".md": to_markdown}


def default_paths(folder: Path) -> list[Path]:
    """One of each kind, in the lab's *folder*."""
    return [folder / f"report{suffix}" for suffix in _FORMATS]


def check_paths(paths: Sequence[Path]) -> None:
    """
    Find what can't be written.

    Raises:
        ConfigError: A path ends with neither ``.html`` nor ``.md``, or its folder isn't there.
    """
    for path in paths:
        if path.suffix not in _FORMATS:
            raise ConfigError(f"a report ends with {' or '.join(_FORMATS)}, not {path.name!r}")
        if not path.absolute().parent.is_dir():
            raise ConfigError(f"there is no folder {path.parent}")


def write_reports(
    paths: Sequence[Path], experiments: Sequence[Experiment], results: Sequence[Result], *, driver: str | None
) -> Sequence[Path]:
    """
    Write a report to each path; returns them.

    Args:
        driver: Whose results; None takes that of the latest.

    Raises:
        NotReady: There are no results.
        ConfigError: A file can't be written.
    """
    found = [one for one in results if driver in (None, one.driver)]
    if not found:
        where = f" on the driver {driver}" if driver else ""
        raise NotReady(f"no experiment was run{where} yet", hint="multistack lab run --all")
    latest = max(found, key=lambda one: one.at).driver
    for path in paths:
        content = _FORMATS[path.suffix](experiments, found, driver=latest)
        try:
            write_atomically(path, content.encode())
        except OSError as error:
            raise ConfigError(f"can't write {path}: {error.strerror}", hint=file_hint(error)) from error
    return paths
