"""In what two answers differ, and what of it is noise, expected, or meant to be."""

from __future__ import annotations

import gzip
import json
import random
import time
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.differences import Difference, Mask, Part, Place, compare, find_noise, unstable_status, unused
from emulator.differences.counting import MOST_FINDINGS
from emulator.model import ComparisonRules, ExpectedDifference, HttpAnswer

JSON = ("Content-Type", "application/json")
TEXT = ("Content-Type", "text/html")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=20,
)


def answer(content: Any, *headers: tuple[str, str], status: int = 200, **changes: Any) -> HttpAnswer:
    """An answer with JSON, or with bytes as they are."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    fields = {"status": status, "headers": headers or (JSON,), "body": body, "body_length": len(body), "seconds": 0.1}
    return HttpAnswer(**{**fields, **changes})


def differ(one: HttpAnswer, other: HttpAnswer, *expected: ExpectedDifference, **options: Any) -> Difference:
    """Compare test with prod."""
    rules = ComparisonRules(expected=expected, ignore_order=options.pop("ignore_order", ()))
    return compare(one, other, rules=rules, between=("test", "prod"), **options)


def found(one: Any, other: Any, *expected: ExpectedDifference, **options: Any) -> list[tuple[str, str, Any, Any]]:
    """What is found between two JSON documents, or answers."""
    sides = [side if isinstance(side, HttpAnswer) else answer(side) for side in (one, other)]
    return [
        (str(each.place), each.kind.value, each.baseline, each.value)
        for each in differ(*sides, *expected, **options).findings
    ]


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        pytest.param({"a": 1}, {"a": 2}, ("$.a", "changed", 1, 2), id="value"),
        pytest.param({"a": 1}, {"a": "1"}, ("$.a", "type", 1, "1"), id="type"),
        pytest.param({"a": None}, {"a": 0}, ("$.a", "type", None, 0), id="null"),
        pytest.param({"a": True}, {"a": 1}, ("$.a", "type", True, 1), id="boolean is no number"),
        pytest.param({"a": 1}, {}, ("$.a", "missing", 1, None), id="missing"),
        pytest.param({}, {"a": {"b": 1}}, ("$.a", "added", None, {"b": 1}), id="added"),
        pytest.param({"a": {}}, {"a": []}, ("$.a", "type", {}, []), id="empty object is no empty array"),
        pytest.param([1, 2], [1, 3], ("$[1]", "changed", 2, 3), id="entry"),
        pytest.param(1, 2, ("$", "changed", 1, 2), id="root"),
        pytest.param({"a b": {"c'd": 1}}, {"a b": {"c'd": 2}}, ("$['a b']['c\\'d']", "changed", 1, 2), id="odd names"),
        pytest.param({"$": {"$": 1}}, {"$": {"$": 2}}, ("$['$']['$']", "changed", 1, 2), id="dollar"),
    ],
)
def test_json_is_compared_by_structure(one, other, difference):
    """Each difference has the JSON path of where it is."""
    assert found(one, other) == [difference]


@pytest.mark.parametrize(
    ("one", "other"),
    [({"a": 1, "b": 2}, {"b": 2, "a": 1}), ({"a": 1}, {"a": 1.0}), ([], []), (None, None)],
    ids=["order of keys", "1 and 1.0", "empty", "null"],
)
def test_json_that_means_the_same_is_equal(one, other):
    """What JSON makes no difference of is none."""
    assert found(one, other) == []


def test_an_inserted_entry_is_one_difference():
    """The entries after it are held against those that they are, not those that have their index."""
    items = [{"id": number, "name": f"n{number}"} for number in range(50)]

    assert found({"items": items}, {"items": [{"id": "new"}, *items]}) == [("$.items[0]", "added", None, {"id": "new"})]
    assert found({"items": items}, {"items": items[:10] + items[11:]}) == [("$.items[10]", "missing", items[10], None)]


def test_entries_are_told_by_index_where_that_says_as_much():
    """An entry that moved up is seen as such; one value that became another is no entry less and one more."""
    items = [{"id": number} for number in range(5)]

    moved = found(items, [*items[1:], {"id": 9}])
    assert [(place, kind) for place, kind, *_ in moved] == [("$[0]", "missing"), ("$[4]", "added")]
    assert found(items[:2], [{"id": 1}, {"id": 2}]) == [
        ("$[0].id", "changed", 0, 1),
        ("$[1].id", "changed", 1, 2),
    ]


def test_order_is_ignored_where_it_says_nothing():
    """Declared arrays are compared entry by entry that belong together; others in their order."""
    one = {"items": [{"id": 1, "n": 1}, {"id": 2, "n": 1}, {"id": 3, "n": 1}], "steps": [1, 2]}
    other = {"items": [{"id": 3, "n": 1}, {"id": 1, "n": 2}, {"id": 2, "n": 1}], "steps": [2, 1]}

    places = [place for place, *_ in found(one, other, ignore_order=("$.items",))]

    assert places[0] == "$.items[0].n"
    assert all(place.startswith("$.steps") for place in places[1:])


def test_a_thousand_entries_in_another_order_take_no_time():
    """deepdiff alone takes a minute and a half."""
    source = random.Random(1)
    one = [{"id": number, "name": f"n{number}", "price": source.randint(0, 3)} for number in range(1000)]
    other = [{**item, "price": 9} if item["id"] % 2 else item for item in one]
    source.shuffle(other)

    started = time.monotonic()
    differences = found(one, other, ignore_order=("$",))

    assert time.monotonic() - started < 45
    assert len(differences) == 500
    assert {place.partition("]")[2] for place, *_ in differences} == {".price"}


def test_more_differences_than_anybody_reads_are_counted_as_more():
    """A hostile or broken answer costs no more than the first thousand."""
    differences = found({str(n): n for n in range(20_000)}, {str(n): n + 1 for n in range(20_000)})

    assert len(differences) == MOST_FINDINGS + 1
    assert ("body", "more", None, f"more than {MOST_FINDINGS} differences") in differences


def test_json_nested_too_deep_is_text():
    """No nesting exhausts the stack."""
    deep = b"[" * 5000 + b"]" * 5000

    assert found(answer(deep), answer(deep)) == []
    assert found(answer(deep), answer(deep + b" x"))[0][0] == "line 1"


def plain(value: Any) -> Any:
    """A document in which equal numbers are written alike."""
    if isinstance(value, dict):
        return {key: plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [plain(child) for child in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@given(VALUES)
def test_a_document_equals_itself(value):
    """Whatever is in it."""
    assert found(value, json.loads(json.dumps(value))) == []


@given(VALUES, VALUES)
def test_different_documents_differ(one, other):
    """Nothing that differs is overlooked: the findings, not only their number, are the same seen from both sides."""
    there = found(one, other)
    back = found(other, one)

    assert bool(there) == bool(back)
    assert bool(there) == (json.dumps(plain(one), sort_keys=True) != json.dumps(plain(other), sort_keys=True))


def test_headers_are_compared_by_name_in_any_case():
    """Those of one connection, of one request and of the proxy itself are not."""
    one = answer({}, JSON, ("ETag", "1"), ("X-A", "1"), ("Date", "now"), ("X-Multistack-Release", "a"))
    other = answer({}, JSON, ("etag", "2"), ("x-a", "1"), ("Date", "then"), ("Set-Cookie", "a"), ("Set-Cookie", "b"))

    assert found(one, other) == [
        ("header etag", "changed", "1", "2"),
        ("header set-cookie", "added", None, ["a", "b"]),
    ]


def test_a_length_says_something_where_no_body_does():
    """Of an answer to HEAD it is all there is of the body."""
    one, other = (answer(b"", ("Content-Length", length)) for length in ("5", "6"))

    assert found(one, other) == [("header content-length", "changed", "5", "6")]
    assert found(answer({"a": 1}, JSON, ("Content-Length", "1")), answer({"a": 1}, JSON, ("Content-Length", "2"))) == []


def test_text_is_compared_line_by_line():
    """With the number of the line, also when others were put before it."""
    one, other = answer(b"a\nb\nc\n", TEXT), answer(b"new\na\nb\nd\n", TEXT)

    assert found(one, other) == [("line 1", "added", None, "new"), ("line 3", "changed", "c", "d")]


def test_line_ends_are_a_difference():
    """Two texts that aren't the same bytes never count as equal."""
    assert [place for place, *_ in found(answer(b"a\n", TEXT), answer(b"a\r\n", TEXT))] == ["body"]


