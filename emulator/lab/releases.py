"""Releases of the sample that teach something, and how a person brings one into test."""

from __future__ import annotations

from collections.abc import Mapping

from emulator.lab.code import GOOD, Package
from emulator.lab.operator import Operator
from emulator.lab.topologies import Place

LONGER = Package("v2, takes longer names", (("orders.py", "LONGEST_ITEM = 200", "LONGEST_ITEM = 240"),))
# A second for each answer: a few callers keep many copies of the function busy.
SLOW = Package(
    "v6, slow",
    (("app.py", "        started = self._clock()\n", "        started = self._clock()\n        time.sleep(1)\n"),),
)
RENAMED = Package(
    'v5, calls qty "pieces"',
    (
        ("orders.py", '"qty": {"N": str(order.qty)}', '"pieces": {"N": str(order.qty)}'),
        ("orders.py", 'qty=int(item["qty"]["N"])', 'qty=int(item["pieces"]["N"])'),
    ),
)
TALKATIVE = Package(
    "v7, logs what it was sent",
    (
        (
            "app.py",
            '            path=event["path"],\n',
            '            path=event["path"],\n            body=event["body"],\n',
        ),
    ),
)


def release(operator: Operator, package: Package, *, at: Place | None = None) -> None:
    """Bring a package into an environment: published for its alias where it has one, else into its function."""
    place = at or operator.test
    if place.alias is None:
        operator.upload(package, at=place)
        return
    version = operator.publish(package, at=place)
    point(operator, place, version)


def point(operator: Operator, place: Place, version: str) -> None:
    """Move an environment's alias to a version."""
    operator.aws(
        "lambda", "update_alias", at=place, FunctionName=place.function, Name=place.alias, FunctionVersion=version
    )


def version_of(operator: Operator, place: Place) -> str:
    """The version that an environment serves; nothing where its function is its own."""
    if place.alias is None:
        return ""
    found = operator.aws("lambda", "get_alias", at=place, FunctionName=place.function, Name=place.alias)
    return str(found["FunctionVersion"])


def take_back(operator: Operator, place: Place, version: str) -> None:
    """Bring an environment back to the good release, which was *version* of its function if it has an alias."""
    operator.upload(GOOD, at=place)
    if place.alias is not None:
        point(operator, place, version)


def set_variables(operator: Operator, place: Place, variables: Mapping[str, str]) -> None:
    """Give an environment other environment variables: a published version, where it has an alias."""
    operator.configure(at=place, Environment={"Variables": {**variables}})
    if place.alias is not None:
        published = operator.aws("lambda", "publish_version", at=place, FunctionName=place.function)
        point(operator, place, str(published["Version"]))
