"""What becomes of each request of a replay, with a sender that answers from a table."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from emulator.differences.json_paths import first_value
from emulator.inspector.redaction import Redaction
from emulator.model import CarryRule, ComparisonRules, ExpectedDifference, HttpAnswer, HttpRequest
from emulator.replay.carrying import Carried
from emulator.replay.corpus import Corpus, Entry
from emulator.replay.judging import Judge
from emulator.replay.results import RECORDED, Latencies, Replayed, Verdict
from emulator.replay.running import Plan, Runner
from emulator.replay.sending import NoAnswerError

Answering = Callable[[HttpRequest, str], HttpAnswer]


def answer(body: bytes = b"{}", *, status: int = 200, headers: list[tuple[str, str]] | None = None) -> HttpAnswer:
    """One as a service gives it."""
    found = [("Content-Type", "application/json"), *(headers or [])]
    return HttpAnswer(status=status, headers=found, body=body, body_length=len(body), seconds=0.01)


def request(target: str, method: str = "GET", body: bytes = b"") -> HttpRequest:
    """One of a corpus."""
    return HttpRequest(method=method, target=target, body=body, body_length=len(body))


def corpus(*pairs: tuple[HttpRequest, HttpAnswer | None]) -> Corpus:
    """In that order."""
    entries = [Entry(line=line, request=one, answer=other) for line, (one, other) in enumerate(pairs, start=2)]
    return Corpus(name="orders", environment="test", entries=entries)


class Sender:
    """Answers as a test says."""

    def __init__(self, answering: Answering) -> None:
        self.send = answering
        self.is_over = threading.Event()

    def stop(self) -> None:
        """Let those go that wait for it."""
        self.is_over.set()


def run(
    given: Corpus,
    answering: Answering,
    *,
    baseline: str = RECORDED,
    writes: bool = False,
    rules: ComparisonRules | None = None,
    carry: tuple[CarryRule, ...] = (),
    rate: float | None = None,
    check: Callable[[], None] = lambda: None,
) -> list[Replayed]:
    """The results of a replay against staging."""
    plan = Plan(corpus=given, environment="staging", baseline=baseline, writes=writes, rate=rate)
    runner = Runner(
        plan,
        sender=Sender(answering),
        carried=lambda: Carried(carry, find=first_value),
        judge=Judge(
            rules=rules or ComparisonRules(),
            redaction=Redaction(),
            between=("test", "staging"),
            is_recorded=baseline == RECORDED,
        ),
        check=check,
    )
    return list(runner.run())


def places(one: Replayed) -> list[str]:
    """Where it differs."""
    return [str(each.place) for each in one.difference.findings] if one.difference else []


def test_each_request_gets_its_verdict_in_the_corpuss_order() -> None:
    """Equal, different, skipped, not compared, not answered."""

    def answering(asked: HttpRequest, environment: str) -> HttpAnswer:
        assert environment == "staging"
        if asked.target == "/gone":
            raise NoAnswerError("the connection broke")
        return answer(b'{"a": 2}')

    cut = HttpRequest(method="PUT", target="/cut", body=b"a", body_length=2)
    found = run(
        corpus(
            (request("/same"), answer(b'{"a": 2}')),
            (request("/other"), answer(b'{"a": 1}')),
            (request("/new"), None),
            (request("/gone"), answer()),
            (cut, answer()),
        ),
        answering,
        writes=True,
    )
    assert [one.line for one in found] == [2, 3, 4, 5, 6]
    assert [one.verdict for one in found] == [
        Verdict.EQUAL,
        Verdict.DIFFERENT,
        Verdict.NOT_COMPARED,
        Verdict.NO_ANSWER,
        Verdict.SKIPPED,
    ]
    assert places(found[1]) == ["$.a"]
    assert found[3].reason == "the connection broke"


def test_requests_that_may_change_something_need_a_word() -> None:
    """Without it they are skipped, and the reads are sent."""
    sent: list[str] = []

    def answering(asked: HttpRequest, _environment: str) -> HttpAnswer:
        sent.append(asked.method)
        return answer()

    pairs = [(request("/", method), answer()) for method in ("GET", "HEAD", "OPTIONS", "POST", "DELETE", "PURGE")]
    found = run(corpus(*pairs), answering)
    assert sorted(sent) == ["GET", "HEAD", "OPTIONS"]
    assert [one.verdict for one in found[3:]] == [Verdict.SKIPPED] * 3


def counting(body: str) -> Answering:
    """Answers with another number each time."""
    numbers: Iterator[int] = itertools.count(1)
    return lambda _asked, _environment: answer(body.replace("N", str(next(numbers))).encode())


def test_what_never_stays_the_same_is_masked() -> None:
    """The environment is asked a second time; the rest is compared nevertheless."""
    (found,) = run(corpus((request("/"), answer(b'{"at": 0, "a": 1}'))), counting('{"at": N, "a": 1}'))
    assert found.verdict is Verdict.EQUAL
    assert found.difference is not None
    assert [str(mask.place) for mask in found.difference.masked] == ["$.at"]
    (found,) = run(corpus((request("/"), answer(b'{"at": 0, "a": 1}'))), counting('{"at": N, "a": 2}'))
    assert places(found) == ["$.a"]


def test_a_write_is_never_repeated_to_find_noise() -> None:
    """What differs in its answer is a difference."""
    calls: list[str] = []

    def answering(asked: HttpRequest, _environment: str) -> HttpAnswer:
        calls.append(asked.method)
        return answer(b'{"at": 1}')

    (found,) = run(corpus((request("/", "POST"), answer(b'{"at": 0}'))), answering, writes=True)
    assert (calls, found.verdict) == (["POST"], Verdict.DIFFERENT)


def test_a_live_baseline_gets_the_same_requests() -> None:
    """Its answers are what counts, and not the recorded ones; noise is the baseline's."""
    numbers = itertools.count()

    def answering(asked: HttpRequest, environment: str) -> HttpAnswer:
        name = b"b" if asked.target == "/b" and environment == "staging" else b"a"
        return answer(b'{"n": %d, "name": "%b"}' % (next(numbers), name))

    found = run(corpus((request("/a"), None), (request("/b"), answer())), answering, baseline="test")
    assert [one.verdict for one in found] == [Verdict.EQUAL, Verdict.DIFFERENT]
    assert places(found[1]) == ["$.name"]


