"""Tokens of spaces: what makes one good, and what tells the others apart."""

from __future__ import annotations

import re
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emulator.errors import MultistackError
from emulator.model import Space
from emulator.space_tokens import (
    KEY_FILE,
    LONGEST,
    Flaw,
    Purpose,
    expiry_of,
    flaw_of,
    join_url,
    keep_key,
    make_code,
    make_token,
    tokens_in,
    without_tokens,
)

KEY = bytes(range(32))
NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)
LATER = NOW + timedelta(hours=4)
ALICE = Space(name="alice", number=1, at=NOW)


def token(space: Space = ALICE, *, purpose: Purpose = Purpose.ACCESS, key: bytes = KEY) -> str:
    """One that ends later."""
    return make_token(key, purpose, space, expires=LATER)


def flaw(
    given: str, *, name: str = "alice", space: Space | None = ALICE, now: datetime = NOW, key: bytes | None = KEY
) -> Flaw | None:
    """What is wrong with it as an access token of alice."""
    return flaw_of(given, key=key, purpose=Purpose.ACCESS, name=name, space=space, now=now)


def test_a_token_opens_its_space() -> None:
    """Until it ends."""
    assert flaw(token()) is None
    assert flaw(token(), now=LATER - timedelta(seconds=1)) is None
    assert expiry_of(token()) == LATER


def test_a_token_without_an_end_stays_good() -> None:
    """A join token of a space that nobody limits in time."""
    forever = make_token(KEY, Purpose.ACCESS, ALICE, expires=None)
    assert flaw(forever, now=NOW + timedelta(days=9999)) is None
    assert expiry_of(forever) is None


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(flaw(""), Flaw.MALFORMED, id="empty"),
        pytest.param(flaw("x" * 500), Flaw.MALFORMED, id="long"),
        pytest.param(flaw("msa.älice.1.0." + "A" * 43), Flaw.MALFORMED, id="unicode"),
        pytest.param(flaw(token()[:-1]), Flaw.MALFORMED, id="cut"),
        pytest.param(flaw(token() + "A"), Flaw.MALFORMED, id="with more at its end"),
        pytest.param(flaw(token().replace("alice", "bobby")), Flaw.MALFORMED, id="renamed"),
        pytest.param(flaw(token().replace(".1.", ".2.")), Flaw.MALFORMED, id="of another generation, forged"),
        pytest.param(flaw(token(purpose=Purpose.JOIN)), Flaw.MALFORMED, id="a join token"),
        pytest.param(flaw(token(key=bytes(32))), Flaw.MALFORMED, id="of another key"),
        pytest.param(flaw(token(), key=None), Flaw.MALFORMED, id="before there is a key"),
        pytest.param(flaw(token(), name="bob"), Flaw.OTHER_SPACE, id="of another space"),
        pytest.param(flaw(token(), name="nobody", space=None), Flaw.OTHER_SPACE, id="for a space that there isn't"),
        pytest.param(flaw(token(), space=replace(ALICE, generation=2)), Flaw.EARLIER, id="before a newer link"),
        pytest.param(flaw(token(), space=None), Flaw.EARLIER, id="of a space that was removed"),
        pytest.param(flaw(token(), now=LATER), Flaw.EXPIRED, id="expired"),
    ],
)
def test_what_is_wrong_with_a_token_is_told_apart(found: Flaw | None, expected: Flaw) -> None:
    """Without the right signature nothing that it says is believed."""
    assert found is expected


def test_the_longest_token_is_an_access_key_id() -> None:
    """Of AWS's clients, and a part of a URL, as it is: Credential=<id>/<date>/… ends at a slash."""
    name = "a" * 30
    longest = token(Space(name=name, number=999_999, at=NOW, generation=999_999_999))
    assert len(longest) <= LONGEST
    assert re.fullmatch(r"[A-Za-z0-9._-]+", longest)


