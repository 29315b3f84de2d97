"""Where a URL leads, and which may be an emulator's."""

from __future__ import annotations

import pytest

from emulator.addresses import Origin, is_loopback, is_private, normal_url, origin_of, refuse_amazon, refuse_foreign

# What names mean here; an address means itself.
NAMES = {
    "box": ["192.168.1.7"],
    "both": ["127.0.0.1", "::1"],
    "mixed": ["10.0.0.1", "93.184.216.34"],
    "far": ["93.184.216.34"],
    "alias": ["10.0.0.1"],
    "vpc": ["10.0.0.1"],
}


def resolve(host: str) -> list[str]:
    """As a resolver that knows no others."""
    if host in NAMES:
        return NAMES[host]
    if host[0].isdigit() or ":" in host:
        return [host]
    raise OSError("unknown")


def names_of(host: str) -> list[str]:
    """One of them is an alias of a name of AWS."""
    return ["vpce-1.sqs.eu-west-1.vpce.amazonaws.com"] if host == "alias" else [host]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:4566", "http://127.0.0.1:4566"),
        ("http://LocalHost:4566/", "http://localhost:4566"),
        ("HTTPS://localstack.internal", "https://localstack.internal"),
        ("http://[::1]:4566", "http://[::1]:4566"),
        ("http://[FD00::1]/", "http://[fd00::1]"),
        ("http://a_service:80", "http://a_service:80"),
    ],
)
def test_a_url_is_written_in_one_way(url: str, expected: str) -> None:
    """Whoever compares it later has one form of it."""
    assert normal_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "localhost:4566",
        "ftp://localhost",
        "http://",
        "http://:4566",
        "http://localhost:0",
        "http://localhost:99999",
        "http://localhost:port",
        "http://localhost:4566/path",
        "http://localhost?a=b",
        "http://localhost#top",
        "http://user@localhost",
        "http://local host",
        "http://a..b",
        "http://[::1",
        "http://[fe80::1%25eth0]",
        "http://%6cocalhost",
    ],
)
def test_what_is_no_origin_is_refused(url: str) -> None:
    """No path, no query, no name of a user, and a host that can be one."""
    with pytest.raises(ValueError, match=r"."):
        normal_url(url)


def test_an_origin_has_a_port_that_need_not_be_named() -> None:
    """And an IPv6 address without the brackets that it has in a URL."""
    assert origin_of("https://[fd00::1]") == Origin("https", "fd00::1", 443)
    assert (origin_of("http://box/a").port, origin_of("http://box:8080").has_default_port) == (80, False)
    assert origin_of("http://[::1]").name == "[::1]"


@pytest.mark.parametrize(
    "url",
    [
        "http://sqs.eu-west-1.amazonaws.com",
        "https://AMAZONAWS.com.",
        "http://amazonaws。com",
        "http://s3.cn-north-1.amazonaws.com.cn",
        "http://lambda.eu-west-1.api.aws",
        "http://169.254.169.254",
        "http://[fd00:ec2::254]",
    ],
)
def test_aws_is_refused_by_name(url: str) -> None:
    """However it is written, and where its machines get credentials from too."""
    assert "multistack never talks to it" in refuse_amazon(url)
    assert "multistack never talks to it" in refuse_foreign(url, allow_remote=True, resolve=resolve, names_of=names_of)


@pytest.mark.parametrize("url", ["http://notamazonaws.com", "http://aws.example", "http://127.0.0.1", "http://["])
def test_what_only_looks_like_aws_is_not_refused_as_such(url: str) -> None:
    """The end of a name counts, label by label."""
    assert refuse_amazon(url) == ""


@pytest.mark.parametrize(
    ("url", "refusal"),
    [
        ("http://127.0.0.1:4566", ""),
        ("http://[::1]:4566", ""),
        ("http://box:4566", ""),
        ("http://both", ""),
        ("http://[::ffff:10.0.0.1]", ""),
        ("http://far", "far (93.184.216.34) is neither on this machine nor in a private network"),
        ("http://mixed", "mixed (93.184.216.34) is neither on this machine nor in a private network"),
        ("http://93.184.216.34", "93.184.216.34 is neither on this machine nor in a private network"),
        ("http://169.254.1.1", "169.254.1.1 is neither on this machine nor in a private network"),
        (
            "http://[::ffff:93.184.216.34]",
            "::ffff:93.184.216.34 (93.184.216.34) is neither on this machine nor in a private network",
        ),
    ],
)
def test_an_emulator_is_near_by_each_of_its_addresses(url: str, refusal: str) -> None:
    """One address that leads away is one too many."""
    assert refuse_foreign(url, allow_remote=False, resolve=resolve, names_of=names_of) == refusal


def test_remote_ones_can_be_allowed() -> None:
    """But for AWS."""
    assert refuse_foreign("http://far", allow_remote=True, resolve=resolve, names_of=names_of) == ""


@pytest.mark.parametrize("allow_remote", [True, False])
def test_an_alias_of_aws_is_refused(allow_remote: bool) -> None:
    """A private name for an endpoint of AWS in one's own network is still AWS."""
    problem = refuse_foreign("http://alias", allow_remote=allow_remote, resolve=resolve, names_of=names_of)
    assert problem == (
        "alias leads to vpce-1.sqs.eu-west-1.vpce.amazonaws.com, which is AWS: multistack never talks to it"
    )


def test_a_name_that_leads_where_credentials_are_is_refused() -> None:
    """Also when anything else is allowed."""
    problem = refuse_foreign(
        "http://sly", allow_remote=True, resolve=lambda _host: ["169.254.169.254"], names_of=lambda host: [host]
    )
    assert problem == (
        "sly leads to 169.254.169.254, which is where clouds give away credentials: multistack never talks to it"
    )


def test_a_name_without_address_is_an_error_of_its_own() -> None:
    """It may have one later."""
    with pytest.raises(OSError, match="unknown"):
        refuse_foreign("http://nowhere", allow_remote=False, resolve=resolve, names_of=names_of)


@pytest.mark.parametrize(
    ("host", "loopback", "private"),
    [
        ("127.0.0.1", True, True),
        ("::ffff:127.0.0.1", True, True),
        ("both", True, True),
        ("box", False, True),
        ("fd00::1", False, True),
        ("fd00:ec2::254", False, False),
        ("fe80::1", False, False),
        ("::ffff:93.184.216.34", False, False),
        ("mixed", False, False),
        ("nowhere", False, False),
    ],
)
def test_near_hosts(host: str, loopback: bool, private: bool) -> None:
    """This machine, its networks, and all the rest."""
    assert (is_loopback(host, resolve=resolve), is_private(host, resolve=resolve)) == (loopback, private)
