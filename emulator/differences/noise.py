"""What differs between two answers of one and the same environment: no difference between environments."""

from __future__ import annotations

from collections.abc import Iterable

from emulator.differences.findings import Finding, Kind, Mask, Part, Place

ASKED_TWICE = "differs when the same environment is asked twice"
BY_REQUEST = "belongs to one request"
# Named by HTTP and AWS: another one with each request.
ALWAYS = tuple(
    Mask(place=Place(Part.HEADER, (name,)), why=BY_REQUEST)
    for name in (
        "date",
        "age",
        "x-amz-apigw-id",
        "x-amzn-requestid",
        "x-amzn-trace-id",
        "x-amz-request-id",
        "x-amz-id-2",
    )
)
_NEVER = {Part.STATUS, Part.PROBLEM}


def masks_of(findings: Iterable[Finding]) -> tuple[Mask, ...]:
    """
    One mask for each place, whichever entry of an array it was found in.

    That there is more is no place: a mask for it would hide the whole body.
    """
    places = {
        _any_entry(one.place): None for one in findings if one.place.part not in _NEVER and one.kind is not Kind.MORE
    }
    return tuple(Mask(place=place, why=ASKED_TWICE) for place in places)


def unstable_status(first: int, second: int) -> Finding | None:
    """The finding that one environment answered the same request with two statuses, which nothing masks."""
    if first == second:
        return None
    return Finding(place=Place(Part.STATUS), kind=Kind.UNSTABLE, baseline=first, value=second)


def _any_entry(place: Place) -> Place:
    """
    ``$.items[0].id`` as ``$.items[*].id``: what is noise in one entry of an array is noise in all.

    Entries without a name of their own, such as ``$.point[0]``, stay what they are.
    """
    if place.part is not Part.JSON:
        return place
    names = [index for index, step in enumerate(place.at) if isinstance(step, str)]
    last = names[-1] if names else -1
    return Place(
        Part.JSON,
        tuple(None if isinstance(step, int) and index < last else step for index, step in enumerate(place.at)),
    )
