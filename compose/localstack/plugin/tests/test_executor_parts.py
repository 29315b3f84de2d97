"""The parts of the executor that need no LocalStack."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from multistack_localstack.executor import outcomes, reporting
from multistack_localstack.executor.delivery import LogDelivery, Stream
from multistack_localstack.executor.log_lines import MAX_LINE, LogEvent, LogLines
from multistack_localstack.executor.multistack_bootstrap import search_path
from multistack_localstack.executor.nursery import can_fork
from multistack_localstack.executor.runtimes import difference, is_python
from multistack_localstack.executor.timers import Clockwork, SharedTimer
from multistack_localstack.executor.variables import OPT, Installation, of_function
from multistack_localstack.executor.wire import Broken, Connection

STREAM = Stream(account_id="111111111111", region="us-east-1", group="/aws/lambda/f", stream="s")


def frame(text: str, *, at: float = 5.0, kind: bytes = b"\xa5\x5a\x00\x03") -> bytes:
    """A record as AWS's runtime writes it."""
    data = text.encode()
    return kind + len(data).to_bytes(4, "big") + int(at * 1e6).to_bytes(8, "big") + data


def texts(chunks: Sequence[bytes]) -> list[str]:
    """The events of a stream that comes in *chunks*."""
    lines = LogLines(clock=lambda: 1.0)
    events = [event for chunk in chunks for event in lines.feed(chunk)]
    return [event.text for event in [*events, *lines.flush()]]


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param([b"a\nb\n"], ["a", "b"], id="lines"),
        pytest.param([b"a", b"b\nc"], ["ab", "c"], id="a line in parts"),
        pytest.param([b"\n\n a \r\n"], [" a "], id="empty lines are none"),
        pytest.param([frame("one\ntwo\n")], ["one\ntwo"], id="a record of two lines"),
        pytest.param([b"a\n" + frame("r") + b"b\n"], ["a", "r", "b"], id="in between"),
        pytest.param([b"a" + frame("r") + b"b"], ["a", "r", "b"], id="after an unfinished line"),
        pytest.param([frame("record")[:7], frame("record")[7:]], ["record"], id="a head in parts"),
        pytest.param([frame("record")[:18], frame("record")[18:]], ["record"], id="a record in parts"),
        pytest.param([b"\xff\xfe\n"], ["\ufffd\ufffd"], id="no text"),
    ],
)
def test_log_is_cut_into_events(chunks: Sequence[bytes], expected: list[str]) -> None:
    """Output is cut at line ends, records stay whole, and however it arrives makes no difference."""
    assert texts(chunks) == expected
    stream = b"".join(chunks)
    assert texts([stream[at : at + 1] for at in range(len(stream))]) == expected


def test_line_over_cloudwatchs_limit_is_divided() -> None:
    """A line without end doesn't grow in memory, and nothing of it is lost."""
    found = texts([b"x" * (MAX_LINE + 5), b"y\n"])
    assert "".join(found) == "x" * (MAX_LINE + 5) + "y"
    assert max(map(len, found)) <= MAX_LINE


def test_record_keeps_its_own_time() -> None:
    """A record tells when it was made; a line was made when it was read."""
    events = LogLines(clock=lambda: 9.0).feed(b"line\n" + frame("record", at=5.25))
    assert [event.at for event in events] == [9.0, 5.25]


@pytest.mark.parametrize("size", [1, 7, 100_000], ids=["bytes", "pieces", "whole"])
def test_requests_of_a_runtime_are_read(size: int) -> None:
    """Head and body are put together however they arrive, one request after the other."""
    own, other = socket.socketpair()
    with own, other:
        own.setblocking(False)
        connection = _connection(own)
        sent = (
            b"POST /a HTTP/1.1\r\nContent-Length: 3\r\nX-Name: v\r\n\r\nabc",
            b"GET /b HTTP/1.1\r\n\r\n",
            b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
        )
        found = []
        for request in sent:
            for at in range(0, len(request), size):
                other.sendall(request[at : at + size])
                found.append(connection.receive())
        whole = [(one.method, one.path, one.body) for one in found if one is not None]
    assert whole == [("POST", "/a", b"abc"), ("GET", "/b", b""), ("POST", "/c", b"abcde")]


