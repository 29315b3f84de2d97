"""The tests' side of the process that keeps environments: started by the first request, ended with the last."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from emulator import errors
from emulator.errors import MultistackError

# Without the folder that the tests run in: it may have something called emulator.
_COMMAND = (sys.executable, "-P", "-m", "emulator.testing.keeper")
# Seconds for emulators and proxy to stop in good order.
_ENDING = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    Which environments, see :class:`emulator.testing.keeper.opening.Options`.

    Attributes:
        file: The project file; None to look for it in *cwd* and above.
        cwd: None for the folder that this process is in when the first request is made.
        environ: The variables of the keeping process; None for those that this one has then.
    """

    file: Path | None = None
    driver: str | None = None
    endpoint: str | None = None
    is_reused: bool = False
    is_kept: bool = False
    cwd: Path | None = None
    environ: Mapping[str, str] | None = field(default=None, compare=False, repr=False)


class Connection:
    """
    One process that keeps environments for this one. Requests of several threads are answered one by one.

    Args:
        command: What keeps them.
    """

    def __init__(self, settings: Settings, *, command: Sequence[str] = _COMMAND) -> None:
        self.settings, self._command = settings, command
        self._asked = 0
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[bytes] | None = None
        self._lock = threading.RLock()
        self._pid = os.getpid()

    def ask(self, do: str, /, **arguments: object) -> Any:
        """
        What the request *do* is answered with.

        Raises:
            MultistackError: Of the class that the other process raised; or it ended; or this is a fork.
        """
        if os.getpid() != self._pid:  # it would take the answers of the process that it is a copy of
            raise MultistackError(
                "a forked process can't ask for environments",
                hint="give it what it needs, e.g. `environment.url`, or start it with multiprocessing's spawn",
            )
        with self._lock:
            process = self._running()
            self._asked += 1
            try:
                assert process.stdin is not None  # noqa: S101 (it is a pipe)
                print(json.dumps({"do": do, "number": self._asked, **arguments}), file=process.stdin, flush=True)
            except OSError:
                raise self._ended() from None
            return self._read(process, self._asked)

    def _read(self, process: subprocess.Popen[str], number: int | None) -> Any:
        """The answer to request *number*; what earlier ones are answered with that a signal cut short is dropped."""
        assert process.stdout is not None  # noqa: S101 (it is a pipe)
        for line in iter(process.stdout.readline, ""):
            if (answer := json.loads(line))["number"] == number:
                break
        else:
            raise self._ended()
        if "error" not in answer:
            return answer["answer"]
        told = answer["error"]
        raise getattr(errors, told["type"])(told["message"], hint=told["hint"], details=told["details"])

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._log = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the process)
            settings = self.settings
            self._process = subprocess.Popen(
                [*self._command, *_flags(settings)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                encoding="utf-8",
                cwd=settings.cwd,
                env=None if settings.environ is None else dict(settings.environ),
                start_new_session=True,  # Ctrl-C is for the tests: it sees to their end
            )
        return self._process

    def _ended(self) -> MultistackError:
        return MultistackError("the process that keeps the environments ended", details=self._log_lines())

    def _log_lines(self) -> list[str]:
        if self._log is None:
            return []
        self._log.seek(0)
        return self._log.read().decode(errors="replace").splitlines()[-20:]

    def close(self) -> None:
        """
        Let the other process clean up, and wait for it.

        Raises:
            MultistackError: It could not.
        """
        with self._lock:
            process, self._process = self._process, None
            if process is None or os.getpid() != self._pid:  # in a fork it is the other one's
                return
            try:
                with contextlib.suppress(OSError):
                    process.stdin.close()  # type: ignore[union-attr]
                self._read(process, None)
                process.wait(timeout=_ENDING)
            finally:
                process.stdout.close()  # type: ignore[union-attr]
                process.poll()
                self._close_log()

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None


def _flags(settings: Settings) -> list[str]:
    given = {"--file": settings.file, "--driver": settings.driver, "--endpoint": settings.endpoint}
    switches = {"--reuse": settings.is_reused, "--keep": settings.is_kept}
    return [
        *(f"{name}={value}" for name, value in given.items() if value is not None),
        *(name for name, is_on in switches.items() if is_on),
    ]
