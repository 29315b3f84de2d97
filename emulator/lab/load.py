"""A load test that somebody runs against an environment, for as long as a mistake is in force."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator

from emulator.endpoint import connection_to
from emulator.lab.operator import Operator
from emulator.lab.topologies import Place

PATH = "/health"
# Seconds to wait for one answer, and for the first answers of all callers.
_PATIENCE = 10.0


@contextlib.contextmanager
def prepared_load(operator: Operator, place: Place, *, callers: int) -> Iterator[Load]:
    """A load on an environment, to be started by the mistake; it has ended when this is left."""
    load = Load(operator, place, callers=callers)
    try:
        yield load
    finally:
        load.stop()


class Load:
    """
    Callers that ask an environment without a pause.

    Args:
        callers: How many ask at the same time.
    """

    def __init__(self, operator: Operator, place: Place, *, callers: int) -> None:
        self._operator = operator
        self._place = place
        self._callers = callers
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Type the load test's command; the callers have begun when this returns."""
        self._operator.does(f"hey -c {self._callers} -z 10m {url_of(self._place)}{PATH}", self._start)

    def end(self) -> None:
        """Interrupt the load test."""
        self._operator.does("^C  # ends the load test", self.stop)

    def stop(self) -> None:
        """Return once no caller asks any more."""
        self._ended.set()
        for thread in self._threads:
            thread.join(_PATIENCE)
        self._threads.clear()

    def _start(self) -> None:
        begun = threading.Barrier(self._callers + 1)
        self._threads = [threading.Thread(target=self._ask, args=(begun,), daemon=True) for _ in range(self._callers)]
        for thread in self._threads:
            thread.start()
        begun.wait(_PATIENCE)

    def _ask(self, begun: threading.Barrier) -> None:
        connection = connection_to(self._place.endpoint.url, timeout=_PATIENCE)
        path = f"{path_of(self._place)}{PATH}"
        begun.wait(_PATIENCE)
        try:
            while not self._ended.is_set():
                self._ask_once(connection, path)
        finally:
            connection.close()

    def _ask_once(self, connection: http.client.HTTPConnection, path: str) -> None:
        """Whatever the answer is; one that is refused at once is asked for again after a moment, as clients do."""
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                self._ended.wait(0.01)
        except (OSError, http.client.HTTPException):
            connection.close()
            self._ended.wait(0.05)


def url_of(place: Place) -> str:
    """Where an environment's API answers at its emulator, with no proxy between."""
    return f"{place.endpoint.url}{path_of(place)}"


def path_of(place: Place) -> str:
    return f"/_aws/execute-api/{place.api}/{place.stage}"