@pytest.mark.parametrize(
    "text",
    [
        "AWS4-HMAC-SHA256 Credential={}/20261127/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=00",
        "/orders?X-Amz-Credential={}%2F20261127%2Feu-west-1&a=b",
        "http://127.0.0.1:8080/alice/_join?token={}",
        "AWS {}:signature",
    ],
)
def test_tokens_are_found_and_taken_out_of_text(text: str) -> None:
    """Wherever they stand in it."""
    given = token()
    assert tokens_in(text.format(given)) == [given]
    assert without_tokens(text.format(given), "111111111111") == text.format("111111111111")


def test_the_key_is_made_once(tmp_path: Path) -> None:
    """By whichever command comes first, for its owner's eyes only; nothing else stays."""
    state = tmp_path / ".multistack"
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: keep_key(state), range(64)))
    assert len(keys) == 1
    assert stat.S_IMODE((state / KEY_FILE).stat().st_mode) == 0o600
    assert {path.name for path in state.iterdir()} == {KEY_FILE, ".gitignore"}
    assert keep_key(state) in keys


@pytest.mark.parametrize("content", ["", "00", "no key", "ä"])
def test_a_damaged_key_is_no_key(tmp_path: Path, content: str) -> None:
    """Nothing is signed with half a key, and none is replaced unasked: all tokens would be void."""
    (tmp_path / KEY_FILE).write_text(content)
    with pytest.raises(MultistackError, match="is damaged"):
        keep_key(tmp_path)


def test_the_link_holds_the_join_token(tmp_path: Path) -> None:
    """The same one as often as it is printed."""
    link = join_url("http://127.0.0.1:8080", tmp_path, replace(ALICE, expires=LATER))
    assert link == join_url("http://127.0.0.1:8080", tmp_path, replace(ALICE, expires=LATER))
    start, _, given = link.partition("?token=")
    assert start == "http://127.0.0.1:8080/alice/_join"
    assert flaw_of(given, key=keep_key(tmp_path), purpose=Purpose.JOIN, name="alice", space=ALICE, now=NOW) is None


def join_flaw(given: str, *, space: Space | None = ALICE, now: datetime = NOW) -> Flaw | None:
    """What is wrong with it as alice's join token or code."""
    return flaw_of(given, key=KEY, purpose=Purpose.JOIN, name="alice", space=space, now=now)


def test_a_code_does_what_the_join_token_does() -> None:
    """However it is typed; it opens no environment by itself."""
    code = make_code(KEY, ALICE)
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", code)
    for typed in (code, code.lower(), code.replace("-", ""), f" {code} ", code.replace("0", "o").replace("1", "I")):
        assert join_flaw(typed) is None
    assert flaw(code) is Flaw.MALFORMED


@pytest.mark.parametrize(
    "space",
    [
        pytest.param(replace(ALICE, generation=2), id="of an earlier link"),
        pytest.param(replace(ALICE, name="bob"), id="of another space"),
        pytest.param(None, id="of none"),
    ],
)
def test_a_code_is_for_one_link_of_one_space(space: Space | None) -> None:
    """A newer link voids it."""
    assert join_flaw(make_code(KEY, ALICE), space=space) is Flaw.MALFORMED


def test_a_code_ends_with_its_space() -> None:
    """As everything does."""
    assert join_flaw(make_code(KEY, ALICE), space=replace(ALICE, expires=LATER), now=LATER) is Flaw.EXPIRED


@pytest.mark.parametrize("text", ["", "-", "\ud800", "ß" * 8, "K" * 100_000], ids=ascii)
def test_what_is_no_code_joins_nothing(text: str) -> None:
    """Whatever somebody types."""
    assert join_flaw(text) is Flaw.MALFORMED


@pytest.mark.parametrize("purpose", Purpose)
def test_a_token_lasts_as_long_as_its_space_is_extended(purpose: Purpose) -> None:
    """Neither less nor more; what was made before the end was moved counts as well."""
    given, space = token(purpose=purpose), replace(ALICE, expires=LATER + timedelta(hours=2))

    def at(now: datetime) -> Flaw | None:
        return flaw_of(given, key=KEY, purpose=purpose, name="alice", space=space, now=now)

    assert at(LATER + timedelta(hours=1)) is None
    assert at(LATER + timedelta(hours=2)) is Flaw.EXPIRED
