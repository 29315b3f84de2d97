"""
What a request sees of an API: its deployment, not what is being edited.

MiniStack looks everything up in stores that hold an API as it is being edited. Here such a store answers with what is
shown to the running request instead, so that MiniStack's own code serves a deployment. Every request comes by several
times, hence a plain tuple and a context manager without a generator.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar, Token
from typing import Any

from ministack.core.responses import AccountRegionScopedDict

# In MiniStack's record of what a deployment froze: kept in its state, gone with the deployment, never listed.
FROZEN = "multistack:frozen"

# The API's id, and what stores answer for it by the store's name.
_View = tuple[str, Mapping[str, Any]]

_view: ContextVar[_View] = ContextVar("multistack_view_of_api", default=("", {}))


class _Store(AccountRegionScopedDict):  # type: ignore[misc]  # MiniStack has no types
    """A store of MiniStack by API id that answers with what is shown, if something is."""

    __slots__ = ("_name",)

    def __init__(self, name: str, data: dict[Any, Any]) -> None:
        super().__init__()
        self._name = name
        self._data.update(data)

    def get(self, key: str, default: Any = None) -> Any:
        """The record of an API."""
        api_id, shown = _view.get()
        if api_id == key and self._name in shown:
            return shown[self._name]
        return self._data.get(self._scoped(key), default)

    def get_scoped(self, account_id: str, region: str, key: str, default: Any = None) -> Any:
        """The record of an API of any account."""
        api_id, shown = _view.get()
        if api_id == key and self._name in shown:
            return shown[self._name]
        return super().get_scoped(account_id, region, key, default)


def showing_stores(module: Any, names: tuple[str, ...]) -> None:
    """Let the stores *names* of a module of MiniStack show what :class:`show` is told."""
    for name in names:
        store = getattr(module, name)
        if not isinstance(store, _Store):
            setattr(module, name, _Store(name, store._data))


class show:  # noqa: N801  # reads as what it does: with show(…)
    """Show *shown*, beside what is shown of the same API already."""

    __slots__ = ("_token", "_view")

    def __init__(self, api_id: str, shown: Mapping[str, Any]) -> None:
        self._view: _View = (api_id, shown)

    def __enter__(self) -> None:
        api_id, shown = self._view
        outer_id, outer = _view.get()
        self._token: Token[_View] = _view.set((api_id, {**outer, **shown}) if outer_id == api_id else self._view)

    def __exit__(self, *_: object) -> None:
        _view.reset(self._token)
