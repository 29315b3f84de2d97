"""Pages that several browsers have open: made once for as long as what they show is the same."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

_KEPT = 16


class PageCache:
    """The last few pages, each with the state that it was made of."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: OrderedDict[Hashable, tuple[Hashable, str]] = OrderedDict()

    def page(self, key: Hashable, state: Hashable, make: Callable[[], str]) -> str:
        """
        The page *key*, made anew when *state* isn't that of the last time.

        Args:
            key: What was asked for, with everything in which two browsers may ask differently.
            state: Everything that the page shows, or what changes with it.
        """
        with self._lock:
            known = self._pages.get(key)
        if known is not None and known[0] == state:
            return known[1]
        made = make()
        with self._lock:
            self._pages[key] = (state, made)
            self._pages.move_to_end(key)
            while len(self._pages) > _KEPT:
                self._pages.popitem(last=False)
        return made
