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
# Seconds to wait for one answer, and for the first one that is a refusal.
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
        # Until then functions still start, and there is room for everybody.
        self._refused = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Type the load test's command; when this returns, some calls were refused, or a while has passed."""
        self._operator.does(f"hey -c {self._callers} -z 10m {self._place.api_url}{PATH}", self._start)

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
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(self._callers)]
        for thread in self._threads:
            thread.start()
        is_full = self._refused.wait(_PATIENCE)
        self._operator.doubt("no call of the load test was refused, so it used up nothing", when=not is_full)

    def _ask(self) -> None:
        connection = connection_to(self._place.endpoint.url, timeout=_PATIENCE)
        try:
            while not self._ended.is_set():
                self._ask_once(connection, f"{self._place.api_path}{PATH}")
        finally:
            connection.close()

    def _ask_once(self, connection: http.client.HTTPConnection, path: str) -> None:
        """Whatever the answer is; one that is refused at once is asked for again after a moment, as clients do."""
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                self._refused.set()
                self._ended.wait(0.05)
        except (OSError, http.client.HTTPException):
            connection.close()
            self._ended.wait(0.05)
