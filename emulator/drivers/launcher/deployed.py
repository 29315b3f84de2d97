"""
What a request sees of an API: its deployment, not what is being edited.

MiniStack looks everything up in stores that hold an API as it is being edited. Here such a store answers with what is
shown to the running request instead, so that MiniStack's own code serves a deployment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import AccountRegionScopedDict

# In MiniStack's record of what a deployment froze: kept in its state, gone with the deployment, never listed.
FROZEN = "multistack:frozen"


@dataclass(frozen=True, slots=True)
class View:
    """
    What one request sees of one API.

    Attributes:
        shown: What stores answer for the API, by the store's name.
    """

    api_id: str
    shown: Mapping[str, Any]


_view: ContextVar[View | None] = ContextVar("multistack_view_of_api", default=None)


class _Store(AccountRegionScopedDict):  # type: ignore[misc]  # MiniStack has no types
    """A store of MiniStack by API id that answers with what is shown, if something is."""

    __slots__ = ("_name",)

    def __init__(self, name: str, data: dict[Any, Any]) -> None:
        super().__init__()
        self._name = name
        self._data.update(data)

    def get(self, key: str, default: Any = None) -> Any:
        """The record of an API."""
        view = _view.get()
        if view is not None and view.api_id == key and self._name in view.shown:
            return view.shown[self._name]
        return super().get(key, default)

    def get_scoped(self, account_id: str, region: str, key: str, default: Any = None) -> Any:
        """The record of an API of any account."""
        view = _view.get()
        if view is not None and view.api_id == key and self._name in view.shown:
            return view.shown[self._name]
        return super().get_scoped(account_id, region, key, default)


def showing_stores(module: Any, names: tuple[str, ...]) -> None:
    """Let the stores *names* of a module of MiniStack show what :func:`show` is told."""
    for name in names:
        store = getattr(module, name)
        if not isinstance(store, _Store):
            setattr(module, name, _Store(name, store._data))


@contextlib.contextmanager
def show(api_id: str, shown: Mapping[str, Any]) -> Iterator[None]:
    """Show *shown*, beside what is shown of the same API already."""
    outer = _view.get()
    if outer is not None and outer.api_id == api_id:
        shown = {**outer.shown, **shown}
    token = _view.set(View(api_id, shown))
    try:
        yield
    finally:
        _view.reset(token)