def _connection(own: socket.socket) -> Connection:
    class Plain:
        """A socket pair has no TCP options."""

        def __getattr__(self, name: str) -> object:
            return getattr(own, name)

        def setsockopt(self, *_: object) -> None:
            """Nothing to set."""

    return Connection(Plain())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"nonsense\r\n\r\n", id="no request"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", id="length"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", id="too long"),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="chunk"),
    ],
)
def test_what_is_no_request_is_refused(sent: bytes) -> None:
    """A child that speaks no HTTP can't make the emulator wait or fill its memory."""
    own, other = socket.socketpair()
    with own, other:
        own.setblocking(False)
        other.sendall(sent)
        connection = _connection(own)
        with pytest.raises(Broken):
            connection.receive()


def test_timeout_is_told_in_awss_words() -> None:
    """Time, request and seconds with two places."""
    failure = outcomes.timed_out("id-1", 3, now=datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC))
    assert failure.lines == ("2026-01-02T03:04:05.678Z id-1 Task timed out after 3.00 seconds",)
    assert failure.status == "timeout"


def test_report_has_awss_fields() -> None:
    """Durations in milliseconds, the billed one rounded up."""
    usage = reporting.Usage(duration=0.00123, memory_size=128, memory_used=40, init=0.25)
    assert reporting.report_line("id", usage, status="error").split("\t") == [
        "REPORT RequestId: id",
        "Duration: 1.23 ms",
        "Billed Duration: 2 ms",
        "Memory Size: 128 MB",
        "Max Memory Used: 40 MB",
        "Init Duration: 250.00 ms",
        "Status: error",
    ]


@pytest.mark.parametrize(
    ("runtime", "runs"),
    [("python3.12", True), ("python3.14", True), ("python2.7", False), ("nodejs22.x", False), (None, False)],
)
def test_any_python_runs(runtime: str | None, runs: bool) -> None:
    """Every declared Python 3 runs on the image's; nothing else does."""
    assert is_python(runtime) is runs


def test_other_python_is_told() -> None:
    """Only a Python that isn't the image's is worth a word."""
    own = f"python3.{sys.version_info.minor}"
    assert difference(own) == ""
    assert difference("python3.8") == f"python3.8 runs on the image's {own}"