def test_bytes_are_compared_by_their_hash():
    """What is no text has a length and a SHA-256."""
    (difference,) = found(answer(b"\xff\x00", TEXT), answer(b"\xff\x01", TEXT))

    assert difference[:2] == ("body", "changed")
    assert difference[2].startswith("2 bytes, SHA-256 ")


def test_long_bodies_are_compared_by_the_hash_of_the_whole():
    """Though only their first bytes were kept."""
    kept = {"body_length": 5000, "headers": (TEXT,)}
    one = answer(b"same", body_sha256="aa", **kept)

    assert found(one, answer(b"same", body_sha256="aa", **kept)) == []
    assert [place for place, *_ in found(one, answer(b"same", body_sha256="bb", **kept))] == ["body"]


def test_packed_bodies_are_unpacked():
    """gzip of the same is the same, whatever its bytes are."""
    one = answer(gzip.compress(b'{"a": 1}', mtime=1), JSON, ("Content-Encoding", "gzip"))

    assert found(one, answer({"a": 1})) == []
    assert found(one, answer({"a": 2}))[-1] == ("$.a", "changed", 1, 2)


def test_bare_deflate_is_unpacked() -> None:
    """As everywhere else: some servers send it, and the inspector reads it."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bare = packer.compress(b'{"a": 2}') + packer.flush()
    one = answer(bare, JSON, ("Content-Encoding", "deflate"))

    assert found(one, answer({"a": 1})) == [("$.a", "changed", 2, 1)]


def test_nothing_behind_the_end_of_gzip_is_passed_over() -> None:
    """A second part is a difference, too."""
    first, second = (gzip.compress(b"{}", mtime=0) + gzip.compress(end, mtime=0) for end in (b"1", b"2"))
    sides = [answer(body, JSON, ("Content-Encoding", "gzip")) for body in (first, second)]

    assert [place for place, *_ in found(*sides)] == ["body"]


@pytest.mark.parametrize("body", [b"not gzip", gzip.compress(b"x" * 20_000_000)], ids=["broken", "bomb"])
def test_what_cant_be_unpacked_is_bytes(body):
    """Neither a wrong encoding nor a bomb does harm."""
    one = answer(body, TEXT, ("Content-Encoding", "gzip"))

    assert found(one, one) == []
    assert [place for place, *_ in found(one, answer(body + b"1", TEXT, ("Content-Encoding", "gzip")))] == ["body"]


@pytest.mark.parametrize("body", [b'{"a": NaN}', b"{", b"[1e999]", b"9" * 5000], ids=str)
def test_json_that_is_none_is_text(body):
    """Whatever its Content-Type says."""
    assert found(answer(body), answer(body)) == []
    assert found(answer(body), answer(body + b"\nx"))[0][0].startswith("line ")


def test_kinds_of_bodies_differ():
    """An error page in place of JSON is one difference."""
    page = answer(b"<html>", TEXT)

    assert found(answer({}, TEXT), page)[0][0] == "line 1"
    assert ("body", "type", "JSON", "text") in found(answer({}), page)


def test_no_answer_is_a_difference_even_to_no_answer():
    """Where nobody answered nothing was compared, so nothing is equal."""
    down = answer({"environment": "test"}, status=503, problem="down")

    assert found(down, down) == [("problem", "unanswered", "down", "down")]
    assert found(answer({}), answer({}, is_complete=False)) == [("problem", "unanswered", None, "broken-off")]


class TestNoise:
    """What differs between two answers of one environment."""

    def test_it_is_masked_in_every_entry_of_an_array(self) -> None:
        """Another environment may have more entries."""
        masks = find_noise(answer({"id": 1, "items": [{"at": 1}]}), answer({"id": 2, "items": [{"at": 2}]}))

        assert [str(mask.place) for mask in masks] == ["$.id", "$.items[*].at"]
        assert (
            found({"id": 3, "items": [{"at": 3}, {"at": 4}]}, {"id": 5, "items": [{"at": 6}, {"at": 7}]}, masks=masks)
            == []
        )

    def test_entries_without_a_name_are_masked_alone(self) -> None:
        """`[x, y]` need not be noise in both."""
        masks = find_noise(answer({"point": [1, 2]}), answer({"point": [1, 3]}))

        assert [str(mask.place) for mask in masks] == ["$.point[1]"]

    def test_masks_help_to_find_entries_again(self) -> None:
        """An entry is told by what isn't noise, whatever the order."""
        one = {"items": [{"at": 1, "name": "a", "n": 1}, {"at": 2, "name": "b", "n": 1}]}
        other = {"items": [{"at": 3, "name": "b", "n": 1}, {"at": 4, "name": "a", "n": 2}]}
        masks = (Mask(place=Place(Part.JSON, ("items", None, "at")), why="noise"),)

        differences = found(one, other, masks=masks, ignore_order=("$.items",))

        assert differences == [("$.items[0].n", "changed", 1, 2)]

    def test_headers_and_lines_are_masked(self) -> None:
        """Not only JSON has noise."""
        first, second = (answer(f"a\n{n}\n".encode(), TEXT, ("X-Id", str(n))) for n in (1, 2))
        masks = find_noise(first, second)

        assert [str(mask.place) for mask in masks] == ["header x-id", "line 2"]
        assert found(first, second, masks=masks) == []

    def test_what_was_masked_is_told(self) -> None:
        """Only the masks that were of use."""
        masks = find_noise(answer({"id": 1}), answer({"id": 2}))

        told = differ(answer({"id": 3}), answer({"id": 4}), masks=masks).masked

        assert [mask.to_json() for mask in told] == [
            {"where": "$.id", "why": "differs when the same environment is asked twice"}
        ]
        assert differ(answer({"a": 3}), answer({"a": 4}), masks=masks).masked == ()

    def test_noise_everywhere_hides_nothing_else(self) -> None:
        """More noise than anybody would read masks its places, not the whole body."""
        first, second = ([{"id": f"{turn}-{at}", "name": "n"} for at in range(1200)] for turn in range(2))
        renamed = [{"id": f"2-{at}", "title": "n"} for at in range(1200)]
        masks = find_noise(answer(first), answer(second))

        assert not differ(answer(first), answer(renamed), masks=masks).is_empty

    def test_noise_in_all_lines_hides_no_others(self) -> None:
        """The same for text: what is too much to be masked is told of."""
        first, second = ("\n".join(f"{turn} {at}" for at in range(1200)).encode() for turn in range(2))
        masks = find_noise(answer(first, TEXT), answer(second, TEXT))

        assert not differ(answer(first, TEXT), answer(first + b"\nAn error.", TEXT), masks=masks).is_empty

    def test_a_status_is_never_masked(self) -> None:
        """An environment that answers with two statuses is unstable, and none of its answer is noise."""
        first, second = answer({"a": 1}), answer({"a": 2}, status=500)

        assert find_noise(first, second) == ()
        finding = unstable_status(200, 500)
        assert finding is not None
        assert finding.to_json() == {"where": "status", "kind": "unstable", "baseline": 200, "value": 500}
        everything = (Mask(place=Place(Part.BODY), why="noise"), Mask(place=Place(Part.JSON), why="noise"))
        assert found(first, second, masks=everything) == [("status", "changed", 200, 500)]


