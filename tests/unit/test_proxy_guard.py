"""Who may use a proxy that other machines reach, and what of it environments get to see."""

from __future__ import annotations

import base64
import stat
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from emulator.model import ProxySettings
from emulator.proxy.app import Settings, create_app
from emulator.proxy.guard import Guard, without_credentials
from emulator.proxy.guesses import Guesses
from emulator.proxy.problems import Problem
from emulator.proxy.request import Request
from emulator.proxy_password import is_guarded, keep_password, read_password

PASSWORD = "correct-horse-7"
OWN = "192.0.2.1"
OTHER = "192.0.2.9"


def basic(password: str, *, user: str = "") -> str:
    """The value of a header for Basic authentication."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def asking(target: str = "/", *headers: tuple[str, str], client: str = OTHER, host: str = OWN) -> Request:
    """A request of another machine."""
    return Request(method="GET", target=target, host=host, headers=headers, body=None, length=0, client=client)


@dataclass
class World:
    """A guard, with times of the test's own."""

    password: str | None = PASSWORD
    seconds: float = 1000.0

    def __post_init__(self) -> None:
        self.guard = Guard(
            lambda: self.password,
            guesses=Guesses(lambda client: client == OWN, lambda: self.seconds),
            listens_on=lambda host: host == OWN,
            now=lambda: self.seconds,
        )

    def status(self, request: Request) -> int:
        """200 for one that is let in."""
        try:
            self.guard.admit(request)
        except Problem as problem:
            return problem.status
        return 200


@pytest.fixture
def world() -> World:
    """One whose password is set."""
    return World()


@pytest.mark.parametrize("client", ["127.0.0.1", "127.9.9.9", OWN])
def test_this_machine_needs_no_password(world: World, client: str) -> None:
    """By whichever of its addresses it asks."""
    assert world.guard.admit(asking("/test/orders", client=client)) == []


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/", (), 401),
        ("/_multistack/api/environments", (), 401),
        ("/test/orders", (), 401),
        ("/unknown/", (), 401),
        ("/_all/orders", (), 401),
        ("/_multistack/health", (), 200),
        ("/_multistack/health?x", (), 401),
        ("/", (("Authorization", basic(PASSWORD)),), 200),
        ("/", (("authorization", basic(PASSWORD, user="me")),), 200),
        ("/", (("Authorization", basic("wrong")),), 401),
        ("/", (("Authorization", f"Bearer {PASSWORD}"),), 401),
        ("/", (("Authorization", "Basic ???"),), 401),
        ("/_multistack/api/faults", (("X-Multistack-Password", PASSWORD),), 200),
        ("/test/orders", (("Authorization", basic(PASSWORD)),), 401),
        ("/_all/orders", (("Authorization", basic(PASSWORD)),), 401),
        ("/", (("Authorization", basic(PASSWORD)), ("X-Multistack-Environment", "test")), 401),
        ("/test/orders", (("Proxy-Authorization", basic(PASSWORD)),), 200),
        ("/test/orders", (("X-Multistack-Password", PASSWORD),), 200),
        ("/test/orders", (("X-Multistack-Password", PASSWORD + "x"),), 401),
        ("/test/orders", (("X-Multistack-Password", "pässwort"),), 401),
        ("/test/orders", (("Cookie", "multistack_session=1.abc"),), 401),
        ("/test/orders", (("Cookie", "multistack_session=99999999999.00"),), 401),
    ],
)
def test_another_machine_needs_the_password(
    world: World, target: str, headers: tuple[tuple[str, str], ...], status: int
) -> None:
    """In a header of the proxy's; `Authorization` is the proxy's on its own pages only."""
    assert world.status(asking(target, *headers)) == status


@pytest.mark.parametrize(
    ("method", "headers", "host"),
    [
        ("DELETE", (), OWN),
        ("GET", (("X-Multistack-Environment", "prod"),), OWN),
        ("GET", (("X-Multistack-Environment", "*"),), OWN),
        ("GET", (), "test.localhost"),
    ],
)
def test_the_path_of_the_health_page_opens_no_environment(
    world: World, method: str, headers: tuple[tuple[str, str], ...], host: str
) -> None:
    """It is open where it is the proxy's own, for reading."""
    request = replace(asking("/_multistack/health", *headers, host=host), method=method)
    assert world.status(request) == 401


def test_an_environment_by_host_is_no_page(world: World) -> None:
    """`Authorization` is the environment's, though the path is that of the home page."""
    request = asking("/", ("Authorization", basic(PASSWORD)), host="test.localhost")
    assert world.status(request) == 401


@pytest.mark.parametrize(("target", "scheme"), [("/", "Basic "), ("/test/orders", "Multistack ")])
def test_a_browser_asks_for_the_password_on_pages_only(world: World, target: str, scheme: str) -> None:
    """What it would get for an environment's page would go to the environment from then on."""
    with pytest.raises(Problem) as caught:
        world.guard.admit(asking(target))
    assert dict(caught.value.headers)["WWW-Authenticate"].startswith(scheme)


def signed_in(world: World) -> str:
    """The session of somebody who signed in at the home page, as a cookie."""
    ((name, value),) = world.guard.admit(asking("/", ("Authorization", basic(PASSWORD))))
    assert name == "Set-Cookie"
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(value.split("; "))
    return value.partition(";")[0]


