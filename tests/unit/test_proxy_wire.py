"""Bytes from and to a client's socket."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.proxy.problems import Problem
from emulator.proxy.wire import Reader, RequestBody, Writer


class FakeSocket:
    """A client that sends its bytes in given pieces, then ends or fails."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = list(pieces)
        self.sent: list[bytes] = []

    def recv(self, size: int) -> bytes:
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        assert len(piece) <= size
        return piece

    def sendall(self, content: bytes) -> None:
        self.sent.append(content)


def make_body(*pieces: bytes | Exception, length: int | None = None, **options: Any) -> tuple[RequestBody, Reader]:
    reader = Reader(FakeSocket(*pieces))  # type: ignore[arg-type]
    return RequestBody(reader, length=length, **options), reader


def read_all(body: RequestBody) -> bytes:
    return b"".join(iter(body.read, b""))


def test_reader_takes_lines_across_packets():
    """A line is a line however it arrives."""
    reader = Reader(FakeSocket(b"GET / HT", b"TP/1.1\r\nA: b\r\n", b"rest"))  # type: ignore[arg-type]

    assert [reader.readline(), reader.readline(3), reader.readline()] == [b"GET / HTTP/1.1\r\n", b"A: ", b"b\r\n"]
    assert not reader.has_data()
    assert [reader.readline(), reader.readline()] == [b"rest", b""]


def test_writer_sends_once():
    """Headers and the first bytes of the body leave together."""
    sock = FakeSocket()
    writer = Writer(sock)  # type: ignore[arg-type]
    writer.write(b"head")
    writer.write(b"body")
    writer.flush()
    writer.flush()

    assert sock.sent == [b"headbody"]


def test_body_is_read_as_it_arrives():
    """Bytes are passed on before the rest exists, and never beyond the body."""
    body, reader = make_body(b"ab", b"cdeGET", length=5)

    assert [body.read(), body.read(), body.read()] == [b"ab", b"cde", b""]
    assert body.is_finished
    assert reader.read1(9) == b"GET"


@given(chunks=st.lists(st.binary(min_size=1, max_size=50), max_size=8), cut=st.integers(min_value=1, max_value=40))
def test_chunked_body_is_whole_however_it_is_cut(chunks, cut):
    """Chunks are put together the same from packets of any size."""
    raw = b"".join(b"%x;a=b\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nTrailer: x\r\n\r\nNEXT"
    body, reader = make_body(*(raw[at : at + cut] for at in range(0, len(raw), cut)))

    assert read_all(body) == b"".join(chunks)
    assert body.is_finished
    assert reader.readline() == b"NEXT"


@pytest.mark.parametrize(
    ("raw", "length"),
    [
        pytest.param(b"abc", 5, id="short-of-its-length"),
        pytest.param(b"", None, id="no-chunk"),
        pytest.param(b"3\r\nabc\r\n", None, id="no-last-chunk"),
        pytest.param(b"5\r\nabc", None, id="within-a-chunk"),
        pytest.param(b"3\r\nabcd\r\n0\r\n\r\n", None, id="longer-than-it-says"),
        pytest.param(b"-1\r\n\r\n", None, id="negative-size"),
        pytest.param(b"0x3\r\nabc\r\n0\r\n\r\n", None, id="prefixed-size"),
        pytest.param(b"3\nabc\r\n0\r\n\r\n", None, id="bare-line-feed"),
        pytest.param(b"\r\n", None, id="empty-size"),
        pytest.param(b"f" * 5000 + b"\r\n", None, id="endless-size"),
        pytest.param(b"0\r\nTrailer: x\r\n", None, id="trailers-break-off"),
        pytest.param(b"0\r\n" + b"T: x\r\n" * 100 + b"\r\n", None, id="endless-trailers"),
    ],
)
def test_broken_body_is_never_taken_for_whole(raw, length):
    """Whatever ends early or is framed wrongly is refused."""
    body, _ = make_body(raw, length=length)

    with pytest.raises(Problem) as caught:
        read_all(body)

    assert caught.value.status == 400
    assert not body.is_finished


@pytest.mark.parametrize(
    ("error", "status"),
    [(TimeoutError("timed out"), 408), (ConnectionResetError("reset"), 400)],
    ids=["stall", "reset"],
)
def test_client_that_stops_is_told_why(error, status):
    """A stalled body is a timeout, a reset a broken request."""
    body, _ = make_body(b"ab", error, length=5)

    with pytest.raises(Problem) as caught:
        read_all(body)

    assert caught.value.status == status


def test_client_is_invited_once_and_only_when_needed():
    """`Expect: 100-continue` is answered when somebody wants the body."""
    invitations: list[str] = []
    body, _ = make_body(b"ab", b"c", length=3, invite=lambda: invitations.append("come"))
    assert invitations == []

    assert read_all(body) == b"abc"
    assert invitations == ["come"]


def test_no_body_is_finished_from_the_start():
    """Nothing to read means nothing left behind on the connection."""
    body, _ = make_body(b"GET", length=0)

    assert body.is_finished
    assert body.read() == b""
