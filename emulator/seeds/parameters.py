"""Parameters of an account's SSM that no template makes, from records and to records."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from emulator.endpoint import client
from emulator.model import Endpoint
from emulator.seeds.records import Record

TYPE = "AWS::SSM::Parameter"
_MOST_NAMES = 10  # Source: GetParameters
_STRING, _LIST, _SECURE = "String", "StringList", "SecureString"


def read_parameters(records: Sequence[Record]) -> Mapping[str, tuple[str, str]]:
    """
    Name to type and value; a list is a ``StringList``.

    Raises:
        ConfigError: One is no object with a name and a value.
    """
    found = {}
    for record in records:
        given = record.value
        if not isinstance(given, dict) or given.keys() != {"name", "value"}:
            record.refuse("a parameter is an object with name and value")
        if not isinstance(given["name"], str) or not given["name"]:
            record.refuse("the name of a parameter must be text")
        found[given["name"]] = _typed(record, given["value"])
    return found


def _typed(record: Record, value: Any) -> tuple[str, str]:
    if isinstance(value, list):
        if not value or not all(isinstance(one, str) and "," not in one for one in value):
            record.refuse("a list must hold strings without commas")
        return _LIST, ",".join(value)
    if isinstance(value, bool):
        return _STRING, "true" if value else "false"
    if not isinstance(value, str | int | Decimal) or value == "":
        record.refuse("the value of a parameter must be text that is not empty, or a list of strings")
    return _STRING, str(value)


def put_parameters(endpoint: Endpoint, wanted: Mapping[str, tuple[str, str]]) -> int:
    """Put those of *wanted* that are not there yet as they are; returns how many."""
    ssm, names, there = client(endpoint, "ssm"), list(wanted), {}
    for start in range(0, len(names), _MOST_NAMES):
        for one in ssm.get_parameters(Names=names[start : start + _MOST_NAMES])["Parameters"]:
            there[one["Name"]] = one["Type"], one["Value"]
    missing = {name: value for name, value in wanted.items() if there.get(name) != value}
    for name, (kind, value) in missing.items():
        ssm.put_parameter(Name=name, Type=kind, Value=value, Overwrite=True)
    return len(missing)


def dump_parameters(endpoint: Endpoint, *, without: Collection[str]) -> tuple[Sequence[Any], Sequence[str]]:
    """
    Every parameter but those of *without*, by name.

    Returns:
        Records, and the names of secret ones, which are not read.
    """
    ssm, records, secret = client(endpoint, "ssm"), [], []
    pages = ssm.get_paginator("describe_parameters").paginate()
    kinds = {one["Name"]: one["Type"] for page in pages for one in page["Parameters"]}
    for name in sorted(kinds.keys() - set(without)):
        if kinds[name] == _SECURE:
            secret.append(name)
            continue
        value = ssm.get_parameter(Name=name)["Parameter"]["Value"]
        records.append({"name": name, "value": value.split(",") if kinds[name] == _LIST else value})
    return records, secret