def test_who_signed_in_is_known_by_a_cookie(world: World) -> None:
    """For pages and environments; for half a day, or until the password changes."""
    cookie = signed_in(world)
    for target in ("/", "/test/orders"):
        assert world.status(asking(target, ("Cookie", f"a=1; {cookie}; b=2"))) == 200
    world.password = "another-one-12"
    assert world.status(asking("/", ("Cookie", cookie))) == 401
    world.password = PASSWORD
    world.seconds += 12 * 3600
    assert world.status(asking("/", ("Cookie", cookie))) == 401


def test_a_session_is_of_one_process(world: World) -> None:
    """The key of the cookie is nowhere but in memory."""
    assert World().status(asking("/", ("Cookie", signed_in(world)))) == 401


def test_guesses_are_throttled(world: World) -> None:
    """Ten a minute from one client; the right one is then refused as well, and other clients are let in."""
    wrong = asking("/test/", ("X-Multistack-Password", "guess"))
    right = asking("/test/", ("X-Multistack-Password", PASSWORD))
    assert [world.status(wrong) for _ in range(12)] == [401] * 10 + [429] * 2
    assert world.status(right) == 429
    assert world.status(replace(right, client="192.0.2.10")) == 200
    world.seconds += 60
    assert world.status(right) == 200


def test_a_request_without_a_password_is_no_guess(world: World) -> None:
    """A browser's first request has none."""
    assert {world.status(asking("/")) for _ in range(50)} == {401}
    assert world.status(asking("/", ("Authorization", basic(PASSWORD)))) == 200


def test_a_password_that_is_gone_lets_nobody_in(world: World) -> None:
    """A file that was removed is no open door."""
    world.password = None
    for given in ("", "None", PASSWORD):
        assert world.status(asking("/test/", ("X-Multistack-Password", given))) == 401


def test_credentials_go_no_further() -> None:
    """Neither environments nor records see what was meant for the proxy; everything else stays as it was sent."""
    request = asking(
        "/test/",
        ("Accept", "*/*"),
        ("x-multistack-PASSWORD", PASSWORD),
        ("Proxy-Authorization", basic(PASSWORD)),
        ("Authorization", "Bearer own"),
        ("Cookie", "a=1;multistack_session=1.2;  b=2"),
        ("Cookie", "multistack_session=1.2"),
        ("Cookie", "c=3;d=4"),
    )
    assert list(without_credentials(request).headers) == [
        ("Accept", "*/*"),
        ("Authorization", "Bearer own"),
        ("Cookie", "a=1; b=2"),
        ("Cookie", "c=3;d=4"),
    ]
    plain = asking("/test/", ("Cookie", "a=1"))
    assert without_credentials(plain) is plain


def test_a_sign_in_at_a_page_does_not_reach_functions(world: World) -> None:
    """Browsers send it to the whole origin from then on; a service's own Basic credentials pass."""
    own = ("Authorization", basic("the service's"))
    request = asking("/test/", ("Accept", "*/*"), ("Authorization", basic(PASSWORD)), own)
    assert list(world.guard.without_credentials(request).headers) == [("Accept", "*/*"), own]


def test_the_proxy_asks_before_it_tells_anything(tmp_path: Path) -> None:
    """Not even which environments there are; signed in, the page is there with its cookie."""
    file = tmp_path / "password"
    keep_password(file, PASSWORD)
    settings = Settings(routes=tmp_path / "routes.json", timeout=1.0, max_body=100, host="0.0.0.0", password_file=file)
    client = create_app(settings).test_client()
    other = {"environ_base": {"REMOTE_ADDR": OTHER}, "headers": {"Host": "localhost"}}
    refused = client.get("/", **other)
    assert (refused.status_code, refused.mimetype) == (401, "application/problem+json")
    assert client.get("/nowhere/", **other).status_code == 401
    headers = {"Host": "localhost", "Authorization": basic(PASSWORD)}
    welcomed = client.get("/", environ_base={"REMOTE_ADDR": OTHER}, headers=headers)
    assert welcomed.status_code == 200
    assert welcomed.headers["Set-Cookie"].startswith("multistack_session=")
    assert client.get("/", environ_base={"REMOTE_ADDR": OTHER}, headers={"Host": "evil.example"}).status_code == 403


@pytest.mark.parametrize(
    ("settings", "guarded"),
    [
        (ProxySettings(), False),
        (ProxySettings(host="127.0.0.7"), False),
        (ProxySettings(host="0.0.0.0"), True),
        (ProxySettings(host="192.168.1.5"), True),
        (ProxySettings(host="0.0.0.0", asks_password=False), False),
    ],
)
def test_only_a_proxy_that_others_reach_is_guarded(settings: ProxySettings, guarded: bool) -> None:
    """On loopback nothing changes."""
    assert is_guarded(settings) is guarded


def test_a_password_is_made_once(tmp_path: Path) -> None:
    """It is long, kept for its owner only, and replaced by one that the user wants."""
    file = tmp_path / "proxy" / "password"
    assert read_password(file) is None
    assert keep_password(file, None)
    made = read_password(file)
    assert made is not None
    assert len(made) >= 20
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not keep_password(file, None)
    assert read_password(file) == made
    assert not keep_password(file, PASSWORD)
    assert read_password(file) == PASSWORD
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not keep_password(file, None)
    assert read_password(file) == PASSWORD


def test_passwords_do_not_repeat(tmp_path: Path) -> None:
    """Each project has its own."""
    for name in ("a", "b"):
        keep_password(tmp_path / name, None)
    assert read_password(tmp_path / "a") != read_password(tmp_path / "b")
