"""
Which entries of two arrays are held against each other.

deepdiff does it by comparing each with each: 93 s for a thousand objects in another order, and entry by entry after one
that was inserted at the top.
"""

from __future__ import annotations

import collections
import difflib
import json
from collections.abc import Iterator, Sequence
from typing import Any

# Two indices, or one and None for an entry that only one side has.
Pair = tuple[int | None, int | None]

# What many entries have says little about which is which, and costs the product of their numbers.
_MOST_ALIKE = 50
_MOST_LINED_UP = 2000


def text_of(value: Any) -> str:
    """*value* as text that is the same for equal ones, whatever the order of their keys."""
    return json.dumps(value, sort_keys=True)


def align(baseline: Sequence[Any], other: Sequence[Any], *, in_order: bool) -> list[Pair]:
    """Pairs of indices, those with one in *baseline* first and in its order."""
    texts = [text_of(one) for one in baseline], [text_of(one) for one in other]
    if in_order:
        by_index, lined_up = _in_turn(range(len(baseline)), range(len(other))), list(line_up(*texts))
        pairs = by_index if _changes(by_index, texts) <= _changes(lined_up, texts) else lined_up
    else:
        pairs = _matched(baseline, other, texts)
    return sorted(pairs, key=lambda pair: (pair[0] is None, pair[0] or 0, pair[1] or 0))


def _changes(pairs: Sequence[Pair], texts: tuple[list[str], list[str]]) -> int:
    """How many entries differ, are missing or added."""
    return sum(one is None or two is None or texts[0][one] != texts[1][two] for one, two in pairs)


def _in_turn(left: Sequence[int], right: Sequence[int]) -> list[Pair]:
    pairs: list[Pair] = list(zip(left, right, strict=False))
    pairs += [(one, None) for one in left[len(right) :]]
    return pairs + [(None, one) for one in right[len(left) :]]


def line_up(left: Sequence[str], right: Sequence[str]) -> Iterator[Pair]:
    """Equal texts in their order, and what lies between them in turn."""
    shorter = min(len(left), len(right))
    start = _common(left, right, shorter)
    end = _common(left[::-1], right[::-1], shorter - start)
    yield from ((at, at) for at in range(start))
    yield from _between(left[start : len(left) - end], right[start : len(right) - end], start)
    yield from ((len(left) - at, len(right) - at) for at in range(end, 0, -1))


def _common(left: Sequence[str], right: Sequence[str], most: int) -> int:
    """How many texts at the beginning are the same, *most* at most."""
    return next((at for at in range(most) if left[at] != right[at]), most)


def _between(left: Sequence[str], right: Sequence[str], start: int) -> Iterator[Pair]:
    if max(len(left), len(right)) > _MOST_LINED_UP:
        yield from _in_turn(range(start, start + len(left)), range(start, start + len(right)))
        return
    for _, one, one_end, two, two_end in difflib.SequenceMatcher(None, left, right).get_opcodes():
        yield from _in_turn(range(start + one, start + one_end), range(start + two, start + two_end))


def _matched(baseline: Sequence[Any], other: Sequence[Any], texts: tuple[list[str], list[str]]) -> list[Pair]:
    """Equal ones first, then those that have most in common, then the rest in turn."""
    unmatched: dict[str, list[int]] = collections.defaultdict(list)
    for index in reversed(range(len(other))):
        unmatched[texts[1][index]].append(index)
    pairs: list[Pair] = []
    left = []
    for index, text in enumerate(texts[0]):
        if unmatched[text]:
            pairs.append((index, unmatched[text].pop()))
        else:
            left.append(index)
    right = sorted(index for indices in unmatched.values() for index in indices)
    similar = list(_similar(baseline, other, left, right))
    taken = {one for one, _ in similar}, {one for _, one in similar}
    rest = [one for one in left if one not in taken[0]], [one for one in right if one not in taken[1]]
    return [*pairs, *similar, *_in_turn(*rest)]


def _similar(
    baseline: Sequence[Any], other: Sequence[Any], left: Sequence[int], right: Sequence[int]
) -> Iterator[tuple[int, int]]:
    owners: dict[str, set[int]] = collections.defaultdict(set)
    for index in right:
        for leaf in _leaves(other[index]):
            owners[leaf].add(index)
    for index in left:
        votes = collections.Counter(
            owner
            for leaf in _leaves(baseline[index])
            if len(owners.get(leaf, ())) <= _MOST_ALIKE
            for owner in sorted(owners.get(leaf, ()))
        )
        if votes:
            ((owner, _),) = votes.most_common(1)
            yield index, owner
            for leaf in _leaves(other[owner]):
                owners[leaf].discard(owner)


def _leaves(value: Any, at: str = "") -> Iterator[str]:
    """Each value in *value* with the way to it."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, f"{at}/{key}")
    elif isinstance(value, list):
        for child in value:
            yield from _leaves(child, f"{at}/")
    else:
        yield f"{at}={text_of(value)}"