def test_each_environments_ids_are_its_own() -> None:
    """Carried over into its requests, and no difference between the two."""
    asked: list[tuple[str, str]] = []

    def answering(sent: HttpRequest, environment: str) -> HttpAnswer:
        asked.append((environment, sent.target))
        return answer(b'{"id": "order-of-%b"}' % environment.encode())

    given = corpus(
        (request("/orders", "POST"), answer(b'{"id": "recorded-1"}')), (request("/orders/recorded-1"), answer())
    )
    carry = (CarryRule(json_path="$.id", variable="order", request="POST /orders"),)
    found = run(given, answering, baseline="test", writes=True, carry=carry)
    assert [one.verdict for one in found] == [Verdict.EQUAL, Verdict.EQUAL]
    assert ("staging", "/orders/order-of-staging") in asked
    assert ("test", "/orders/order-of-test") in asked


def test_declared_differences_are_no_difference() -> None:
    """And are told, with their reason."""
    rules = ComparisonRules(expected=(ExpectedDifference(json_path="$.a", reason="v2"),))
    (found,) = run(corpus((request("/"), answer(b'{"a": 1}'))), lambda *_: answer(b'{"a": 2}'), rules=rules)
    assert found.verdict is Verdict.EQUAL
    assert found.difference is not None
    assert [one.by.reason for one in found.difference.expected] == ["v2"]


def test_secrets_are_compared_as_the_recording_has_them() -> None:
    """A recording keeps no token: another one is no difference, and stands in no report."""
    recorded = answer(b'{"token": "[redacted]", "a": 1}')
    (found,) = run(corpus((request("/"), recorded)), lambda *_: answer(b'{"token": "s3cret", "a": 1}'))
    assert found.verdict is Verdict.EQUAL
    (found,) = run(corpus((request("/"), recorded)), lambda *_: answer(b'{"token": "s3cret", "a": 2}'))
    assert places(found) == ["$.a"]
    assert "s3cret" not in repr(found)


def test_an_answer_of_the_proxy_is_none_of_the_environment() -> None:
    """Down is different, whatever was declared."""
    down = HttpAnswer(status=503, headers=[], body=b"{}", body_length=2, seconds=0.01, problem="down")
    (found,) = run(corpus((request("/"), answer())), lambda *_: down)
    assert found.verdict is Verdict.DIFFERENT


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(request("/login", "POST", b'{"password": "[redacted]"}'), id="JSON"),
        pytest.param(request("/login", "POST", b"user=a&password=redacted"), id="form"),
        pytest.param(request("/orders?token=redacted"), id="query"),
    ],
)
def test_a_request_without_its_secret_is_not_sent(asked: HttpRequest) -> None:
    """The environment would refuse it, or keep what stands for the secret."""
    (one,) = run(corpus((asked, answer())), lambda *_: answer(status=401), writes=True)
    assert one.verdict is Verdict.SKIPPED
    assert "a secret in it was not recorded" in one.reason


def test_an_interrupted_replay_sends_no_more() -> None:
    """And ends at once."""
    sent: list[str] = []

    def answering(asked: HttpRequest, _environment: str) -> HttpAnswer:
        sent.append(asked.target)
        if len(sent) > 4:
            raise KeyboardInterrupt
        return answer()

    with pytest.raises(KeyboardInterrupt):
        run(corpus(*[(request(f"/{number}"), answer()) for number in range(1000)]), answering)
    assert len(sent) < 1000


def test_an_interrupted_replay_waits_for_no_rate() -> None:
    """Whoever sleeps until the next request's moment is woken."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    started = time.monotonic()
    given = corpus(*[(request(f"/{number}"), answer()) for number in range(10)])
    with pytest.raises(KeyboardInterrupt):
        run(given, lambda *_: answer(), rate=0.01, check=interrupt)
    assert time.monotonic() - started < 10


def test_latencies_are_of_what_was_answered() -> None:
    """Percentiles are values that were seen."""
    found = Latencies.of([0.001 * number for number in range(1, 101)] + [None])
    assert found == Latencies(median=0.05, p95=0.095, p99=0.099, longest=0.1)
    assert Latencies.of([None]) is None
