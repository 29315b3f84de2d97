"""What ``import emulator`` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys
import typing

import pytest

import emulator

HEAVY = ("boto3", "botocore", "click", "docker", "flask", "pydantic", "pytest", "samtranslator", "testcontainers")


def loaded_by(statement: str) -> set[str]:
    """The modules that a new interpreter has loaded after *statement*."""
    code = f"import sys; {statement}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_all_is_all_there_is() -> None:
    """Every name in __all__ can be had, has a docstring, and no other one is shown."""
    assert dir(emulator) == sorted(emulator.__all__) == list(emulator._HOMES)
    for name in emulator.__all__:
        assert (getattr(emulator, name).__doc__ or "").strip(), name


def test_other_names_are_errors() -> None:
    """A misspelt name is told as of any module."""
    with pytest.raises(AttributeError, match="has no attribute 'environment'"):
        _ = emulator.environment  # type: ignore[attr-defined]


def test_import_loads_nothing_of_the_product() -> None:
    """Who imports it pays for what they use."""
    loaded = loaded_by("import emulator")
    assert {name for name in loaded if name.startswith("emulator.")} == set()
    assert loaded & {*HEAVY, "subprocess", "http.client"} == set()


def test_environments_load_no_library() -> None:
    """The process with tests stays as it is: what brings environments up is loaded in another one."""
    assert loaded_by("from emulator import environments, EnvironmentsMixin, Logs") & set(HEAVY) == set()


def test_plugin_loads_little() -> None:
    """Installed in every pytest of the machine, it must cost those nothing that never use it."""
    loaded = loaded_by("import pytest, emulator.pytest_plugin.plugin")
    assert {name for name in loaded if name.startswith("emulator.")} == {
        "emulator.errors",
        "emulator.pytest_plugin",
        "emulator.pytest_plugin.fixtures",
        "emulator.pytest_plugin.options",
        "emulator.pytest_plugin.plugin",
        "emulator.pytest_plugin.running",
    }
    assert loaded & (set(HEAVY) - {"pytest"}) == set()


def test_public_functions_and_methods_are_typed() -> None:
    """Whoever writes tests with types gets them: py.typed is part of the wheel."""
    for name in emulator.__all__:
        found = getattr(emulator, name)
        methods = [value for key, value in vars(found).items() if not key.startswith("_") and callable(value)]
        for function in methods if isinstance(found, type) else [found]:
            if hasattr(function, "__annotations__"):
                assert "return" in typing.get_type_hints(function, vars(sys.modules[found.__module__])), function
