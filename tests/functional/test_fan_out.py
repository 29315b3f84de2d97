"""Several environments asked at once through the proxy's own process, between real sockets."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from emulator.inspector.finding import Filter, Requests
from emulator.inspector.rows import REQUESTS_FILE
from emulator.model import ComparisonRules, ExpectedDifference, Route, Rules, Source
from emulator.proxy.selection import OWN_HEADERS
from emulator.routes import publish_routes
from emulator.rules import RULES_FILE, publish_rules
from tests.functional.raw_proxy import API, CloseConnection, Exchange, Proxy, Upstream, own_process, wait_until

pytestmark = pytest.mark.embedded("no environment is started")

NAMES = ("test", "staging", "prod")
WRITES = {"X-Multistack-Writes": "yes"}
PROTECTED = {"X-Multistack-Protected": "yes"}


@dataclass
class Environments:
    """The proxy, and a scripted upstream for each environment."""

    proxy: Proxy
    upstreams: dict[str, Upstream]

    def publish(self, **urls: str | None) -> None:
        """Prod is protected; an environment's URL may be replaced."""
        publish_routes(
            self.proxy.routes,
            [
                Route(
                    environment=name,
                    account_id=f"00000000000{number}",
                    region="eu-central-1",
                    driver="embedded",
                    url=urls.get(name, upstream.url),
                    process=own_process(),
                    release=f"release-{name}",
                    digest="ab" * 32,
                    apis=(API,),
                    default_api="Api",
                    protected=name == "prod",
                )
                for number, (name, upstream) in enumerate(self.upstreams.items())
            ],
        )

    def rules(self, *expected: ExpectedDifference, ignore_order: Sequence[str] = ()) -> None:
        """Publish what counts as a difference."""
        comparison = ComparisonRules(expected=expected, ignore_order=tuple(ignore_order))
        publish_rules(self.proxy.log.parent / RULES_FILE, Rules(comparison=comparison))

    def script(self, **answers: Any) -> None:
        """What each environment answers: JSON, a function of the exchange, or what `answering` makes."""
        for name, answer in answers.items():
            self.upstreams[name].script = answer if callable(answer) else answering(answer)

    def ask(self, target: str = "/_all/a?b=c", **options: Any) -> dict[str, Any]:
        """The document of one fan-out."""
        response, body = self.proxy.ask(target, **options)
        assert (response.status, response.getheader("Content-Type")) == (200, "application/json")
        return dict(json.loads(body))

    def asked(self) -> dict[str, int]:
        """How many requests each environment got."""
        return {name: len(upstream.exchanges) for name, upstream in self.upstreams.items()}


def answering(content: Any, *, status: str = "200 OK", headers: tuple[str, ...] = ()) -> Callable[[Exchange], None]:
    """A script that answers with JSON, made anew each time if *content* is a function."""

    def answer(exchange: Exchange) -> None:
        exchange.read_body()
        body = json.dumps(content() if callable(content) else content).encode()
        exchange.answer(body, status=status, headers=("Content-Type: application/json", *headers))

    return answer


def wheres(document: dict[str, Any], name: str) -> list[str]:
    """Where an environment differs from the baseline."""
    return [one["where"] for one in document["environments"][name]["differences"]]


@pytest.fixture
def environments(running_proxy: Proxy) -> Iterator[Environments]:
    """Three environments that all answer alike."""
    with _environments(running_proxy) as found:
        yield found


@pytest.fixture
def hurried(impatient_proxy: Proxy) -> Iterator[Environments]:
    """The same behind a proxy that gives one up soon."""
    with _environments(impatient_proxy) as found:
        yield found


@contextlib.contextmanager
def _environments(proxy: Proxy) -> Iterator[Environments]:
    with contextlib.ExitStack() as stack:
        upstreams = {name: stack.enter_context(contextlib.closing(Upstream())) for name in NAMES}
        found = Environments(proxy, upstreams)
        found.script(**dict.fromkeys(NAMES, answering({"a": 1})))
        found.publish()
        found.rules()
        yield found


