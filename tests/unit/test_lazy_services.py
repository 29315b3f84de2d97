"""The gap that ``emulator.drivers.launcher.gaps.lazy_services`` fills."""

from __future__ import annotations

import subprocess
import sys

_CLOUDFORMATION = "import ministack.services.cloudformation.provisioners as cloudformation"
_FILLED = "from emulator.drivers.launcher.gaps import lazy_services; lazy_services.apply()"
_IS_THERE = "'ministack.services.rds' in sys.modules"


def run(*lines: str) -> list[str]:
    """What an interpreter prints that runs *lines*: what is imported can't be taken back."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(["import sys", *lines])],
        capture_output=True,
        text=True,
        check=True,
        env={"MINISTACK_ACCOUNT_ID": "111111111111"},
    )
    return done.stdout.split()


def test_ministack_still_imports_every_service() -> None:
    """When this fails, MiniStack imports what a template names: delete lazy_services.py and its test."""
    assert run(_CLOUDFORMATION, f"print({_IS_THERE})") == ["True"]


def test_a_service_is_imported_when_it_is_used() -> None:
    """Not when CloudFormation is; then it is the module that everybody else sees, in both directions."""
    assert run(
        _FILLED,
        _CLOUDFORMATION,
        f"print({_IS_THERE})",
        "before = cloudformation._rds",
        "before._instances",
        f"print({_IS_THERE})",
        "import ministack.services.rds as rds",
        "print(before is not rds, before._instances is rds._instances)",
        "before.seen = 1",
        "print(rds.seen)",
    ) == ["False", "True", "True", "True", "1"]


def test_what_stands_for_a_service_is_known_to_cloudformation_alone() -> None:
    """Whoever looks a service up, e.g. to save what is loaded, finds it or nothing."""
    assert run(
        _FILLED,
        "import ministack.services",
        "print([name for name, module in sys.modules.items() if type(module).__name__ == '_Service'])",
        "print(hasattr(ministack.services, 'rds'))",
    ) == ["[]", "False"]


def test_a_module_that_is_not_there_has_no_attributes() -> None:
    """A typing error is an error of attribute, as ever."""
    assert run(_FILLED, _CLOUDFORMATION, "print(hasattr(cloudformation._rds, 'no_such_thing'))") == ["False"]
