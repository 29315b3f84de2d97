"""
Starts the emulator in a container of its own: what it is told comes as variables, its state lies in a volume.

What they are is in docs/guides/swarm.md. This process becomes the emulator; whatever the container was given beside
these is gone from its environ then, the key as well.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from emulator.drivers import embedded_environ
from emulator.endpoint_key import PORT_INSIDE
from emulator.model import DriverName, Environment
from emulator.process import LABEL

FOLDER = "/var/lib/multistack"
# Where Swarm and Compose put a secret of that name.
KEY_FILE = "/run/secrets/multistack-key"
# More variables, a line each, where a config of Swarm or Kubernetes is laid.
VARIABLES = "/run/multistack/environment"
_TRUTHS = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False, "": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """
    What the variables say.

    Attributes:
        key: Empty where none is asked for.
    """

    environment: Environment
    folder: Path
    key: str


def read(environ: Mapping[str, str]) -> Told:
    """
    What *environ* says of the emulator to start.

    Raises:
        ValueError: One of the variables says no such thing; the message names it.
        OSError: The file of the key can't be read.
    """
    account = environ.get("MULTISTACK_ACCOUNT_ID", "000000000000")
    if not re.fullmatch("[0-9]{12}", account):
        raise ValueError(f"MULTISTACK_ACCOUNT_ID: {account!r} is no account id: 12 digits")
    enforced = environ.get("MULTISTACK_ENFORCE_IAM", "").lower()
    if enforced not in _TRUTHS:
        raise ValueError(f"MULTISTACK_ENFORCE_IAM: {enforced!r} is neither true nor false")
    concurrency = environ.get("MULTISTACK_LAMBDA_CONCURRENCY", "")
    if concurrency and not re.fullmatch("[1-9][0-9]{0,3}", concurrency):
        raise ValueError(f"MULTISTACK_LAMBDA_CONCURRENCY: {concurrency!r} is no number of calls from 1 to 9999")
    return Told(
        environment=Environment(
            name=environ.get("MULTISTACK_ENVIRONMENT", "environment"),
            driver=DriverName.EMBEDDED,
            account_id=account,
            region=environ.get("MULTISTACK_REGION", "us-east-1"),
            enforce_iam=_TRUTHS[enforced],
            lambda_concurrency=int(concurrency) if concurrency else None,
        ),
        folder=Path(environ.get("MULTISTACK_STATE", FOLDER)),
        key=_key_in(environ),
    )


def _key_in(environ: Mapping[str, str]) -> str:
    # One that was named and is empty, or not there, must not mean that everybody may come in.
    if "MULTISTACK_KEY" in environ:
        return _needed(environ["MULTISTACK_KEY"], "MULTISTACK_KEY")
    if "MULTISTACK_KEY_FILE" in environ:
        file = Path(_needed(environ["MULTISTACK_KEY_FILE"], "MULTISTACK_KEY_FILE"))
        return _needed(file.read_text(), f"MULTISTACK_KEY_FILE: {file}")
    file = Path(KEY_FILE)
    return _needed(file.read_text(), KEY_FILE) if file.exists() else ""


def _needed(value: str, name: str) -> str:
    if not value.strip():
        raise ValueError(f"{name} is empty; leave it out if no key is to be asked for")
    return value.strip()


def _read_variables(path: Path) -> dict[str, str]:
    lines = path.read_text().splitlines() if path.exists() else []
    return {name: value for name, found, value in (line.partition("=") for line in lines) if found}


def main() -> None:
    """Become the emulator."""
    environ = dict(os.environ)
    try:
        told = read({**_read_variables(Path(VARIABLES)), **environ})
        _become(told, path=environ.get("PATH", ""))
    except ValueError as error:
        _end(str(error), 2)
    except OSError as error:
        _end(f"can't start: {error}", 3)


def _become(told: Told, *, path: str) -> NoReturn:
    folder, environment = told.folder, told.environment
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder / "lock", os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _end(f"another emulator has its state in {folder}", 3)
    shutil.rmtree(folder / embedded_environ.TEMPORARY, ignore_errors=True)
    (folder / embedded_environ.HOME).mkdir(mode=0o700, parents=True)
    listener = socket.create_server(("0.0.0.0", PORT_INSIDE), backlog=256)  # noqa: S104 (that is what it is for)
    reader, writer = os.pipe()
    os.write(writer, told.key.encode())
    os.close(writer)
    for one in (lock, listener.fileno(), reader):
        os.set_inheritable(one, True)
    settings = {"account_id": environment.account_id, "region": environment.region, **environment.settings}
    arguments = [
        f"--folder={folder}",
        f"--port={PORT_INSIDE}",
        f"--listen-fd={listener.fileno()}",
        f"--key-fd={reader}",
    ]
    variables = {**embedded_environ.of(environment, folder, port=PORT_INSIDE, path=path), LABEL: str(folder)}
    os.chdir(folder)
    python = [sys.executable, "-X", "no_debug_ranges", "-m", "emulator.drivers.launcher"]
    os.execve(  # noqa: S606 (there is no shell in it)
        sys.executable, [*python, *arguments, f"--settings={json.dumps(settings)}"], variables
    )


def _end(message: str, status: int) -> NoReturn:
    sys.stderr.write(f"error: {message}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
