"""
The function's own calls carry how deep in a chain of functions they are, so that a loop is noticed.

AWS stops a function that calls itself through other services after about 16 rounds; the emulator counts with a header
that botocore must add. botocore is not imported for that: it is told the moment the function imports it.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from types import ModuleType
from typing import Any

_MODULE = "botocore.handlers"


class Lineage(importlib.abc.MetaPathFinder):
    """Adds the header *name* with the depth of the current call to what botocore sends."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.depth: int | None = None

    def install(self) -> None:
        """Now, or as soon as botocore is imported."""
        if _MODULE in sys.modules:
            self._extend(sys.modules[_MODULE])
        else:
            sys.meta_path.insert(0, self)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Only ever for botocore's handlers: theirs, with a loader that adds ours."""
        if fullname != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                load(module)
                self._extend(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    def _extend(self, handlers: ModuleType) -> None:
        handlers.BUILTIN_HANDLERS.append(("before-call", self._add_header))

    def _add_header(self, params: Any, **_: Any) -> None:
        if self.depth is not None:
            params["headers"].setdefault(self._name, str(self.depth))
