"""Whom a proxy behind a reverse proxy takes a request for: what trusted peers say counts, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from emulator.model import STATE_FOLDER, ProxySettings
from emulator.proxy.app import Settings, create_app
from emulator.proxy.forwarded import Forwarding
from emulator.proxy.request import HEADERS_KEY, Request, read_request
from emulator.proxy_password import is_guarded, public_form
from emulator.routes import ROUTES_FILE, publish_routes
from tests.conftest import REPOSITORY
from tests.unit.test_proxy_app import make_route
from tests.unit.test_space_joining import JSON, make_class

PEER, CLIENT, FURTHER = "127.0.0.1", "203.0.113.9", "198.51.100.7"


def read(*headers: tuple[str, str], peer: str = PEER, host: str = "localhost", **options: Any) -> Request:
    """A request as the proxy takes it that trusts 127.0.0.1 and 10.0.0.0/24, and has the domain lab.example.org."""
    sent = [("Host", host), *headers]
    environ: dict[str, Any] = {"REQUEST_METHOD": "GET", "REQUEST_URI": "/", "REMOTE_ADDR": peer, HEADERS_KEY: sent}
    for name, value in sent:
        key = f"HTTP_{name.upper().replace('-', '_')}"
        environ[key] = f"{environ[key]}, {value}" if key in environ else value
    given = {"trusted": ["127.0.0.1", "10.0.0.0/24"], "domains": ["lab.example.org"], **options}
    Forwarding(**given).read(environ)
    return read_request(environ)


def test_a_request_that_nobody_passed_on_is_its_peers() -> None:
    """Nothing of it changes."""
    request = read()
    assert (request.client, request.via, request.scheme, request.host) == (PEER, "", "http", "localhost")
    assert request.caller == PEER


def test_a_trusted_peer_says_who_asked_it_and_how() -> None:
    """What is behind the address that it names, that one may have made up."""
    request = read(
        ("X-Forwarded-For", f"127.0.0.1, {CLIENT}"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "lab.example.org:8443"),
    )
    assert (request.client, request.scheme, request.host) == (CLIENT, "https", "lab.example.org:8443")
    assert request.values("x-forwarded-for") == ["127.0.0.1"]
    assert request.via == PEER


@pytest.mark.parametrize(
    ("claimed", "client"),
    [
        pytest.param(f"{FURTHER}, {CLIENT}, 10.0.0.7", CLIENT, id="two-trusted-proxies"),
        pytest.param("10.0.0.8, 10.0.0.7", "10.0.0.8", id="all-trusted"),
        pytest.param("[2001:db8::1]:443", "2001:db8::1", id="ipv6-with-port"),
        pytest.param(f"{CLIENT}:1234", CLIENT, id="ipv4-with-port"),
        pytest.param(f"::ffff:{CLIENT}", CLIENT, id="ipv4-as-ipv6"),
        pytest.param(f"{FURTHER}, unknown", PEER, id="no-address"),
        pytest.param(f"{FURTHER}, localhost", PEER, id="a-name"),
        pytest.param(" , ,", PEER, id="nothing"),
        pytest.param("fe80::1%eth0", PEER, id="with-a-zone"),
    ],
)
def test_the_client_is_the_nearest_that_is_not_trusted(claimed: str, client: str) -> None:
    """What can't be read ends it: the one that said so counts."""
    assert read(("X-Forwarded-For", claimed)).client == client


def test_several_headers_are_one_list() -> None:
    """The last one is what the nearest peer said."""
    request = read(("X-Forwarded-For", FURTHER), ("x-forwarded-for", CLIENT))
    assert request.client == CLIENT
    assert request.values("x-forwarded-for") == [FURTHER]


def test_addresses_of_one_household_are_one_caller() -> None:
    """Else whoever has a network of IPv6 guesses without end."""
    one, other, third = (
        read(("X-Forwarded-For", f"2001:db8:0:{net}::{at}")).caller for net, at in ((1, 1), (1, 2), (2, 1))
    )
    assert one == other != third


