"""Two answers to the same request held against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from emulator.differences.alignment import line_up
from emulator.differences.content import Binary, Content, Json, Text, content_of
from emulator.differences.counting import Count, OwnerOf, nobody
from emulator.differences.covering import Covering
from emulator.differences.expected import Expectations
from emulator.differences.findings import Difference, Finding, Kind, Mask, Part, Place
from emulator.differences.json_paths import places
from emulator.differences.noise import ALWAYS, masks_of
from emulator.differences.structure import json_findings
from emulator.model import ComparisonRules, ExpectedDifference, Headers, HttpAnswer

_NO_RULES = ComparisonRules()
# How the body came, which is compared itself, and who the proxy says it came from.
_PASSED_OVER = {
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "x-multistack-environment",
    "x-multistack-release",
}


def compare(
    baseline: HttpAnswer,
    other: HttpAnswer,
    *,
    rules: ComparisonRules,
    between: tuple[str, str],
    masks: Sequence[Mask] = (),
) -> Difference:
    """
    In what *other* differs from *baseline*.

    Args:
        between: The environments that gave the two answers.
        masks: See :func:`find_noise`. A status is compared whatever they say.
    """
    contents = content_of(baseline), content_of(other)
    documents = [content.document for content in contents if isinstance(content, Json)]
    hiding = Covering((mask.place, mask) for mask in (*ALWAYS, *masks))
    (one, used), (two, also_used) = (_hide(hiding, content) for content in contents)
    hidden = dict.fromkeys([*used, *also_used])
    expectations = Expectations(rules.expected, documents, between=between)

    def owner_of(place: Place) -> Mask | ExpectedDifference | None:
        mask = hiding.first(place)
        if mask is not None:
            hidden[mask] = None
        return mask or expectations.whatever_it_is(place)

    findings, expected = [], []
    for finding in _find(baseline, other, (one, two), rules.ignore_order, owner_of):
        mask = hiding.first(finding.place)
        if mask is not None and finding.kind is not Kind.UNANSWERED:
            hidden[mask] = None
        elif explained := expectations.explain(finding):
            expected.append(explained)
        else:
            findings.append(finding)
    return Difference(
        findings=tuple(findings),
        expected=tuple(expected),
        masked=tuple(hidden),
        warnings=tuple(expectations.warnings),
    )


def _hide(hiding: Covering[Mask], content: Content) -> tuple[Content, list[Mask]]:
    if not isinstance(content, Json):
        return content, []
    document, used = hiding.hide(content.document)
    return Json(document), used


def find_noise(first: HttpAnswer, second: HttpAnswer, *, rules: ComparisonRules = _NO_RULES) -> tuple[Mask, ...]:
    """
    What is to be masked because one environment, asked twice, answers with another value each time.

    Nothing when the second answer is another one altogether, by its status.
    """
    if first.status != second.status or _is_unanswered(first) or _is_unanswered(second):
        return ()
    contents = content_of(first), content_of(second)
    found = masks_of(_find(first, second, contents, rules.ignore_order, nobody))
    return tuple(mask for mask in found if not any(one.place.covers(mask.place) for one in ALWAYS))


def _find(
    baseline: HttpAnswer,
    other: HttpAnswer,
    contents: tuple[Content, Content],
    ignore_order: Sequence[str],
    owner_of: OwnerOf,
) -> Iterator[Finding]:
    if baseline.status != other.status:
        yield Finding(place=Place(Part.STATUS), kind=Kind.CHANGED, baseline=baseline.status, value=other.status)
    if _is_unanswered(baseline) or _is_unanswered(other):
        said = [answer.problem or ("" if answer.is_complete else "broken-off") for answer in (baseline, other)]
        yield Finding(place=Place(Part.PROBLEM), kind=Kind.UNANSWERED, baseline=said[0] or None, value=said[1] or None)
        return
    yield from _header_findings(baseline.headers, other.headers, _are_bodiless(baseline, other))
    one, two = contents
    if isinstance(one, Json) and isinstance(two, Json):
        unordered = {place for path in ignore_order for place in places(path, one.document, two.document)}
        yield from json_findings(one.document, two.document, unordered=unordered, owner_of=owner_of)
    elif isinstance(one, Text) and isinstance(two, Text):
        yield from _line_findings(one.text, two.text, owner_of)
    elif one.name != two.name and not (baseline.body_length == other.body_length == 0):
        yield Finding(place=Place(Part.BODY), kind=Kind.TYPE, baseline=one.name, value=two.name)
    elif isinstance(one, Binary) and one != two:
        yield Finding(place=Place(Part.BODY), kind=Kind.CHANGED, baseline=str(one), value=str(two))


def _is_unanswered(answer: HttpAnswer) -> bool:
    return answer.problem is not None or not answer.is_complete


def _are_bodiless(*answers: HttpAnswer) -> bool:
    return all(answer.body_length == 0 for answer in answers)


def _header_findings(baseline: Headers, other: Headers, is_bodiless: bool) -> Iterator[Finding]:
    left, right = _by_name(baseline), _by_name(other)
    for name in [*left, *(name for name in right if name not in left)]:
        # Of an answer to HEAD the length says something that no body does.
        if left.get(name) == right.get(name) or (
            name in _PASSED_OVER and not (is_bodiless and name == "content-length")
        ):
            continue
        kind = Kind.ADDED if name not in left else Kind.MISSING if name not in right else Kind.CHANGED
        yield Finding(place=Place(Part.HEADER, (name,)), kind=kind, baseline=left.get(name), value=right.get(name))


def _by_name(headers: Headers) -> dict[str, str | list[str]]:
    """Values by name in lower case; those of a repeated header as a list."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name.lower(), []).append(value.strip())
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _line_findings(baseline: str, other: str, owner_of: OwnerOf) -> Iterator[Finding]:
    left, right = baseline.splitlines(), other.splitlines()
    if left == right and baseline != other:
        yield Finding(place=Place(Part.BODY), kind=Kind.CHANGED, baseline="line ends", value="other line ends")
    count = Count(owner_of)
    for one, two in line_up(left, right):
        before, after = None if one is None else left[one], None if two is None else right[two]
        if before == after:
            continue
        place = Place(Part.LINE, (next(at for at in (one, two) if at is not None) + 1,))
        is_told = count.takes(place)
        if count.is_full:
            yield count.more()
            return
        kind = Kind.ADDED if before is None else Kind.MISSING if after is None else Kind.CHANGED
        if is_told:
            yield Finding(place=place, kind=kind, baseline=before, value=after)