class TestExpected:
    """Differences that the project declares."""

    def test_a_json_path_covers_what_is_below(self) -> None:
        """Also where only one side has it."""
        rule = ExpectedDifference(json_path="$.config", reason="why")
        difference = differ(answer({"config": {"a": 1}}), answer({"config": {"a": 2, "b": 3}}), rule)

        assert difference.is_empty
        assert [str(one.finding.place) for one in difference.expected] == ["$.config.a", "$.config.b"]
        assert difference.expected[0].to_json()["reason"] == "why"

    @pytest.mark.parametrize(
        ("path", "is_expected"),
        [
            ("$.items[*].total", True),
            ("$..total", True),
            ("$.items[?@.id == 1].total", True),
            ("$.items[1].total", False),
            ("$.total", False),
        ],
    )
    def test_paths_are_those_of_the_standard(self, path: str, is_expected: bool) -> None:
        """RFC 9535, filters and descendants included."""
        one, other = ({"items": [{"id": 1, "total": total}]} for total in (1, 2))

        assert (found(one, other, ExpectedDifference(json_path=path)) == []) is is_expected

    def test_a_header_is_named_in_any_case(self) -> None:
        """Only that header."""
        one, other = (answer({}, JSON, ("X-A", value), ("X-B", value)) for value in ("1", "2"))

        assert [place for place, *_ in found(one, other, ExpectedDifference(header="x-a"))] == ["header x-b"]

    def test_a_regex_covers_what_it_matches_and_nothing_beside(self) -> None:
        """`orders-test` and `orders-prod` are the same name, a different number after it is not."""
        rule = ExpectedDifference(regex=r"orders-(test|prod)")

        assert found({"q": "orders-test/1"}, {"q": "orders-prod/1"}, rule) == []
        assert len(found({"q": "orders-test/1"}, {"q": "orders-prod/2"}, rule)) == 1
        assert len(found({"q": "orders-test/1"}, {"q": "other"}, rule)) == 1

    def test_a_regex_can_be_bound_to_a_place(self) -> None:
        """Then it says nothing of others."""
        rule = ExpectedDifference(json_path="$.a", regex=r"\d+")

        assert [place for place, *_ in found({"a": "1", "b": "1"}, {"a": "2", "b": "2"}, rule)] == ["$.b"]

    def test_it_holds_between_the_environments_it_names(self) -> None:
        """In either direction, and between no others."""
        rule = ExpectedDifference(between=("prod", "test"), json_path="$.a")
        rules = ComparisonRules(expected=(rule,))

        assert found({"a": 1}, {"a": 2}, rule) == []
        elsewhere = compare(answer({"a": 1}), answer({"a": 2}), rules=rules, between=("test", "staging"))
        assert not elsewhere.is_empty

    def test_a_status_is_never_expected(self) -> None:
        """No declaration makes an error right."""
        assert len(found(answer({}), answer({}, status=500), ExpectedDifference(regex=r"\d+"))) == 1

    def test_unused_ones_are_told(self) -> None:
        """Those about environments that were compared, and of no use."""
        used = ExpectedDifference(json_path="$.a")
        idle = ExpectedDifference(between=("test", "prod"), json_path="$.b")
        elsewhere = ExpectedDifference(between=("staging", "prod"), json_path="$.b")
        explained = differ(answer({"a": 1}), answer({"a": 2}), used, idle).expected

        assert unused([used, idle, elsewhere], explained, ["test", "staging", "prod"]) == [idle]

    @pytest.mark.parametrize("pattern", ["(x|xx)+y", "(?:x|x)+$|z"])
    def test_an_expression_that_blows_up_is_given_up(self, pattern: str) -> None:
        """However many values it would be tried on, and the difference stays."""
        one, other = ({str(n): "x" * 80 + sign for n in range(20)} for sign in ("1", "2"))

        started = time.monotonic()
        difference = differ(answer(one), answer(other), ExpectedDifference(regex=pattern))

        assert time.monotonic() - started < 45
        assert len(difference.findings) == 20
        (warning,) = difference.warnings
        assert repr(pattern) in warning


