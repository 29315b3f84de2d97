"""A PostgreSQL of our own: Debian's, in a temporary folder, on a socket there and a free port."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

# Debian keeps its programs out of the path.
_PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True)
_CONFIG = """
listen_addresses = '127.0.0.1'
unix_socket_directories = '{folder}'
port = {port}
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 16MB
max_connections = 60
"""
_LOCALE = ("--no-instructions", "-E", "UTF8", "--locale=C")
_PATIENCE = 60.0


def _program(name: str) -> str | None:
    return next((str(path / name) for path in _PLACES if (path / name).exists()), None) or shutil.which(name)


@dataclass
class Postgres:
    """A server that tests start and stop as they like."""

    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = None
    _databases: int = field(default=0)

    def as_owner(self, command: Sequence[str]) -> list[str]:
        """It doesn't run as root, and ends with whoever started it, however that ends."""
        user = ("--reuid=postgres", "--regid=postgres", "--init-groups") if os.getuid() == 0 else ()
        return ["setpriv", *user, "--pdeathsig=INT", "--", *command]

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.as_owner([str(_program("postgres")), "-D", str(self.folder / "data")]),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        until = time.monotonic() + _PATIENCE
        while subprocess.run(self._psql("SELECT 1"), capture_output=True, check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"PostgreSQL does not start: {(self.folder / 'log').read_text()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End it at once, with all connections; what was committed stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_PATIENCE)
            self._process = None

    def start_again(self) -> None:
        """Start it unless it runs."""
        if self._process is None:
            self.start()

    def database(self) -> str:
        """The URL of a new, empty database."""
        self._databases += 1
        name = f"store{self._databases}"
        self.query(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        """Where database *name* is."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def query(self, sql: str, *, url: str | None = None) -> list[str]:
        """What *sql* answers, a line for each row."""
        done = subprocess.run(self._psql(sql, url), capture_output=True, text=True, check=False, timeout=_PATIENCE)
        if done.returncode:
            pytest.fail(f"{sql}: {done.stderr}")
        return done.stdout.splitlines()

    def refused(self, sql: str, *, url: str) -> str:
        """Why *sql* is refused."""
        done = subprocess.run(self._psql(sql, url), capture_output=True, text=True, check=False, timeout=_PATIENCE)
        assert done.returncode, f"{sql} is not refused"
        return done.stderr

    def _psql(self, sql: str, url: str | None = None) -> list[str]:
        return [str(_program("psql")), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, url or self.url("postgres")]


def missing() -> str | None:
    """Why there is no PostgreSQL here; None when there is."""
    lacking = [name for name in ("initdb", "postgres", "psql", "setpriv") if _program(name) is None]
    return (
        f"PostgreSQL is not installed here: no {', '.join(lacking)} (apt-get install postgresql)" if lacking else None
    )


def lasting_port() -> int:
    """A free one that nobody is given who asks for any, nor takes as the usual one of a proxy: it is used again."""
    while True:
        port = secrets.choice(range(12000, 20000))
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def run_postgres() -> Iterator[Postgres]:
    """One server, and nothing of it left."""
    # Paths of sockets are short.
    folder = Path(tempfile.mkdtemp(prefix="mspg", dir="/tmp"))
    try:
        server = Postgres(folder, lasting_port())
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        made = subprocess.run(
            server.as_owner(
                [
                    str(_program("initdb")),
                    "-D",
                    str(folder / "data"),
                    *["-U", "postgres", "-A", "trust", "--no-sync"],
                    *_LOCALE,
                ]
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            pytest.fail(f"initdb: {made.stderr}")
        with (folder / "data/postgresql.conf").open("a") as config:
            config.write(_CONFIG.format(folder=folder, port=server.port))
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server that all tests share; each takes a database of its own, and whoever stops it starts it again."""
    if reason := missing():
        pytest.skip(reason)
    yield from run_postgres()


@pytest.fixture
def stoppable_postgres(postgres: Postgres) -> Iterator[Postgres]:
    """The server, for a test that stops it: it runs again afterwards, whatever became of the test."""
    yield postgres
    postgres.start_again()


@pytest.fixture
def store_url(postgres: Postgres) -> str:
    """A new, empty database."""
    return postgres.database()