def test_one_request_is_answered_by_all_environments(environments):
    """`/_all/` asks every environment the same, and tells of each what came back and which release it was."""
    found = environments.ask()

    assert (found["request"], found["baseline"]) == ({"method": "GET", "target": "/a?b=c"}, "test")
    assert found["is_equal"] is True
    assert list(found["environments"]) == list(NAMES)
    entry = found["environments"]["prod"]
    assert (entry["status"], entry["body"], entry["body_encoding"]) == (200, {"a": 1}, "json")
    assert (entry["release"], entry["digest"], entry["body_length"]) == ("release-prod", "ab" * 32, 8)
    assert 0 < entry["seconds"] < 10
    assert ["X-Multistack-Environment", "prod"] in entry["headers"]
    assert environments.asked() == dict.fromkeys(NAMES, 1)
    assert {upstream.last.target.rpartition("/")[2] for upstream in environments.upstreams.values()} == {"a?b=c"}


@pytest.mark.parametrize(
    ("target", "header", "asked"),
    [
        pytest.param("/a", "prod,test", ["test", "prod"], id="list"),
        pytest.param("/a", "*", ["test", "staging", "prod"], id="every"),
        pytest.param("/_all/a", "staging, prod", ["staging", "prod"], id="list with path"),
        pytest.param("/a", "prod,", ["prod"], id="one"),
    ],
)
def test_a_header_names_the_environments(environments, target, header, asked):
    """The first in promotion order is the baseline, and nobody else is asked."""
    found = environments.ask(target, headers={"X-Multistack-Environment": header})

    assert list(found["environments"]) == asked
    assert found["request"]["target"] == "/a"
    assert [name for name, count in environments.asked().items() if count] == asked


def test_any_environment_can_be_the_baseline(environments):
    """Production is what a release is held against as well."""
    environments.script(test={"a": 2})

    found = environments.ask(headers={"X-Multistack-Baseline": "prod"})

    assert (found["baseline"], list(found["environments"])) == ("prod", ["prod", "test", "staging"])
    (difference,) = found["environments"]["test"]["differences"]
    assert difference == {"where": "$.a", "kind": "changed", "baseline": 1, "value": 2}


def test_what_differs_is_told_by_environment(environments):
    """A difference has its place, its kind and both values."""
    environments.script(staging=answering({"a": 1}, headers=("X-A: 1",)), prod=answering({"b": 1}, status="404 No"))

    found = environments.ask()

    assert found["is_equal"] is False
    assert found["environments"]["test"]["differences"] == []
    assert found["environments"]["staging"]["differences"] == [
        {"where": "header x-a", "kind": "added", "baseline": None, "value": "1"}
    ]
    assert wheres(found, "prod") == ["status", "$.a", "$.b"]


def test_what_differs_by_itself_is_masked(environments):
    """Environments that differ are asked twice: ids and times of each request are noise, and named."""
    numbers = itertools.count()

    answer = answering(lambda: {"id": next(numbers), "items": [{"at": next(numbers), "n": 1}]})
    environments.script(**dict.fromkeys(NAMES, answer))
    found = environments.ask()

    assert found["is_equal"] is True
    why = "differs when the same environment is asked twice"
    assert found["masked"] == [{"where": "$.id", "why": why}, {"where": "$.items[*].at", "why": why}]
    assert environments.asked() == dict.fromkeys(NAMES, 2)


def test_noise_hides_no_difference_beside_it(environments):
    """What is the same each time, and another in another environment, stays a difference."""
    numbers = itertools.count()
    environments.script(
        test=answering(lambda: {"id": next(numbers), "price": 1}),
        prod=answering(lambda: {"id": next(numbers), "price": 2}),
        staging=answering(lambda: {"id": next(numbers), "price": 1}),
    )

    found = environments.ask()

    assert (wheres(found, "staging"), wheres(found, "prod")) == ([], ["$.price"])


def test_a_status_that_changes_by_itself_is_never_masked(environments):
    """An environment that fails every second time is no environment that is like the others."""
    answers = itertools.cycle([answering({"a": 2}), answering({"a": 2}, status="500 No")])

    def alternate(exchange: Exchange) -> None:
        next(answers)(exchange)

    environments.script(prod=alternate)

    found = environments.ask()

    assert found["environments"]["prod"]["differences"][0] == {
        "where": "status",
        "kind": "unstable",
        "baseline": 200,
        "value": 500,
    }
    assert found["masked"] == []


