"""What a command asks of the functions in a running emulator of ours; other drivers' emulators can't be asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from emulator.drivers import control
from emulator.errors import MultistackError, NotReady
from emulator.model import Endpoint

TRY = "functions/try"
DEBUG = "functions/debug"
UNDEBUG = "functions/undebug"
# Seconds; importing a function may take ten, and as long as its own Timeout.
_TRYING = 960.0
_STARTING = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCode:
    """
    A zip that a function may get.

    Attributes:
        called: The function, for whoever reads what is wrong.
        function: Its name in the emulator.
    """

    called: str
    function: str
    archive: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Debugged:
    """
    A function that somebody wants to debug.

    Attributes:
        called: Its logical id, and the name of the folder that its code lies in meanwhile.
        function: Its name in the emulator.
        port: Where the debugger listens.
        library: The folder that debugpy is in.
    """

    called: str
    function: str
    port: int
    library: Path


def try_code(endpoint: Endpoint, folder: Path, code: Iterable[NewCode]) -> Mapping[str, str]:
    """
    Find out which functions can't be imported from new code, and why; by what they are called.

    Args:
        folder: The environment's.

    Raises:
        NotReady: The emulator doesn't answer.
    """
    content = {one.called: {"function": one.function, "archive": str(one.archive)} for one in code}
    try:
        control.ask(endpoint, folder, TRY, content, timeout=_TRYING)
    except NotReady:
        raise
    except MultistackError as error:
        lines = error.message.partition(": ")[2].splitlines()  # without the environment's name
        return {called: problem for called, _, problem in (line.partition(": ") for line in lines)}
    return {}


def debug(endpoint: Endpoint, folder: Path, debugged: Debugged) -> None:
    """
    Start a function's process with a debugger that listens in it.

    Args:
        folder: The environment's.

    Raises:
        MultistackError: The function can't be imported, or not be debugged.
        NotReady: The emulator doesn't answer.
    """
    content = {
        "called": debugged.called,
        "function": debugged.function,
        "port": debugged.port,
        "library": str(debugged.library),
    }
    control.ask(endpoint, folder, DEBUG, content, timeout=_STARTING)


def undebug(endpoint: Endpoint, folder: Path, function: str) -> None:
    """End what :func:`debug` began; raises as it does."""
    control.ask(endpoint, folder, UNDEBUG, {"function": function}, timeout=_STARTING)


def debugged_code(folder: Path, called: str) -> Path:
    """Where the code of a function lies while it is debugged, in the environment's *folder*; the same each time."""
    return folder / "tmp" / "functions" / "debug" / called
