"""The command ``multistack``, from its first moment on; also ``python -m emulator``."""

from __future__ import annotations

import os
import sys

from emulator.interruption import Interruption


def main() -> None:
    """Run the command line and exit; see :func:`emulator.cli.main` for the exit codes."""
    _open_standard_files()
    interruption = Interruption()
    try:
        interruption.catch()
        # Late, so that a signal during a tenth of a second of imports is not answered with a traceback.
        from emulator.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(_stopped(interruption))
    # With a signal, its terminal is gone, or a library made an error of its own of what stopped it.
    except Exception:
        if not interruption.has_come:
            raise
        sys.exit(_stopped(interruption))
    except SystemExit as end:
        # What went wrong while it was ending is told by now; why it ended is that it was asked to.
        sys.exit(interruption.exit_code if interruption.has_come and end.code else end.code)
    finally:
        interruption.release()
        _drop_unread()


def _stopped(interruption: Interruption) -> int:
    _say("stopped; run the same command again to go on")
    return interruption.exit_code


def _open_standard_files() -> None:
    """Under ``>&-`` the next file opened would become stdout, e.g. the lock that a server must inherit."""
    while (file := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(file)


def _drop_unread() -> None:
    """Let go of what nobody reads any more: Python would try once more at its end, and exit with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 (pathlib is not there yet)
                os.dup2(nowhere.fileno(), stream.fileno())


def _say(line: str) -> None:
    try:
        print(line, file=sys.stderr)  # noqa: T201 (click may not be there yet)
    except OSError:
        return


if __name__ == "__main__":
    main()
