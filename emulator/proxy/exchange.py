"""One request on a client's connection: read strictly, and answered whole or visibly not."""

from __future__ import annotations

import logging
import re
import socket
import struct
import time
import urllib.parse
from typing import Any

from cheroot import server

from emulator.proxy.problems import CONTENT_TYPE, plain_problem
from emulator.proxy.wire import BrokenAnswerError, RequestBody

_LINGER = 2.0
_BLOCK = 64 * 1024
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_REQUEST_LINE = re.compile(rb"(" + _TOKEN.pattern + rb") ([\x21\x22\x24-\x7e\x80-\xff]+) HTTP/([0-9]\.[0-9])\r\n")
_FORBIDDEN = re.compile(rb"[\r\n\0]")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

_log = logging.getLogger(__name__)


class Request(server.HTTPRequest):
    """
    One request, read strictly.

    cheroot keeps only the last of several equal headers, forgives what opens the door to request smuggling (spaces
    around names, folded lines, ``Content-Length: +5``, two framings at once), and sends 100-continue before anyone
    has looked at the request.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.lines: list[tuple[str, str]] = []
        self.header_reader = self._read_headers
        self._expects_invitation = False
        self._body: RequestBody | None = None

    def read_request_line(self) -> bool:
        """
        Read the request line, and keep its target as it is.

        cheroot parses it as a URL: it refuses bytes beyond ASCII, takes ``//a`` for a host, lets some errors escape.
        """
        line = self.rfile.readline()
        self.started_request = True
        if line == b"\r\n":
            line = self.rfile.readline()  # RFC 9112, 2.2: one empty line is forgiven
        if not line:
            return False
        match = _REQUEST_LINE.fullmatch(line)
        if match is None:
            self.simple_response("400 Bad Request", "the request line is malformed")
            return False
        self.method, self.uri, version = match.groups()
        if not version.startswith(b"1."):
            self.simple_response("505 HTTP Version Not Supported", "this server speaks HTTP/1.1")
            return False
        path, _, self.qs = self.uri.partition(b"?")
        self.path = urllib.parse.unquote_to_bytes(path)
        self.request_protocol = b"HTTP/" + version
        self.response_protocol = "HTTP/1.0" if version == b"1.0" else "HTTP/1.1"
        return True

    def respond(self) -> None:
        """Call the application and complete its answer, or make plain that it is incomplete."""
        length = None if self.chunked_read else int(self.inheaders.get(b"Content-Length", 0))
        invite = self._invite if self._expects_invitation else None
        self.rfile = self._body = RequestBody(self.conn.rfile, length=length, invite=invite)
        try:
            self.server.gateway(self).respond()
            if self.chunked_write:
                self.conn.wfile.write(b"0\r\n\r\n")
            self.conn.wfile.flush()
        except BrokenAnswerError as error:
            _log.warning("%s", error)
            self._break_off()
        else:
            if not self._body.is_finished:
                self._linger()

    def send_headers(self) -> None:
        """Send the headers; a body that nobody read makes this the connection's last answer."""
        if self._body is None or not self._body.is_finished:
            self.close_connection = True
        super().send_headers()

    def simple_response(self, status: str, msg: str = "") -> None:
        """Say what cheroot itself has to say, as a problem like any other."""
        if str(status).startswith("413"):
            status = "431"  # cheroot's only limit is on headers; the body's is the proxy's
        problem = plain_problem(int(str(status)[:3]), msg or str(status))
        content = problem.to_json(instance=None)
        self.close_connection = self.sent_headers = True
        head = (
            f"HTTP/1.1 {problem.status_line}\r\nContent-Type: {CONTENT_TYPE}\r\n"
            f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        )
        self.conn.wfile.write(head.encode() + content)
        self.conn.wfile.flush()

    def _read_headers(self, rfile: Any, known: dict[bytes, bytes]) -> None:
        while (line := rfile.readline()) != b"\r\n":
            name, colon, value = line.partition(b":")
            value = value.removesuffix(b"\r\n").strip(b" \t")
            if not (line.endswith(b"\r\n") and colon and _TOKEN.fullmatch(name)) or _FORBIDDEN.search(value):
                raise ValueError("a header line is malformed")
            key = name.title()
            if b"_" in key:
                pass  # goes on as it is; a WSGI environ has one key for `X-A` and `X_A`, and takes it for the other
            elif key in known:
                value_so_far = known[key]
                if key == b"Host" or (key == b"Content-Length" and value != value_so_far):
                    raise ValueError(f"the request has several {key.decode()} headers")
                if key != b"Content-Length":
                    known[key] = value_so_far + (b"; " if key == b"Cookie" else b", ") + value
            else:
                known[key] = value
            self.lines.append((name.decode("latin-1"), value.decode("latin-1")))
        self._check_framing(known)

    def _check_framing(self, known: dict[bytes, bytes]) -> None:
        length, encoding = known.get(b"Content-Length"), known.get(b"Transfer-Encoding")
        if length is not None and not (length.isdigit() and len(length) < 19):
            raise ValueError("Content-Length is no number of bytes")
        if encoding is not None and (length is not None or self.response_protocol != "HTTP/1.1"):
            raise ValueError("the request's body is framed in two ways, or in one that its HTTP version doesn't have")
        if encoding is not None and encoding.lower().split(b",").count(b"chunked") > 1:
            raise ValueError("the request's body is chunked twice")
        if b"Connection" in known:
            # cheroot compares the whole value, and its case.
            options = {option.strip().lower() for option in known[b"Connection"].split(b",")}
            keeps = b"Keep-Alive" if b"keep-alive" in options else b""
            known[b"Connection"] = b"close" if b"close" in options else keeps
        # Kept from cheroot, which would invite the body of a request that is about to be refused.
        expectation = known.pop(b"Expect", b"").lower()
        self._expects_invitation = expectation == b"100-continue" and self.response_protocol == "HTTP/1.1"

    def _invite(self) -> None:
        self.conn.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.conn.wfile.flush()

    def _break_off(self) -> None:
        self.close_connection = True
        self.conn.wfile.flush()
        if not self.chunked_write and not any(name.lower() == b"content-length" for name, _ in self.outheaders):
            # HTTP/1.0: an orderly end would pass for the end of the body.
            self.conn.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.conn.resets = True

    def _linger(self) -> None:
        """Take a while what the client still sends: closing at once would reset the answer it hasn't read yet."""
        deadline = time.monotonic() + _LINGER
        try:
            self.conn.socket.shutdown(socket.SHUT_WR)
            self.conn.socket.settimeout(_LINGER)
            while time.monotonic() < deadline and self.conn.socket.recv(_BLOCK):
                pass
        except OSError:
            return  # it went away: that ends the wait as well
