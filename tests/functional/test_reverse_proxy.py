"""The proxy behind Caddy, with the configuration that is shipped: who asked is known, and nobody passes for another."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emulator.model import STATE_FOLDER, Space
from emulator.process import read_record
from emulator.routes import ROUTES_FILE, load_routes, publish_routes
from emulator.space_list import home_of, write_spaces
from emulator.space_tokens import join_url, keep_key
from tests.conftest import REPOSITORY
from tests.functional.raw_proxy import Proxy, Upstream, echo, start_proxy, wait_until

CADDY = shutil.which("caddy")
pytestmark = pytest.mark.skipif(CADDY is None, reason="Caddy is not installed (apt-get install caddy)")
DOMAIN = "lab.example.org"
PASSWORD = "correct-horse-7"
GIVEN = {"X-Multistack-Password": PASSWORD}


@dataclass
class Front:
    """Caddy with certificates of its own authority, in front of a proxy with the space alice."""

    proxy: Proxy
    upstream: Upstream
    state: Path
    https: int
    http: int
    root: Path

    def ask(
        self,
        target: str,
        *,
        method: str = "GET",
        name: str = DOMAIN,
        client: str = "127.0.0.2",
        headers: dict[str, str] | None = None,
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """One request by HTTPS."""
        context = ssl.create_default_context(cafile=str(self.root))
        raw = socket.create_connection(("127.0.0.1", self.https), timeout=60, source_address=(client, 0))
        with contextlib.closing(http.client.HTTPConnection(f"{name}:{self.https}")) as connection:
            connection.sock = context.wrap_socket(raw, server_hostname=name)
            connection.request(method, target, headers=headers or {})
            response = connection.getresponse()
            return response, response.read()

    def status(self, target: str, **options: object) -> int:
        """Of the answer."""
        return self.ask(target, **options)[0].status  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """For all tests of this module: each uses addresses of its own where wrong passwords count."""
    folder = tmp_path_factory.mktemp("front")
    state = folder / STATE_FOLDER
    state.mkdir()
    write_spaces(state, {"alice": Space(name="alice", number=1, at=datetime.now(UTC))})
    keep_key(state)
    (folder / "password").write_text(f"{PASSWORD}\n")
    more = ("--domains", DOMAIN, "--trusted", "127.0.0.1", "--password-file", str(folder / "password"))
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(contextlib.closing(Upstream(echo)))
        proxy = stack.enter_context(start_proxy(state, *more))
        wait_until(lambda: read_record(proxy.log.parent) is not None, timeout=60)
        proxy.publish(upstream.url)
        inside = home_of(state, "alice") / STATE_FOLDER
        inside.mkdir(parents=True)
        publish_routes(inside / ROUTES_FILE, list(load_routes(proxy.routes).values()))
        yield stack.enter_context(_caddy(folder / "caddy", proxy, upstream, state))


@contextlib.contextmanager
def _caddy(folder: Path, proxy: Proxy, upstream: Upstream, state: Path) -> Iterator[Front]:
    """Whoever takes one of its ports meanwhile makes it end: then it gets others."""
    folder.mkdir()
    for _ in range(5):
        front = Front(proxy, upstream, state, *_free_ports(), folder / "data/caddy/pki/authorities/local/root.crt")
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "PROXY_NAMES": f"{DOMAIN}, *.{DOMAIN}",
            "PROXY_UPSTREAM": f"127.0.0.1:{proxy.port}",
            "PROXY_TLS": "tls internal",
            "PROXY_HTTPS_PORT": str(front.https),
            "PROXY_HTTP_PORT": str(front.http),
        }
        command = [str(CADDY), "run", "--config", str(REPOSITORY / "compose/caddy/Caddyfile"), "--adapter", "caddyfile"]
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(command, env=environ, cwd=folder, stdout=log, stderr=log)
        try:
            if _comes_up(process, front):
                yield front
                return
        finally:
            process.terminate()
            process.wait(timeout=60)
    pytest.fail((folder / "log").read_text())


def _comes_up(process: subprocess.Popen[bytes], front: Front) -> bool:
    wait_until(lambda: process.poll() is not None or _serves(front), timeout=90)
    return process.poll() is None


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


def _serves(front: Front) -> bool:
    try:
        # Each of the two names has a certificate of its own, made when Caddy starts.
        return front.status("/_multistack/health") == 200 and front.status("/", name=f"test.{DOMAIN}") == 401
    except (OSError, http.client.HTTPException):
        return False


def test_a_service_is_told_who_asked_by_https(front: Front) -> None:
    """The client's address and name, not Caddy's; also below the domain's own name."""
    for target, name in (("/test/a%2Fb?c=%20", DOMAIN), ("/a%2Fb?c=%20", f"test.{DOMAIN}")):
        response, _ = front.ask(target, name=name, client="127.0.0.5", headers=GIVEN)
        assert response.status == 200
        seen = front.upstream.last
        assert seen.target.endswith("/a%2Fb?c=%20")
        assert seen.values("x-forwarded-for") == ["127.0.0.5"]
        assert seen.values("x-forwarded-proto") == ["https"]
        assert seen.values("x-forwarded-host") == [f"{name}:{front.https}"]


