"""
An AWS account with nothing in it, for tools that look things up while they package: they find their account, no values.

So ``${aws:accountId}`` is the environment's account, and a look-up with a default gets that, as on a new account.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

_STS = "https://sts.amazonaws.com/doc/2011-06-15/"
_MOST = 1024 * 1024


@contextlib.contextmanager
def empty_account(account_id: str) -> Iterator[Mapping[str, str]]:
    """
    Answer on a port of this machine while the block runs.

    Returns:
        The variables that lead an SDK there; one that doesn't know ``AWS_ENDPOINT_URL`` must not be given them.
    """

    class Handler(_Handler):
        account = account_id

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
                "AWS_ACCESS_KEY_ID": account_id,
                "AWS_SECRET_ACCESS_KEY": "multistack",
            }
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    """Tells protocols apart: JSON by its header, the query protocol by its body; what is left is S3."""

    account = ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._say(404, "<Error><Code>NoSuchKey</Code><Message>nothing is here</Message></Error>")

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), _MOST))
        target = self.headers.get("X-Amz-Target")
        if target is not None:
            kind = "ParameterNotFound" if target.startswith("AmazonSSM.") else "ResourceNotFoundException"
            self._say(400, json.dumps({"__type": kind, "message": "nothing is here"}))
            return
        asked = parse_qs(body.decode(errors="replace"))
        action = asked.get("Action", [""])[0]
        if action == "GetCallerIdentity":
            arn = f"arn:aws:iam::{self.account}:root"
            result = f"<Arn>{arn}</Arn><UserId>{self.account}</UserId><Account>{self.account}</Account>"
            self._say(
                200, f'<{action}Response xmlns="{_STS}"><{action}Result>{result}</{action}Result></{action}Response>'
            )
            return
        message = f"Stack with id {asked.get('StackName', [''])[0]} does not exist"
        error = f"<Error><Type>Sender</Type><Code>ValidationError</Code><Message>{message}</Message></Error>"
        self._say(400, f"<ErrorResponse>{error}<RequestId>0</RequestId></ErrorResponse>")

    def _say(self, status: int, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1" if text.startswith("{") else "text/xml")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """What a tool asks is its own affair."""
