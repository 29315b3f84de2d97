"""
State as bytes, and back.

LocalStack brings a pickler for this (``localstack.state.pickle``), written in Python on top of dill. The one here is
the interpreter's own in C, ten times as fast, with what state holds besides plain data taught to it: locks, functions
that no module exports, and the stores and backends themselves, which are referred to by their place.

Who can write a pickle runs code when it is loaded. These come from the state folder only, which belongs to the user
that runs LocalStack and that nobody else can write: whoever could change a checkpoint could as well do what it does.

A pickle names what makes its values again. The functions here that do are part of the format of checkpoints: a change
of their names or arguments is a new :data:`checkpoint.LAYOUT`.
"""

from __future__ import annotations

import importlib
import io
import marshal
import pickle
import sys
import threading
import types
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from localstack.services.stores import BaseStore
from moto.core.base_backend import BaseBackend
from moto.iam.models import AWSManagedPolicy

from multistack_localstack.state import managed_policies, places

Reduced = tuple[Callable[..., Any], tuple[Any, ...]]


def dumps(value: Any) -> bytes:
    """
    *value* as bytes.

    Raises:
        pickle.PicklingError, TypeError: Something in it is no data, such as a thread or a socket.
    """
    file = io.BytesIO()
    _Pickler(file, protocol=5).dump(value)
    return file.getvalue()


def loads(content: bytes) -> Any:
    """What was given to :func:`dumps`; may raise anything."""
    return pickle.loads(content)  # noqa: S301 (see above)


def register(kind: type, reduce: Callable[[Any], Any]) -> None:
    """Let values of this *kind* be pickled as *reduce* says, which is as ``__reduce__``."""
    _BY_TYPE[kind] = reduce


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        try:
            reduce = _BY_TYPE[kind]
        except KeyError:
            reduce = _BY_TYPE[kind] = _reducer_of(kind)
        return NotImplemented if reduce is None else reduce(value)


def _reducer_of(kind: type) -> Callable[[Any], Any] | None:
    if issubclass(kind, BaseStore | BaseBackend):
        return _place
    if issubclass(kind, defaultdict) and kind is not defaultdict:
        return _default_dict
    return None


def _default_dict(value: defaultdict[Any, Any]) -> Any:
    """One of a class of its own, which may want arguments that nobody has any more."""
    state = (value.default_factory, dict(vars(value)))
    return type(value).__new__, (type(value),), state, None, iter(list(value.items())), _set_default_dict


def _set_default_dict(value: defaultdict[Any, Any], state: tuple[Any, dict[str, Any]]) -> None:
    value.default_factory, attributes = state
    vars(value).update(attributes)


def _place(value: Any) -> Any:
    place = places.of(value)
    # One that no bundle holds, such as a copy that somebody keeps, is data like all else.
    return NotImplemented if place is None else (places.find, (place,))


def _function(value: types.FunctionType) -> Any:
    """A function that can't be imported by its name: the default of a ``defaultdict``, for one."""
    if _is_exported(value):
        return NotImplemented
    cells = tuple(cell.cell_contents for cell in value.__closure__ or ())
    defaults = (value.__defaults__, value.__kwdefaults__)
    return _make_function, (marshal.dumps(value.__code__), value.__module__, value.__name__, defaults, cells)


def _is_exported(value: types.FunctionType) -> bool:
    found: Any = sys.modules.get(value.__module__)
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is value


def _make_function(
    code: bytes, module: str, name: str, defaults: tuple[Any, Any], cells: tuple[Any, ...]
) -> types.FunctionType:
    namespace = vars(importlib.import_module(module))
    closure = tuple(types.CellType(content) for content in cells)
    made = types.FunctionType(marshal.loads(code), namespace, name, defaults[0], closure)  # noqa: S302 (see above)
    made.__kwdefaults__ = defaults[1]
    return made


def _module(value: types.ModuleType) -> Reduced:
    return importlib.import_module, (value.__name__,)


def _lock(_value: Any) -> Reduced:
    return threading.Lock, ()


def _reentrant_lock(_value: Any) -> Reduced:
    return threading.RLock, ()


_BY_TYPE: dict[type, Callable[[Any], Any] | None] = {
    AWSManagedPolicy: managed_policies.reduce,
    types.FunctionType: _function,
    types.ModuleType: _module,
    # A lock that is held when it is saved is free when it is restored: its holder is gone.
    type(threading.Lock()): _lock,
    type(threading.RLock()): _reentrant_lock,
}
