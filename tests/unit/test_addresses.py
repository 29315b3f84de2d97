"""Where an address leads."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from emulator.addresses import host_of, is_loopback, is_private, refuse_amazon, resolve


def resolving(*addresses: str) -> Callable[[str], list[str]]:
    """A resolver for which every name has *addresses*."""
    return lambda _host: list(addresses)


def unknown(_host: str) -> list[str]:
    """A resolver that knows no name."""
    raise OSError("no such host")


HOSTS = {
    "http://LocalHost:4566/path": "localhost",
    "http://localhost.:4566": "localhost",
    "https://user:word@example.com/": "example.com",
    "http://[::1]:4566": "::1",
    "http://bücher.example": "xn--bcher-kva.example",
    "unix:///var/run/docker.sock": "",
    "nothing": "",
    "http://[": "",
}


@pytest.mark.parametrize(("url", "host"), HOSTS.items(), ids=list(HOSTS))
def test_host_of_a_url(url: str, host: str) -> None:
    """As it is looked up: lower case, without a dot at its end."""
    assert host_of(url) == host


@pytest.mark.parametrize(
    "url",
    [
        "https://sqs.eu-west-1.amazonaws.com",
        "https://SQS.EU-WEST-1.AMAZONAWS.COM.",
        "https://amazonaws.com",
        "https://ec2.cn-north-1.amazonaws.com.cn",
        "https://lambda.eu-west-1.api.aws",
        "https://d111111abcdef8.cloudfront.net",
        "http://169.254.169.254/latest/meta-data",
    ],
)
def test_aws_is_never_talked_to(url: str) -> None:
    """Under any of its names."""
    assert "multistack never talks to it" in refuse_amazon(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:4566", "http://notamazonaws.com", "http://amazonaws.com.example", "http://laws:4566", ""]
)
def test_what_only_looks_like_aws_is_not(url: str) -> None:
    """The end of a name counts, by whole parts."""
    assert refuse_amazon(url) == ""


NEAR: dict[str, tuple[list[str], bool, bool]] = {
    "loopback": (["127.0.0.1"], True, True),
    "all of loopback": (["127.0.0.1", "127.9.9.9", "::1"], True, True),
    "mapped": (["::ffff:127.0.0.1"], True, True),
    "private": (["10.0.0.1", "192.168.1.1", "172.16.0.1", "fd00::1"], False, True),
    "half of it elsewhere": (["127.0.0.1", "203.0.113.7", "8.8.8.8"], False, False),
    "elsewhere": (["8.8.8.8"], False, False),
    "link-local": (["169.254.169.254"], False, False),
    "no address": ([], False, False),
    "no address at all": (["nonsense"], False, False),
}


@pytest.mark.parametrize(("addresses", "loopback", "private"), NEAR.values(), ids=NEAR)
def test_each_address_of_a_host_counts(addresses: list[str], loopback: bool, private: bool) -> None:
    """One that also leads elsewhere leads elsewhere."""
    assert is_loopback("host", resolve=resolving(*addresses)) is loopback
    assert is_private("host", resolve=resolving(*addresses)) is private


def test_unknown_host_is_nowhere() -> None:
    """Neither on this machine nor near."""
    assert not is_loopback("host", resolve=unknown)
    assert not is_private("host", resolve=unknown)


def test_numbers_are_their_own_address() -> None:
    """Nobody is asked for them."""
    assert resolve("127.0.0.1") == ["127.0.0.1"]
    assert is_loopback("127.0.0.1")
