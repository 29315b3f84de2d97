"""Environments that a cluster runs: whether each is where its route says, and has its release. Without Docker."""

from __future__ import annotations

import enum
import http.client
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from emulator.addresses import origin_of, refuse_foreign
from emulator.artifact import bucket_of
from emulator.endpoint_key import headers_of
from emulator.model import CLUSTERS, Route
from emulator.proxy.problems import Problem
from emulator.proxy.resolve import not_ready

# Others' emulators are processes and containers of one machine: nobody starts those elsewhere, or again.
MOVABLE = frozenset(driver.value for driver in CLUSTERS)
# Seconds for an emulator to accept a connection, and to answer.
_PATIENCE = 2.0
_WIDTH = 16
_RETRY_AFTER = 5


class Sight(enum.Enum):
    """What a look at an environment tells."""

    THERE = "there"
    AWAY = "away"
    EMPTY = "empty"


_DETAILS = {
    Sight.AWAY: "does not answer where it was; the proxy asks its cluster where it runs now",
    Sight.EMPTY: "was started without its state; its release is being deployed again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """
    An environment that isn't as its route says.

    Attributes:
        route: As it was published when that was seen.
        looks: How many in a row found it so.
    """

    route: Route
    sight: Sight
    looks: int = 1


def away(route: Route, sight: Sight = Sight.AWAY) -> Problem:
    """503: the environment is on its way."""
    problem = not_ready(route, f"environment {route.environment} {_DETAILS[sight]}", kind="away")
    problem.headers.append(("Retry-After", str(_RETRY_AFTER)))
    return problem


class Whereabouts:
    """
    What the last looks told; requests ask it, and wait for none.

    But for the first ones after somebody published anew what was seen to be lost: a command may have brought it back.

    Args:
        see: Looks at an environment that runs; None where that tells nothing.
    """

    def __init__(self, see: Callable[[Route], Sight | None]) -> None:
        self._see = see
        self._lock = threading.Lock()
        self._lost: Mapping[str, Lost] = {}
        self._pool: ThreadPoolExecutor | None = None

    def check(self, route: Route) -> None:
        """
        Look up whether *route* leads to its environment, as far as is known.

        Raises:
            Problem: 503, it doesn't.
        """
        lost = self._known(route)
        if lost is not None and lost.route is not route:
            lost = self._look_anew(route)
        if lost is not None:
            raise away(route, lost.sight)

    def _known(self, route: Route) -> Lost | None:
        """What was seen of it where it is now."""
        lost = self._lost.get(route.environment)
        return lost if lost is not None and lost.route.url == route.url else None

    def _look_anew(self, route: Route) -> Lost | None:
        is_there = self._see(route) is Sight.THERE
        with self._lock:
            lost = self._known(route)
            if lost is not None:
                self._lost = {name: one for name, one in self._lost.items() if name != route.environment}
            if lost is None or is_there:
                return None
            lost = replace(lost, route=route)
            self._lost = {**self._lost, route.environment: lost}
            return lost

    def look(self, routes: Iterable[Route]) -> Mapping[str, Lost]:
        """
        Look at all of *routes*.

        Returns:
            Those that aren't as they should be, by their environment.
        """
        movable = [route for route in routes if route.driver in MOVABLE and route.url is not None]
        seen = dict(zip((route.environment for route in movable), self._see_all(movable), strict=True))
        with self._lock:
            before = self._lost
            lost = {
                route.environment: one
                for route in movable
                if (one := _judge(route, seen[route.environment], before.get(route.environment)))
            }
            self._lost = lost
        return lost

    def look_again(self, routes: Iterable[Route]) -> None:
        """Forget those of *routes* that are as they should be, before the next look at all."""
        for route in routes:
            if route.environment in self._lost and (route.url is None or self._see(route) is Sight.THERE):
                with self._lock:
                    self._lost = {name: one for name, one in self._lost.items() if name != route.environment}

    def _see_all(self, routes: list[Route]) -> list[Sight | None]:
        if not routes:
            return []
        self._pool = self._pool or ThreadPoolExecutor(_WIDTH, thread_name_prefix="whereabouts")
        return list(self._pool.map(self._see, routes))


def _judge(route: Route, sight: Sight | None, before: Lost | None) -> Lost | None:
    same = before if before is not None and before.route.url == route.url else None
    if sight is None:  # a busy one may be late with its answer: what was known before holds
        return replace(same, route=route) if same else None
    if sight is Sight.THERE:
        return None
    return Lost(route=route, sight=sight, looks=same.looks + 1 if same else 1)


def seeing(*, allow_remote: bool) -> Callable[[Route], Sight | None]:
    """
    Looks at environments by asking for the bucket of their artifacts, which shares the fate of their state.

    Args:
        allow_remote: See :func:`emulator.addresses.refuse_foreign`.
    """

    def see(route: Route) -> Sight | None:
        url = route.url or ""
        try:
            if refuse_foreign(url, allow_remote=allow_remote):
                return Sight.AWAY
        except OSError:  # a service of a cluster has a name only while it is there
            return Sight.AWAY
        origin = origin_of(url)
        kind = http.client.HTTPSConnection if origin.scheme == "https" else http.client.HTTPConnection
        connection = kind(origin.host, origin.port, timeout=_PATIENCE)
        try:
            connection.connect()
        except OSError:
            return Sight.AWAY
        try:
            connection.request("HEAD", f"/{bucket_of(route.region)}", headers=_signed(route, "s3"))
            response = connection.getresponse()
            response.read()
            sight = _sight_of(response.status, is_deployed=route.digest is not None)
            # Whoever may use the environment may remove that bucket: its state is gone only if its stacks are, too.
            return Sight.THERE if sight is Sight.EMPTY and _has_stacks(connection, route) else sight
        except TimeoutError:
            return None
        except (OSError, http.client.HTTPException):
            return Sight.AWAY
        finally:
            connection.close()

    return see


def _sight_of(status: int, *, is_deployed: bool) -> Sight | None:
    if status == http.HTTPStatus.FORBIDDEN:  # another environment's emulator, whose key is another one
        return Sight.AWAY
    if status == http.HTTPStatus.NOT_FOUND:
        return Sight.EMPTY if is_deployed else Sight.THERE
    return Sight.THERE if status == http.HTTPStatus.OK else None


def _has_stacks(connection: http.client.HTTPConnection, route: Route) -> bool:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = "Action=DescribeStacks&Version=2010-05-15"
    connection.request("POST", "/", body=body, headers={**form, **_signed(route, "cloudformation")})
    response = connection.getresponse()
    return response.status == http.HTTPStatus.OK and b"<StackName>" in response.read()


def _signed(route: Route, service: str) -> dict[str, str]:
    """As much of a signature as tells the account; no emulator checks more."""
    scope = f"{route.account_id}/20260101/{route.region}/{service}/aws4_request"
    signature = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
    return {"Authorization": signature, **headers_of(route.key)}
