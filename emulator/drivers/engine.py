"""The Docker engine: where it is, whether it may be used, and its errors in our words."""

from __future__ import annotations

import contextlib
import functools
import re
import socket
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from emulator.addresses import is_loopback
from emulator.errors import NotReady

if TYPE_CHECKING:
    from docker import DockerClient

_DEFAULT_SOCKET = "/var/run/docker.sock"
# Seconds for one answer of the engine; making a container on a busy disk takes some.
TIMEOUT = 60
# For its first one, to who it is: an engine that hangs is told from a busy one.
_PATIENCE = 10
# That of engine 20.10, which Debian 12 has. Source: Docker Engine API version history.
OLDEST_API = (1, 41)
# Else every thread of a command would make a client of its own.
_connecting = threading.Lock()
# Engines that took long to say nothing, when that was, and what to say of them: nobody waits for one twice in a row.
_hanging: dict[str, tuple[float, NotReady]] = {}
VARIABLES = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONTEXT")
_INSTALL = 'install and start Docker (Debian: `apt-get install docker.io`), or use `driver = "embedded"`'


class NoAnswer(NotReady):
    """Nobody is at the engine's address; where it managed a swarm, another manager may answer."""


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Those of *environ* that lead another process to the same engine."""
    folder = environ.get("DOCKER_CONFIG") or str(Path(environ.get("HOME", "/")) / ".docker")
    return {name: environ[name] for name in VARIABLES if environ.get(name)} | {"DOCKER_CONFIG": folder}


def address(environ: Mapping[str, str]) -> str:
    """The engine's address as the ``docker`` command finds it: DOCKER_HOST, then its context, then the socket."""
    return str(_connection(environ)["base_url"])


def _connection(environ: Mapping[str, str]) -> dict[str, Any]:
    from docker.context import ContextAPI
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    given = {name: environ[name] for name in VARIABLES if environ.get(name)}
    try:
        # An empty mapping would make the SDK look at the process's own variables.
        found = kwargs_from_env({"DOCKER_TLS_VERIFY": "", **given})
        if "base_url" not in found:
            found |= ContextAPI.kwargs_from_context(environment=given)
    except (DockerException, OSError, ValueError, AttributeError) as error:
        raise NotReady(f"the Docker settings can't be read: {error}", hint="see `docker context ls`") from error
    return {"base_url": f"unix://{_DEFAULT_SOCKET}", **found}


def connect(environ: Mapping[str, str], *, allow_remote: bool, timeout: int = TIMEOUT) -> DockerClient:
    """
    A client of the engine that answers.

    Args:
        environ: The caller's variables: DOCKER_HOST and the like.
        timeout: Seconds in which it has to say something.

    Raises:
        NotReady: It doesn't answer, may not be used, is too old, or is on another machine without *allow_remote*.
    """
    wanted = _connection(environ)
    where = str(wanted["base_url"])
    if not allow_remote:
        refuse_remote(where)
    if fault := _socket_fault(where):
        raise fault
    options = tuple(sorted((key, value) for key, value in wanted.items() if key != "base_url"))
    with _connecting:
        at, known = _hanging.get(where, (0.0, None))
        if known is not None and time.monotonic() - at < _PATIENCE:
            raise known
        began = time.monotonic()
        try:
            return _connected(where, options, timeout)
        except NotReady as error:
            if time.monotonic() - began >= 1:
                _hanging[where] = (time.monotonic(), error)
            raise


@functools.lru_cache(maxsize=4)
def _connected(where: str, options: tuple[tuple[str, Any], ...], timeout: int) -> DockerClient:
    """One client for all threads of a command: its pool of connections is safe to share."""
    from docker import DockerClient
    from docker.errors import DockerException

    try:
        first = min(timeout, _PATIENCE)
        client = DockerClient(base_url=where, timeout=first, max_pool_size=16, version="auto", **dict(options))
        version = client.api.api_version
        client.api.timeout = timeout
    except (DockerException, OSError, ValueError) as error:
        raise _unreachable(where, error) from error
    refuse_old(where, version)
    return client