def test_declared_differences_are_expected(environments):
    """What the project declares is told as expected, and what it declares in vain as unused."""
    environments.rules(
        ExpectedDifference(json_path="$.name", reason="its name"),
        ExpectedDifference(between=("test", "prod"), json_path="$.gone", reason="long ago"),
        ExpectedDifference(between=("staging", "prod"), json_path="$.other"),
    )
    environments.script(**{name: {"name": name} for name in NAMES})

    found = environments.ask()

    assert found["is_equal"] is True
    assert found["expected"][1] == {
        "environment": "prod",
        "where": "$.name",
        "kind": "changed",
        "baseline": "test",
        "value": "prod",
        "reason": "its name",
    }
    assert found["unused"] == [{"between": ["test", "prod"], "json_path": "$.gone", "reason": "long ago"}]


def test_edited_rules_count_at_once(environments):
    """The proxy notices new rules without a restart."""
    environments.script(**{name: {"items": items} for name, items in zip(NAMES, ([1, 2], [2, 1], [1, 2]), strict=True)})
    assert environments.ask()["is_equal"] is False

    environments.rules(ignore_order=["$.items"])

    assert environments.ask()["is_equal"] is True


def test_a_stopped_environment_is_an_entry_with_its_problem(environments):
    """One that is down never fails the whole, and never passes as equal."""
    environments.publish(staging=None)

    found = environments.ask()

    problem = found["environments"]["staging"]["problem"]
    assert (problem["type"], problem["next"]) == ("urn:multistack:problem:stopped", "multistack up staging")
    assert wheres(found, "staging") == ["status", "problem"]
    assert (found["is_equal"], wheres(found, "prod")) == (False, [])


def test_two_stopped_environments_are_not_equal(environments):
    """Where nobody answered, nothing was compared."""
    environments.publish(test=None, staging=None)

    found = environments.ask(headers={"X-Multistack-Environment": "test,staging"})

    assert found["is_equal"] is False


