"""
Gap: MiniStack 1.5.33 imports every service that a template could name, for a stack of a few: 15 MB in each environment.

Elsewhere it imports a service when it is first asked for. So does CloudFormation here.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

_SERVICES = "ministack.services"
_EAGER = f"{_SERVICES}.cloudformation"


class _Service(ModuleType):
    """Stands for a service's module, which is imported when something of it is first used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # importlib asks for these of what it has just made
            raise AttributeError(name)
        return getattr(_imported(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__"):
            super().__setattr__(name, value)
        else:
            setattr(_imported(self), name, value)


class _Deferring(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds services, except those that are to be imported at last."""

    def __init__(self) -> None:
        self.wanted: set[str] = set()

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Only for modules directly below ``ministack.services``."""
        parent, _, name = fullname.rpartition(".")
        if parent != _SERVICES or not name or fullname == _EAGER or fullname in self.wanted:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """What stands for it."""
        return _Service(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to do yet."""


_finder = _Deferring()


def apply() -> None:
    """Import CloudFormation without the services it knows; must come before whatever imports it."""
    with _deferred():
        importlib.import_module(f"{_EAGER}.handlers")
        importlib.import_module(f"{_EAGER}.stacks")


@contextlib.contextmanager
def _deferred() -> Iterator[None]:
    """For as long as importing a service imports nothing; what stands for one is known to its importer alone."""
    sys.meta_path.insert(0, _finder)
    try:
        yield
    finally:
        sys.meta_path.remove(_finder)
        services = sys.modules[_SERVICES]
        for name, module in list(sys.modules.items()):
            if isinstance(module, _Service):
                del sys.modules[name]
                delattr(services, name.rpartition(".")[2])


def _imported(service: _Service) -> ModuleType:
    name = service.__name__
    if sys.modules.get(name) is service:  # used while CloudFormation is still being imported
        _finder.wanted.add(name)
        del sys.modules[name]
    return importlib.import_module(name)