def test_variables_are_awss_and_own(tmp_path: Path) -> None:
    """LocalStack's go, the function's own stay, also one that is called like LocalStack's."""
    given = {"A": 1, "LOCALSTACK_RUNTIME_ID": "x", "LOCALSTACK_OWN": "y", "EDGE_PORT": "4566", "GONE": None}
    found = of_function(
        given, {"LOCALSTACK_OWN": "y"}, Installation(task=tmp_path), runtime="python3.12", runtime_api="127.0.0.1:1"
    )
    assert found["A"] == "1"
    assert found["LOCALSTACK_OWN"] == "y"
    assert found["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.12"
    assert {"LOCALSTACK_RUNTIME_ID", "EDGE_PORT", "GONE", OPT, "LD_LIBRARY_PATH"} & set(found) == set()


def test_libraries_of_code_and_layers_are_found(tmp_path: Path) -> None:
    """A lib folder makes programs search there; without one they aren't told to."""
    installation = Installation(task=tmp_path / "task", opt=tmp_path / "opt")
    (tmp_path / "opt" / "lib").mkdir(parents=True)
    found = of_function({}, {}, installation, runtime="python3.13", runtime_api="127.0.0.1:1")
    assert found["LD_LIBRARY_PATH"] == f"{tmp_path / 'task'}:{tmp_path / 'opt' / 'lib'}"
    assert found["PATH"].endswith(f":{tmp_path / 'opt' / 'bin'}")
    assert installation.located("/opt/wrapper") == str(tmp_path / "opt" / "wrapper")


def test_search_path_is_awss() -> None:
    """The function's folder, its layers, the interpreter's own, the runtime's."""
    minor = sys.version_info.minor
    assert search_path(["/lib"], task="/task", opt="/o", runtime="/var/runtime") == [
        "/task",
        f"/o/python/lib/python3.{minor}/site-packages",
        "/o/python",
        "/lib",
        "/var/runtime",
    ]


@pytest.mark.parametrize(
    ("environ", "brought", "forks"),
    [
        pytest.param({}, None, True, id="plain"),
        pytest.param({}, "boto3/__init__.py", False, id="its own SDK"),
        pytest.param({}, "six.py", False, id="a module of it"),
        pytest.param({"PYTHONPATH": "x"}, None, False, id="for the interpreter"),
        pytest.param({"LD_LIBRARY_PATH": "x"}, None, False, id="for the loader"),
        pytest.param({"AWS_LAMBDA_EXEC_WRAPPER": "/opt/w"}, None, False, id="wrapped"),
    ],
)
def test_fork_only_where_it_does(tmp_path: Path, environ: Mapping[str, str], brought: str | None, forks: bool) -> None:
    """A function that would notice gets an interpreter of its own."""
    if brought:
        (tmp_path / brought).parent.mkdir(exist_ok=True)
        (tmp_path / brought).touch()
    assert can_fork(environ, Installation(task=tmp_path)) is forks


def test_lines_are_delivered_in_order_and_by_stream() -> None:
    """A flush puts all lines of a stream in one go, as they were written, with times that never go back."""
    puts: list[tuple[Stream, list[tuple[object, ...]]]] = []
    delivery = LogDelivery(
        lambda stream, events: puts.append((stream, [tuple(one.values()) for one in events])), pause=60
    )
    delivery.add(STREAM, [LogEvent(2.0, "a"), LogEvent(1.0, "b")])
    delivery.add(STREAM, [LogEvent(3.0, "c")])
    delivery.flush()
    delivery.flush()
    assert puts == [(STREAM, [(2000, "a"), (2000, "b"), (3000, "c")])]


def test_lines_that_cannot_be_put_do_not_hold_up_others() -> None:
    """One group that fails loses its lines, and says so."""
    puts = []

    def put(stream: Stream, events: Sequence[Mapping[str, object]]) -> None:
        if stream.group == "bad":
            raise ValueError("no")
        puts.append(stream.group)

    delivery = LogDelivery(put, pause=60)
    for group in ("bad", "good"):
        delivery.add(Stream(account_id="1", region="r", group=group, stream="s"), [LogEvent(1.0, "x")])
    delivery.flush()
    assert puts == ["good"]


def test_timers_run_in_their_order_and_not_when_cancelled() -> None:
    """A later one that was started first does not hold up an earlier one."""
    clockwork, ran, ended = Clockwork(), [], threading.Event()

    def last() -> None:
        ran.append("last")
        ended.set()

    late = SharedTimer(0.2, last, clockwork)
    early = SharedTimer(0.05, lambda: ran.append("early"), clockwork)
    never = SharedTimer(0.1, lambda: ran.append("never"), clockwork)
    for timer in (late, never, early):
        timer.start()
    never.cancel()
    assert ended.wait(5)
    assert ran == ["early", "last"]


def test_many_restarted_timers_cost_no_threads() -> None:
    """A timer is started and cancelled with each call of a function."""
    clockwork = Clockwork()
    before = threading.active_count()
    for _ in range(1000):
        timer = SharedTimer(60, time.monotonic, clockwork)
        timer.start()
        timer.cancel()
    assert threading.active_count() <= before + 1
