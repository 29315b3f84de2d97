"""What of the proxy's exchanges gets into a corpus, and what a full disk does to it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.model import Exchange, Source
from emulator.replay import writing
from emulator.replay.corpus import Corpus, read_corpus
from emulator.replay.lines import head_line
from emulator.replay.recording import (
    RECORDING_FILE,
    Recording,
    end_recording,
    read_recording,
    watch_recording,
    write_recording,
)
from emulator.replay.writing import MOST_BYTES, CorpusWriter
from tests.unit.exchanges import make_exchange


@pytest.fixture
def corpus_file(tmp_path: Path) -> Iterator[Path]:
    """The file of the recording that goes on."""
    path = tmp_path / "orders.jsonl"
    path.write_bytes(head_line("test"))
    write_recording(tmp_path / RECORDING_FILE, Recording(name="orders", path=path, environment="test"))
    return path


def written(path: Path, *exchanges: Exchange) -> Corpus:
    """What is in the corpus after these."""
    writer = CorpusWriter(watch_recording(path.parent / RECORDING_FILE))
    for exchange in exchanges:
        writer.accept(exchange)
    writer.flush()
    return read_corpus(path, shown=path.name)


def test_an_exchange_is_written_without_its_connection(corpus_file: Path) -> None:
    """And without what is another one with each request, so that git sees only what counts."""
    exchange = make_exchange(
        "/orders",
        method="POST",
        headers=[
            ("Host", "localhost"),
            ("Content-Length", "2"),
            ("X-Multistack-Environment", "test"),
            ("Accept", "*/*"),
        ],
        body=b"{}",
        status=201,
        answer_headers=[
            ("Date", "now"),
            ("X-Amzn-Requestid", "1"),
            ("X-Multistack-Release", "r"),
            ("Location", "/test/orders/1"),
        ],
        answer=b"[]",
    )
    (entry,) = written(corpus_file, exchange).entries
    assert (entry.request.method, entry.request.target, entry.request.body) == ("POST", "/orders", b"{}")
    assert list(entry.request.headers) == [("Accept", "*/*")]
    assert entry.answer is not None
    assert (entry.answer.status, entry.answer.body) == (201, b"[]")
    assert list(entry.answer.headers) == [("Location", "/orders/1")]


@pytest.mark.parametrize(
    "exchange",
    [
        pytest.param(make_exchange(environment="prod"), id="of another environment"),
        pytest.param(make_exchange(source=Source.COMPARISON), id="of a comparison"),
        pytest.param(make_exchange(problem="down", status=503), id="that no environment answered"),
    ],
)
def test_what_no_client_asked_this_environment_is_left_out(corpus_file: Path, exchange: Exchange) -> None:
    """A comparison must not grow a corpus."""
    assert written(corpus_file, exchange).entries == []


@pytest.mark.parametrize(
    "exchange",
    [
        pytest.param(make_exchange(faults=["latency"]), id="disturbed"),
        pytest.param(make_exchange(faults=["1"], problem="fault", status=503), id="a fault in place of one"),
        pytest.param(make_exchange(is_complete=False), id="broken off"),
    ],
)
def test_an_answer_that_was_not_the_environments_own_is_not_kept(corpus_file: Path, exchange: Exchange) -> None:
    """The request is: it can be sent again."""
    (entry,) = written(corpus_file, exchange).entries
    assert (entry.request.target, entry.answer) == ("/orders/1", None)


def test_nothing_is_wanted_while_nothing_is_recorded(tmp_path: Path, corpus_file: Path) -> None:
    """The switch counts at once, in both directions."""
    writer = CorpusWriter(watch_recording(tmp_path / RECORDING_FILE))
    assert writer.body_limit == MOST_BYTES
    end_recording(tmp_path / RECORDING_FILE)
    assert writer.body_limit is None
    writer.accept(make_exchange())
    assert read_corpus(corpus_file, shown="").entries == []
    end_recording(tmp_path / RECORDING_FILE)  # twice is fine


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"name": 1}'])
def test_a_broken_switch_records_nothing(tmp_path: Path, content: bytes) -> None:
    """Somebody edited it: proxying goes on."""
    (tmp_path / RECORDING_FILE).write_bytes(content)
    assert read_recording(tmp_path / RECORDING_FILE) is None


def test_what_a_full_disk_loses_is_counted(corpus_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a line never stays, and the count is written as soon as anything can be."""
    writer = CorpusWriter(watch_recording(corpus_file.parent / RECORDING_FILE))
    writer.accept(make_exchange("/before"))
    size = corpus_file.stat().st_size

    def fill(file: object, _size: int, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(writing, "_write_whole", fill)
        for _ in range(3):
            writer.accept(make_exchange("/lost"))
    assert corpus_file.stat().st_size == size
    writer.accept(make_exchange("/after"))
    found = read_corpus(corpus_file, shown="")
    assert ([one.request.target for one in found.entries], found.lost) == (["/before", "/after"], 3)


class _Filling:
    """Takes three bytes, then the disk is full."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self.truncate = file.truncate

    def write(self, content: bytes) -> int | None:
        """Some of it."""
        if self._file.tell() > 8:
            raise OSError(28, "No space left on device")
        return self._file.write(content[:3])


def test_half_a_line_is_taken_back(tmp_path: Path) -> None:
    """Else it would spoil the next one."""
    path = tmp_path / "a"
    path.write_bytes(b"whole\n")

    with path.open("ab", buffering=0) as file, pytest.raises(OSError, match="No space"):
        writing._write_whole(_Filling(file), 6, b"and another\n")  # type: ignore[arg-type]
    assert path.read_bytes() == b"whole\n"


def test_a_corpus_whose_file_is_gone_begins_anew(corpus_file: Path) -> None:
    """With its first line: it can be read."""
    corpus_file.unlink()
    assert len(written(corpus_file, make_exchange()).entries) == 1


def test_what_never_came_is_counted(corpus_file: Path) -> None:
    """At once: no other exchange may follow."""
    writer = CorpusWriter(watch_recording(corpus_file.parent / RECORDING_FILE))
    writer.lost(3)
    assert read_corpus(corpus_file, shown="").lost == 3


def test_a_corpus_that_nobody_ends_fills_no_disk(corpus_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too much is counted."""
    monkeypatch.setattr(writing, "MOST_CORPUS_BYTES", 1000)
    found = written(corpus_file, *[make_exchange(f"/{number}") for number in range(50)])
    assert 0 < len(found.entries) < 20
    assert len(found.entries) + found.lost == 50
    assert corpus_file.stat().st_size < 2000
