"""Corpora: what is written can be read, by people too, and what is broken is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.errors import ConfigError
from emulator.model import HttpAnswer, HttpRequest
from emulator.replay.corpus import Corpus, read_corpus
from emulator.replay.lines import entry_line, head_line, lost_line

HEAD = head_line("test")
REQUEST = HttpRequest(method="GET", target="/orders")


def corpus(folder: Path, *lines: bytes) -> Corpus:
    """What is read of *lines*."""
    path = folder / "orders.jsonl"
    path.write_bytes(b"".join(lines))
    return read_corpus(path, shown="corpora/orders.jsonl")


def request(body: bytes) -> HttpRequest:
    """One with that body."""
    return HttpRequest(method="POST", target="/orders?a=b", headers=[("A", "b")], body=body, body_length=len(body))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(
    body=st.binary(max_size=64)
    | JSON.map(lambda value: json.dumps(value).encode())
    | JSON.map(lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))
    | st.integers(1, 400).map(lambda depth: b"[" * depth + b"]" * depth)
)
def test_every_body_comes_back_byte_for_byte(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    """However it is written: as JSON, as text or in base64."""
    folder = tmp_path_factory.getbasetemp()
    answer = HttpAnswer(status=201, headers=[("Etag", "ü")], body=body, body_length=len(body) + 5, seconds=0.25)
    found = corpus(folder, HEAD, entry_line(request(body), answer))
    assert (found.entries[0].request, found.entries[0].answer) == (request(body), answer)


def test_what_the_proxy_let_pass_can_be_read_again(tmp_path: Path) -> None:
    """A target that a client didn't encode, and an answer that follows no rule."""
    asked = HttpRequest(method="GET", target="/caf\xe9?\xa0", headers=[])
    answer = HttpAnswer(status=799, headers=[("no name", "a\x00b")], body=b"", body_length=0, seconds=0.0)
    found = corpus(tmp_path, HEAD, entry_line(asked, answer))
    assert (found.entries[0].request, found.entries[0].answer) == (asked, answer)


def test_json_is_written_as_json() -> None:
    """So that it can be read in a review, and edited."""
    line = json.loads(entry_line(request(b'{"qty":2,"item":"tea"}'), None))
    assert line == {
        "request": {
            "method": "POST",
            "target": "/orders?a=b",
            "headers": [["A", "b"]],
            "body": {"qty": 2, "item": "tea"},
        }
    }


def test_lines_written_by_hand_need_no_more_than_a_request(tmp_path: Path) -> None:
    """Empty lines and a missing answer are fine."""
    found = corpus(tmp_path, HEAD, b'\n{"request": {"method": "GET", "target": "/"}}\r\n\n')
    assert [(one.line, one.request.target, one.answer) for one in found.entries] == [(3, "/", None)]
    assert found.environment == "test"


def test_what_a_recording_lost_is_counted(tmp_path: Path) -> None:
    """A corpus doesn't look more complete than it is."""
    found = corpus(tmp_path, HEAD, lost_line(2), entry_line(REQUEST, None), lost_line(3))
    assert (found.lost, len(found.entries)) == (5, 1)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param(b'{"request": ', "not a line of JSON: EOF", id="cut"),
        pytest.param(b"\xff", "not a line of JSON: ", id="no text"),
        pytest.param(b"[]", "the line: ", id="no object"),
        pytest.param(b"{}", "required key request is missing", id="empty"),
        pytest.param(b'{"request": {"target": "/"}}', "required key request.method is missing", id="no method"),
        pytest.param(b'{"request": {"method": "GET", "target": "/", "x": 1}}', "unknown key request.x", id="unknown"),
        pytest.param(b'{"request": {"method": "GET", "target": "a"}}', "request.target: ", id="relative"),
        pytest.param(
            b'{"request": {"method": "GET", "target": "/ x"}}', "request.target: ", id="a second line's start"
        ),
        pytest.param(
            b'{"request": {"method": "GET", "target": "/", "headers": [["A", "b\\r\\nC: d"]]}}',
            "request.headers.0.1: ",
            id="two headers in one",
        ),
        pytest.param(
            '{"request": {"method": "GET", "target": "/", "headers": [["A", "€"]]}}'.encode(),
            "request.headers.0.1: ",
            id="what no header can hold",
        ),
        pytest.param(
            b'{"request": {"method": "GET", "target": "/", "base64": "!"}}', "request.base64: ", id="no base64"
        ),
        pytest.param(
            b'{"request": {"method": "GET", "target": "/", "base64": "", "body": ""}}',
            "request has both body and base64",
            id="two bodies",
        ),
        pytest.param(
            b'{"request": {"method": "GET", "target": "/"}, "answer": {"status": 20}}', "answer.status: ", id="status"
        ),
        pytest.param(b'{"lost": "x"}', "lost: ", id="lost"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: bytes, problem: str) -> None:
    """With file and line, as an editor jumps to it."""
    with pytest.raises(ConfigError) as caught:
        corpus(tmp_path, HEAD, entry_line(REQUEST, None), line + b"\n")
    assert caught.value.message.startswith(f"corpora/orders.jsonl:3: {problem}")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        pytest.param([b""], "corpora/orders.jsonl:1: not a line of JSON", id="empty"),
        pytest.param([entry_line(REQUEST, None)], "corpora/orders.jsonl:1: ", id="without its first line"),
        pytest.param([b'{"corpus": 2}\n'], "corpora/orders.jsonl:1: corpus 2 is of another multistack", id="newer"),
    ],
)
def test_a_file_that_is_no_corpus_is_refused(tmp_path: Path, lines: list[bytes], problem: str) -> None:
    """One of another version too."""
    with pytest.raises(ConfigError) as caught:
        corpus(tmp_path, *lines)
    assert caught.value.message.startswith(problem)


def test_a_missing_corpus_says_how_to_make_it(tmp_path: Path) -> None:
    """The hint is the next command."""
    with pytest.raises(ConfigError, match="there is no corpus") as caught:
        read_corpus(tmp_path / "orders.jsonl", shown="corpora/orders.jsonl")
    assert caught.value.hint == "multistack record start orders"