def test_nobody_who_comes_through_it_is_this_machine(front: Front) -> None:
    """Also a client that is: Caddy could ask for anyone. Past it, this machine needs no password."""
    for client in ("127.0.0.1", "127.0.0.6"):
        assert front.status("/test/", client=client) == 401
        assert front.status("/", client=client) == 401
        assert front.status("/_multistack/spaces", client=client, headers=GIVEN) == 403
    assert front.proxy.ask("/test/")[0].status == 200
    assert front.proxy.ask("/_multistack/spaces")[0].status == 200


def test_what_clients_claim_is_dropped(front: Front) -> None:
    """By Caddy where they come through it, and by the proxy where they come past it."""
    claims = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}
    assert front.status("/test/", client="127.0.0.7", headers=claims) == 401
    assert front.status("/test/", client="127.0.0.7", headers={**claims, **GIVEN}) == 200
    seen = front.upstream.last
    assert seen.values("x-forwarded-for") == ["127.0.0.7"]
    assert seen.values("x-forwarded-proto") == ["https"]
    assert seen.values("x-forwarded-host") == [f"{DOMAIN}:{front.https}"]


def test_what_only_looks_like_a_claim_is_none(front: Front) -> None:
    """Caddy lets names with underscores pass; a service gets them, and the proxy takes them for nothing."""
    claims = {"X_Forwarded_For": "127.0.0.99", "X_Forwarded_Proto": "http", "X_Multistack_Password": "secret"}
    assert front.status("/test/", client="127.0.0.7", headers=claims) == 401
    assert front.status("/test/", client="127.0.0.7", headers={**claims, **GIVEN}) == 200
    assert front.upstream.last.values("x-forwarded-for") == ["127.0.0.7"]
    assert front.upstream.last.values("x-forwarded-proto") == ["https"]


def test_wrong_passwords_count_for_who_sent_them(front: Front) -> None:
    """And keep nobody else out."""
    wrong = {"X-Multistack-Password": "wrong"}
    wait_until(lambda: front.status("/test/", client="127.0.0.8", headers=wrong) == 429, timeout=60)
    assert front.status("/test/", client="127.0.0.9", headers=wrong) == 401
    assert front.status("/test/", client="127.0.0.9", headers=GIVEN) == 200


def test_a_space_is_joined_by_https(front: Front) -> None:
    """The cookie goes by HTTPS only, and the addresses that it is answered with lead back here."""
    link = join_url("", front.state, Space(name="alice", number=1, at=datetime.now(UTC)))
    response, body = front.ask(link, method="POST", headers={"Accept": "application/json"})
    assert response.status == 200
    assert "; Secure" in (response.getheader("Set-Cookie") or "")
    joined = json.loads(body)
    (seat,) = joined["environments"]
    assert seat["url"] == f"https://{DOMAIN}:{front.https}/alice/test/"
    assert front.status("/alice/test/", headers={"X-Multistack-Token": joined["token"]}) == 200
    assert front.status("/alice/test/", headers=GIVEN) == 401
    assert front.status(link, method="POST", headers={"Accept": "application/json"}) == 403


def test_signing_in_makes_a_secure_cookie(front: Front) -> None:
    """Past Caddy there is none: this machine needs no session."""
    response, _ = front.ask("/", headers=GIVEN)
    assert response.status == 200
    cookie = response.getheader("Set-Cookie") or ""
    assert "; Secure" in cookie
    assert front.status("/test/", headers={"Cookie": cookie.partition(";")[0]}) == 200


def test_http_leads_to_https(front: Front) -> None:
    """Caddy does that by itself."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", front.http, timeout=60)) as connection:
        connection.request("GET", "/test/", headers={"Host": DOMAIN})
        response = connection.getresponse()
        response.read()
    # It takes its port for HTTPS for one that is reached as 443, as behind a router.
    assert (response.status, response.getheader("Location")) == (308, f"https://{DOMAIN}/test/")