def refuse_old(where: str, version: str) -> None:
    """
    Raise unless an engine that speaks API *version*, e.g. ``1.41``, is new enough.

    Raises:
        NotReady: It is older than :data:`OLDEST_API`.
    """
    if tuple(int(part) for part in version.split(".")) < OLDEST_API:
        oldest = ".".join(map(str, OLDEST_API))
        raise NotReady(
            f"the Docker engine at {where} speaks API {version}, multistack needs {oldest}",
            hint="update Docker to 20.10 or later",
        )


def refuse_remote(where: str) -> None:
    """
    Raise unless the engine at the address *where* is on this machine.

    Raises:
        NotReady: It is elsewhere, or the address is none.
    """
    scheme, _, rest = where.partition("://")
    if scheme in ("unix", "npipe", "http+unix") and rest:
        return
    try:
        host = urlsplit(where).hostname or ""
    except ValueError:
        host = ""
    if not host:
        raise NotReady(f"DOCKER_HOST: {where!r} is no address of an engine", hint="e.g. unix:///var/run/docker.sock")
    if scheme == "ssh" or not is_loopback(host):
        raise NotReady(
            f"the Docker engine at {where} is on another machine: environments would run there",
            hint="unset DOCKER_HOST, or allow it with `--allow-remote` or `allow_remote = true`",
        )


def _socket_fault(where: str) -> NotReady | None:
    """What is wrong with the socket at *where* before the SDK tries to connect, which would leave one open."""
    if "unix:" not in where:
        return None
    path = Path(re.sub(r"^(http\+)?unix:/*", "/", where))
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            return NoAnswer(f"no Docker engine: {path} is no socket", hint="set DOCKER_HOST to the engine's socket")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_PATIENCE)
            probe.connect(str(path))
    except PermissionError:
        return _forbidden(where)
    except FileNotFoundError:
        return NoAnswer(f"no Docker engine: there is no socket {path}", hint=_INSTALL)
    except OSError as error:
        return _unreachable(where, error)
    return None


def _unreachable(where: str, error: Exception) -> NotReady:
    """Why the engine at *where* can't be reached, and what to do."""
    said = str(error)
    if "Permission denied" in said or "PermissionError" in said:
        return _forbidden(where)
    return NoAnswer(f"no Docker engine answers at {where}", hint=_INSTALL)


def _forbidden(where: str) -> NotReady:
    return NotReady(
        f"no permission to use the Docker engine at {where}",
        hint="join the group docker (`sudo usermod -aG docker $USER`, then log in again), or use rootless Docker",
    )


@contextlib.contextmanager
def talking(what: str) -> Iterator[None]:
    """
    For as long as the engine is asked for something; *what* it is about begins the message.

    Raises:
        NotReady: The engine refuses, fails, or went away.
    """
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except APIError as error:
        said = str(error.explanation or error).strip().rstrip(".")
        if is_leaderless(said):
            raise NotReady(f"{what}: {LEADERLESS}", hint=FIND_LEADER) from error
        raise NotReady(f"{what}: the Docker engine says: {said}", hint=_hint(said)) from error
    # Not any OSError: a file of this machine that can't be read is no fault of the engine.
    except (DockerException, RequestException, HTTPError, ConnectionError, TimeoutError) as error:
        raise NoAnswer(f"{what}: the Docker engine no longer answers", hint="start it, then run this again") from error


LEADERLESS = "the swarm has no leader, and decides nothing"
FIND_LEADER = (
    "run this again in some seconds, or start its other managers: more than half must be up; "
    "where those are lost for good: `docker swarm init --force-new-cluster`"
)


def is_leaderless(said: str) -> bool:
    """
    Whether an engine's message means that too few managers of its swarm are up, or that they are about to choose one.

    Source:
        moby 20.10, ``daemon/cluster/cluster.go``; swarmkit waits for a leader until Docker's own time is over.
    """
    return "does not have a leader" in said or "code = DeadlineExceeded" in said


def _hint(said: str) -> str | None:
    """What to do about the engine's message *said*."""
    if "no space left on device" in said:
        return "free some space, e.g. with `docker system prune`, then run the same command again"
    if "container-init binary not found" in said:
        return "Podman needs catatonit: `apt-get install catatonit`"
    if "already allocated" in said or "address already in use" in said:
        return "stop the program that has the port, or set another one"
    return None