class TestMany:
    """Large answers that differ everywhere cost their size, not its square; in CPU time, whatever else runs."""

    def test_noise_under_other_keys_each_time(self) -> None:
        """Three answers of nine hundred keys each, which nobody ever sees again."""

        def new(turn: int) -> HttpAnswer:
            return answer({f"{turn}-{at}": {"n": at} for at in range(900)})

        masks = [mask for turn in (0, 2, 4) for mask in find_noise(new(turn), new(turn + 1))]
        started = time.thread_time()
        difference = differ(new(0), new(2), masks=masks)

        assert time.thread_time() - started < 1
        assert difference.is_empty

    @pytest.mark.parametrize("count", [1_100, 10_000])
    def test_declared_differences_are_expected_however_many_they_are(self, count: int) -> None:
        """What is declared crowds out nothing, and so much of it costs no more than reading it."""
        ids = ExpectedDifference(json_path="$..id")
        one, other = ([{"id": f"{side}{at}", "n": 1} for at in range(count)] for side in ("a", "b"))
        started = time.thread_time()
        difference = differ(answer(one), answer(other), ids)

        assert time.thread_time() - started < 4
        assert difference.is_empty
        assert {explained.by for explained in difference.expected} == {ids}
        other[-1]["n"] = 2
        assert found(one, other, ids) == [(f"$[{count - 1}].n", "changed", 1, 2)]

    def test_more_keys_than_anybody_reads_are_counted_as_more(self) -> None:
        """Keys that only one side has are differences like others."""
        assert len(found({}, {str(at): at for at in range(20_000)})) == MOST_FINDINGS + 1