def test_an_environment_that_dies_in_the_middle_is_an_entry(environments):
    """A body that breaks off is told as such, and the other answers arrive."""

    def die(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        raise CloseConnection

    environments.script(prod=die)
    found = environments.ask()

    entry = found["environments"]["prod"]
    assert entry["problem"]["type"] == "urn:multistack:problem:broken-answer"
    assert (entry["status"], entry["body"], wheres(found, "prod")) == (200, "half", ["problem"])
    assert found["environments"]["staging"]["differences"] == []


def test_an_endless_stream_ends_by_time(hurried):
    """An answer that never ends is cut after the proxy's timeout; what came is hashed, its first part kept."""
    left = threading.Event()

    def stream(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                exchange.send(b"10000\r\n", b"x" * 65536, b"\r\n")
                time.sleep(0.01)
        finally:
            left.set()

    hurried.script(prod=stream)
    found = hurried.ask()

    entry = found["environments"]["prod"]
    assert entry["problem"]["type"] == "urn:multistack:problem:timeout"
    assert len(entry["body"]) <= 2**20
    assert left.wait(10), "the environment still sends"


def test_a_silent_environment_times_out_alone(hurried):
    """The others' answers are there."""
    go = threading.Event()
    hurried.script(prod=lambda exchange: go.wait(60) and None)

    found = hurried.ask()
    go.set()

    assert found["environments"]["prod"]["problem"]["type"] == "urn:multistack:problem:timeout"
    assert found["environments"]["staging"]["status"] == 200


def test_answers_of_many_megabytes_are_compared_by_their_hash(environments):
    """The first MiB is shown, the whole compared."""

    def large(last: bytes) -> Callable[[Exchange], None]:
        return lambda exchange: exchange.answer(b"x" * (5 * 2**20) + last, headers=("Content-Type: text/plain",))

    environments.script(test=large(b"1"), staging=large(b"1"), prod=large(b"2"))
    found = environments.ask()

    assert (wheres(found, "staging"), wheres(found, "prod")) == ([], ["body"])
    entry = found["environments"]["prod"]
    assert (len(entry["body"]), entry["body_length"]) == (2**20, 5 * 2**20 + 1)


def test_bodies_are_shown_as_what_they_are(environments):
    """JSON as JSON, text as text, other bytes in base64; JSON that isn't is text."""
    environments.script(
        test=lambda exchange: exchange.answer(b'{"a": NaN}', headers=("Content-Type: application/json",)),
        staging=lambda exchange: exchange.answer(b"\xff\x00", headers=("Content-Type: image/png",)),
        prod=answering([]),
    )

    found = environments.ask()["environments"]

    assert [(one["body"], one["body_encoding"]) for one in found.values()] == [
        ('{"a": NaN}', "text"),
        ("/wA=", "base64"),
        ([], "json"),
    ]


def test_all_environments_are_asked_at_once(environments):
    """The whole takes as long as the slowest."""
    barrier = threading.Barrier(3, timeout=20)

    def meet(exchange: Exchange) -> None:
        barrier.wait()
        answering({})(exchange)

    environments.script(**dict.fromkeys(NAMES, meet))

    assert environments.ask()["is_equal"] is True


def test_head_is_asked_for_with_a_header(environments):
    """An answer to HEAD could not tell what was found: GET carries the method."""
    environments.script(
        **dict.fromkeys(NAMES, lambda exchange: exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"))
    )

    found = environments.ask(headers={"X-Multistack-Method": "HEAD"})

    assert found["request"]["method"] == "HEAD"
    assert found["is_equal"] is True
    assert all(upstream.last.head.startswith(b"HEAD ") for upstream in environments.upstreams.values())


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_writes_need_a_word(environments, method):
    """Nothing that may change data goes to several environments by mistake."""
    problem = environments.proxy.problem("/_all/a", method=method)

    assert (problem["status"], problem["type"]) == (403, "urn:multistack:problem:writes")
    assert sum(environments.asked().values()) == 0


def test_a_protected_environment_needs_a_second_word(environments):
    """Whoever writes to all of them doesn't write to production in passing."""
    problem = environments.proxy.problem("/_all/a", method="POST", headers=WRITES, body=b"{}")

    assert (problem["status"], problem["type"], problem["protected"]) == (
        403,
        "urn:multistack:problem:protected",
        ["prod"],
    )
    assert sum(environments.asked().values()) == 0


def test_a_write_reaches_each_environment_once(environments):
    """Writes are never repeated to find noise, and the whole body goes to each."""
    bodies: dict[str, bytes] = {}

    def keep(name: str) -> Callable[[Exchange], None]:
        def answer(exchange: Exchange) -> None:
            bodies[name] = exchange.read_body()
            exchange.answer(name.encode())

        return answer

    environments.script(**{name: keep(name) for name in NAMES})
    found = environments.ask(method="POST", headers={**WRITES, **PROTECTED}, body=b"x" * 150_000)

    assert bodies == dict.fromkeys(NAMES, b"x" * 150_000)
    assert environments.asked() == dict.fromkeys(NAMES, 1)
    assert found["is_equal"] is False


def test_a_write_that_leaves_out_protected_ones_needs_one_word(environments):
    """The second word is for protected environments only."""
    headers = {**WRITES, "X-Multistack-Environment": "test,staging"}

    assert environments.ask("/a", method="POST", headers=headers)["is_equal"] is True


@pytest.mark.parametrize("headers", [{}, {"Transfer-Encoding": "chunked"}], ids=["length", "chunked"])
def test_a_body_too_large_reaches_nobody(environments, headers):
    """The limit of the proxy holds for all of them at once."""
    body: Any = (b"x" * 50_000 for _ in range(5)) if headers else b"x" * 250_000

    problem = environments.proxy.problem("/_all/a", method="POST", headers={**WRITES, **PROTECTED}, body=body)

    assert (problem["status"], sum(environments.asked().values())) == (413, 0)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_foreign_page_asks_nobody(environments, headers):
    """A web page of another origin can't make one request many."""
    problem = environments.proxy.problem("/_all/a", headers=headers)

    assert (problem["status"], problem["type"]) == (403, "urn:multistack:problem:foreign-origin")
    assert sum(environments.asked().values()) == 0


def test_a_rebound_name_asks_nobody(environments):
    """A page whose name was made to resolve to this machine sends its own name."""
    problem = environments.proxy.problem("/_all/a", headers={"Host": "evil.example"})

    assert problem["type"] == "urn:multistack:problem:foreign-host"


def test_the_proxys_own_page_may_ask(environments):
    """Same origin, as the dashboard is."""
    port = environments.proxy.port
    headers = {"Origin": f"http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}

    assert environments.ask(headers=headers)["is_equal"] is True
    assert environments.upstreams["test"].last.values("origin") == []


def test_unknown_environments_are_named(environments):
    """A typo asks nobody."""
    problem = environments.proxy.problem("/a", headers={"X-Multistack-Environment": "test,pord"})

    assert (problem["status"], problem["environment"], problem["environments"]) == (404, "pord", list(NAMES))
    assert sum(environments.asked().values()) == 0


def test_an_environments_own_path_stays_its_own(environments):
    """Behind Host: test.localhost, or a header that names one environment, /_all/ is a path of the service."""
    for headers in ({"Host": "test.localhost"}, {"X-Multistack-Environment": "test"}):
        _, body = environments.proxy.ask("/_all/a", headers=headers)

        assert json.loads(body) == {"a": 1}
        assert environments.upstreams["test"].last.target.endswith("/_all/a")


def test_the_words_are_kept_from_the_environments(environments):
    """What speaks to the proxy goes no further; answers come unpacked."""
    headers = {"X-Multistack-Baseline": "test", "X-Multistack-Once": "yes", "Accept-Encoding": "gzip", "X-A": "1"}
    environments.ask(headers=headers)

    sent = {name.lower() for name, _ in environments.upstreams["prod"].last.headers}
    assert "x-a" in sent
    assert not sent & (OWN_HEADERS | {"accept-encoding"})


def test_asked_once_means_once(environments):
    """A GET that does change something can be compared without noise."""
    environments.script(prod={"a": 2})

    found = environments.ask(headers={"X-Multistack-Once": "yes"})

    assert (wheres(found, "prod"), environments.asked()) == (["$.a"], dict.fromkeys(NAMES, 1))


def test_a_client_that_leaves_harms_nobody(environments):
    """The next fan-out is answered as ever."""
    reached, go = threading.Event(), threading.Event()

    def wait(exchange: Exchange) -> None:
        reached.set()
        go.wait(60)
        answering({})(exchange)

    environments.script(prod=wait)
    with environments.proxy.connect() as sock:
        sock.sendall(b"GET /_all/a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert reached.wait(60)
    go.set()
    environments.script(**dict.fromkeys(NAMES, answering({})))

    assert environments.ask()["is_equal"] is True


def test_expressions_that_blow_up_end(environments):
    """A declared regular expression that takes too long is given up, and said so."""
    environments.rules(ExpectedDifference(regex=r"(x|xx)+y", reason="slow"))
    environments.script(**{name: {"a": "x" * 80 + str(number)} for number, name in enumerate(NAMES)})

    started = time.monotonic()
    found = environments.ask(headers={"X-Multistack-Environment": "test,prod"})

    assert time.monotonic() - started < 60  # else it would not end at all
    assert wheres(found, "prod") == ["$.a"]
    assert [one.partition(" was ")[0] for one in found["warnings"]] == ["the expected difference with regex '(x|xx)+y'"]


def test_each_request_is_kept_as_a_comparison(environments):
    """The inspector shows what a fan-out asked, and that it was one; a stopped environment's too."""
    environments.publish(prod=None)
    environments.ask("/_all/kept-as-comparison")

    requests = Requests(environments.proxy.log.parent / REQUESTS_FILE)
    wanted = Filter(path="kept-as-comparison", source=Source.COMPARISON)
    wait_until(lambda: len(requests.find(wanted)) >= 3)

    kept = sorted((one.environment, one.answer.status) for one in requests.find(wanted))
    assert kept == [("prod", 503), ("staging", 200), ("test", 200)]
