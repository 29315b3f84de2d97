"""Values of DynamoDB in plain JSON, and back."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.seeds.notation import as_json, from_attributes, to_attributes

_texts = st.text(st.characters(codec="utf-8"), max_size=5)
_numbers = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**20), max_value=10**20)
_leaves = st.one_of(
    st.none(),
    st.booleans(),
    _texts.map(lambda text: {"S": text}),
    _numbers.map(lambda number: {"N": str(number)}),
    st.binary(max_size=5).map(lambda content: {"B": content}),
    st.sets(_texts, min_size=1, max_size=3).map(lambda texts: {"SS": sorted(texts)}),
    st.sets(st.integers(-9, 9), min_size=1).map(lambda numbers: {"NS": sorted(map(str, numbers))}),
    st.sets(st.binary(max_size=3), min_size=1, max_size=3).map(lambda contents: {"BS": sorted(contents)}),
).map(lambda one: {"NULL": True} if one is None else {"BOOL": one} if isinstance(one, bool) else one)
_names = st.one_of(_texts, st.sampled_from(["$binary", "$map", "$strings", "$numbers", "$binaries"]))
_values = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda values: {"L": values}),
        st.dictionaries(_names, inner, max_size=3).map(lambda values: {"M": values}),
    ),
    max_leaves=6,
)


@given(st.dictionaries(_names, _values, max_size=4))
def test_every_item_survives_the_way_through_a_file(attributes: dict[str, Any]) -> None:
    """Sets, binary and maps that look like either included; numbers are equal as numbers."""
    plain = from_attributes(attributes)
    again = json.loads(as_json(plain), parse_float=Decimal)
    assert from_attributes(to_attributes(again)) == plain


@pytest.mark.parametrize(
    ("number", "written"),
    [("1.10", "1.10"), ("7", "7"), ("1E+3", "1000"), ("1E-7", "0.0000001"), ("1E+100", "1E+100"), ("-0", "-0")],
)
def test_a_number_is_written_as_json_has_it(number: str, written: str) -> None:
    """Exactly, and with its exponent where the digits would fill the line."""
    assert as_json(Decimal(number)) == written
    assert Decimal(json.loads(written, parse_float=Decimal)) == Decimal(number)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param(Decimal("1." + "1" * 40), "a number of more digits than DynamoDB keeps", id="digits"),
        pytest.param(10**200, "a number of more digits than DynamoDB keeps", id="size"),
        pytest.param({"$strings": []}, "$strings takes a list that is not empty", id="empty set"),
        pytest.param({"$strings": ["a", "a"]}, "$strings holds something twice", id="twice"),
        pytest.param({"$numbers": [True]}, "$numbers holds something else", id="mixed"),
        pytest.param({"$binary": 1}, "$binary takes base64", id="binary"),
        pytest.param({"$binary": "%"}, "", id="no base64"),
        pytest.param({"$map": []}, "$map takes a map", id="map"),
    ],
)
def test_what_dynamodb_has_not_is_named(value: Any, said: str) -> None:
    """With the attribute that it is in."""
    with pytest.raises(ValueError, match=r"^qty: ") as raised:
        to_attributes({"id": "a", "qty": value})
    assert said in str(raised.value)
