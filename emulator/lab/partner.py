"""A third party that the shop depends on: it counts the calls of every key, and refuses those over a quota."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

from emulator.lab.code import Package

KEY = "key-of-the-shop"
QUOTA = 500
VARIABLE = "PARTNER_URL"
# Seconds to wait for one answer.
_PATIENCE = 10.0
# Asks the partner for every order that is read.
DEPENDENT = Package(
    "v9, asks a partner",
    (
        (
            "app.py",
            "    return Answer(200, shop.orders.get(_path_id(event)))\n",
            "    ask_partner()\n    return Answer(200, shop.orders.get(_path_id(event)))\n\n\n"
            "def ask_partner() -> None:\n"
            "    import urllib.request\n\n"
            f'    request = urllib.request.Request(os.environ["{VARIABLE}"], headers={{"X-Api-Key": "{KEY}"}})\n'
            "    urllib.request.urlopen(request, timeout=2).close()\n",
        ),
    ),
)


class Partner:
    """
    The third party, on a free port of 127.0.0.1.

    Attributes:
        url: Where it answers.
    """

    def __init__(self) -> None:
        self._calls: dict[str, int] = {}
        self._lock = threading.Lock()
        partner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.send_response(200 if partner.admits(self.headers.get("X-Api-Key", "")) else 429)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                """Nothing: whoever asks is told."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """For as long as it is there."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def admits(self, key: str) -> bool:
        """Count one call."""
        with self._lock:
            self._calls[key] = self._calls.get(key, 0) + 1
            return self._calls[key] <= QUOTA

    def renew(self) -> None:
        """The next day."""
        with self._lock:
            self._calls.clear()


def use_up(url: str, key: str) -> None:
    """Call the partner as often as its quota allows in all: whatever was called before, nothing is left."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=_PATIENCE)
    try:
        for _ in range(QUOTA):
            connection.request("GET", parts.path, headers={"X-Api-Key": key})
            connection.getresponse().read()
    finally:
        connection.close()
