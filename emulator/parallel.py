"""Do the same for several environments at once; one that fails doesn't stop the others, Ctrl-C stops them all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from emulator.errors import MultistackError

T = TypeVar("T")


class Cancellation:
    """Set once by whoever gives up; asked by everyone who waits."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Make every further check raise."""
        self._event.set()

    def check(self) -> None:
        """
        Return at once, or end the work.

        Raises:
            KeyboardInterrupt: Somebody gave up.
        """
        if self._event.is_set():
            raise KeyboardInterrupt


def run_parallel(
    names: Sequence[str], work: Callable[[str], T], cancellation: Cancellation
) -> Mapping[str, T | MultistackError]:
    """
    Call *work* with each of *names*, at once.

    Returns:
        Name to result, or to the error it raised, in the order of *names*.

    Raises:
        KeyboardInterrupt: After every call has ended; each is told through *cancellation*.
    """
    with ThreadPoolExecutor(max_workers=max(1, len(names))) as pool:
        futures: dict[str, Future[T]] = {name: pool.submit(work, name) for name in names}
        try:
            wait(futures.values())
        except KeyboardInterrupt:
            cancellation.cancel()
            raise
    results: dict[str, T | MultistackError] = {}
    for name, future in futures.items():
        error = future.exception()
        results[name] = error if isinstance(error, MultistackError) else future.result()
    return results
