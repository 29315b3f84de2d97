"""What is packaged for a workshop: the sample service, and the texts of the labs."""

from __future__ import annotations

from pathlib import Path

from emulator.errors import MultistackError

_PACKAGE = Path(__file__).resolve().parent.parent
_REPOSITORY = _PACKAGE.parent


def sample_folder() -> Path:
    """
    The sample service: in a wheel beside the package's modules, else in the clone of an editable install.

    Raises:
        MultistackError: It is in neither.
    """
    return _find("the sample service", _PACKAGE / "lab" / "sample", _REPOSITORY / "sample_service")


def texts_folder() -> Path:
    """
    The texts of the labs, likewise.

    Raises:
        MultistackError: They are in neither.
    """
    return _find("the workshop's texts", _PACKAGE / "workshop" / "texts", _REPOSITORY / "docs" / "workshop")


def _find(what: str, *folders: Path) -> Path:
    for folder in folders:
        if folder.is_dir():
            return folder
    raise MultistackError(f"{what} was not installed with multistack", hint="install multistack anew")