def test_nobody_else_is_believed() -> None:
    """Its client, name and scheme are what the connection tells; what it claims goes on as a claim."""
    claims = (("X-Forwarded-For", PEER), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example"))
    for request in (read(*claims, peer=CLIENT), read(*claims, trusted=[])):
        assert (request.client, request.scheme, request.host) == (request.via, "http", "localhost")
        assert request.values("x-forwarded-for") == [PEER]


@pytest.mark.parametrize("sign", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
@pytest.mark.parametrize("trusted", [["127.0.0.1"], []], ids=["trusted", "forgotten"])
def test_what_was_passed_on_is_never_this_machines_own(tmp_path: Path, sign: str, trusted: list[str]) -> None:
    """Whoever forgets to say whom the proxy may trust lets nobody in without the password."""
    (tmp_path / "password").write_text("correct-horse-7\n")
    publish_routes(tmp_path / ROUTES_FILE, [make_route("test")])
    settings = Settings(
        routes=tmp_path / ROUTES_FILE,
        timeout=1.0,
        max_body=100,
        password_file=tmp_path / "password",
        trusted=trusted,
        domains=["lab.example.org"],
    )
    client = create_app(settings).test_client()
    assert client.get("/").status_code == 200
    assert client.get("/", headers={sign: "127.0.0.1"}).status_code == 401
    assert client.get("/", headers={"Host": "lab.example.org"}).status_code == 401
    assert client.get("/", headers={"Host": "test.lab.example.org:8443"}).status_code == 401
    assert client.get("/", headers={"Host": "lab.example.org.evil.example"}).status_code == 403


def test_wrong_tokens_count_for_the_client_behind_a_trusted_proxy(tmp_path: Path) -> None:
    """One that guesses keeps no other one out."""
    seats = make_class(tmp_path / STATE_FOLDER, trusted=["127.0.0.1"])
    wrong = {**JSON, "X-Multistack-Token": "wrong"}
    found = [seats.get("/alice/test/", headers={**wrong, "X-Forwarded-For": CLIENT}).status_code for _ in range(11)]
    assert found == [401] * 10 + [429]
    assert seats.get("/alice/test/", headers={**wrong, "X-Forwarded-For": FURTHER}).status_code == 401
    assert seats.get("/alice/test/", headers=wrong).status_code == 401


def test_joining_by_https_tells_https_and_secures_the_cookie(tmp_path: Path) -> None:
    """Only when somebody who is trusted says that it was HTTPS."""
    headers = {"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "lab.example.org"}
    for trusted, scheme in ((["127.0.0.1"], "https://lab.example.org"), ([], "http://localhost")):
        seats = make_class(tmp_path / scheme[:5] / STATE_FOLDER, trusted=trusted, domains=["lab.example.org"])
        response = seats.post(seats.link(), headers={**JSON, **headers})
        assert response.status_code == 200
        assert response.get_json()["environments"][0]["url"] == f"{scheme}/alice/test/"
        assert ("; Secure" in response.headers["Set-Cookie"]) == (scheme[:5] == "https")


def test_environments_and_spaces_are_found_below_a_domain(tmp_path: Path) -> None:
    """As below localhost, whatever the case."""
    seats = make_class(tmp_path / STATE_FOLDER, trusted=["127.0.0.1"], domains=["lab.example.org", "example.org"])
    token = seats.post(seats.link()).get_json()["token"]
    headers = {"X-Multistack-Token": token}
    # There is nothing behind these routes: whoever gets that far finds out.
    assert seats.get("/x", headers={**headers, "Host": "prod.alice.LAB.example.org"}).get_json()["status"] == 503
    assert seats.get("/x", headers={**headers, "Host": "prod.alice.example.org:8443"}).get_json()["status"] == 503
    assert seats.get("/x", headers={**headers, "Host": "prod.bob.lab.example.org"}).status_code == 403
    assert seats.get("/x", headers={**headers, "Host": "other.lab.example.org"}).status_code == 404


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        pytest.param({}, "http://127.0.0.1:8080", id="none"),
        pytest.param({"domains": ("a.example",), "trusted": ("127.0.0.1",)}, "https://a.example", id="reverse-proxy"),
        pytest.param(
            {"domains": ("a.example:8443", "b.example"), "trusted": ("127.0.0.1",)}, "https://a.example:8443", id="port"
        ),
        pytest.param({"domains": ("a.example",), "host": "0.0.0.0"}, "http://a.example:8080", id="by-itself"),
    ],
)
def test_links_lead_to_the_first_domain(settings: dict[str, Any], url: str) -> None:
    """By HTTPS where a reverse proxy stands in front, else to the proxy's own port."""
    assert public_form("http://127.0.0.1:8080", ProxySettings(**settings)) == url


def test_a_proxy_that_others_reach_by_a_reverse_proxy_asks_for_the_password() -> None:
    """Also where it listens on loopback only."""
    assert not is_guarded(ProxySettings())
    assert is_guarded(ProxySettings(trusted=("127.0.0.1",)))
    assert is_guarded(ProxySettings(domains=("a.example",), trusted=("10.0.0.1",)))
    assert not is_guarded(ProxySettings(trusted=("127.0.0.1",), asks_password=False))


def test_the_files_for_traefik_fit_together() -> None:
    """
    Not run: no Traefik is where this is tested. Held against what its documentation says of the file provider.
    """
    static = yaml.safe_load((REPOSITORY / "compose/traefik/traefik.yml").read_text())
    dynamic = yaml.safe_load((REPOSITORY / "compose/traefik/multistack.yml").read_text())
    points = static["entryPoints"]
    assert points["web"]["http"]["redirections"]["entryPoint"]["to"] in points
    assert all("forwardedHeaders" not in point for point in points.values())
    assert static["providers"]["file"]["filename"] == "/etc/traefik/multistack.yml"
    (router,), (service,) = dynamic["http"]["routers"].values(), dynamic["http"]["services"].items()
    assert router["rule"] == "Host(`lab.example.org`)"
    assert (router["entryPoints"], router["service"]) == (["websecure"], service[0])
    assert router["tls"]["certResolver"] in static["certificatesResolvers"]
    balancer = service[1]["loadBalancer"]
    assert balancer["passHostHeader"] is True
    assert balancer["servers"] == [{"url": "http://127.0.0.1:8080"}]
    assert balancer["healthCheck"]["path"] == "/_multistack/health"
