"""Do the same for several environments at once; one that fails doesn't stop the others, Ctrl-C stops them all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from emulator.errors import MultistackError, file_hint

T = TypeVar("T")
# Seconds after which a Ctrl-C is noticed at the latest.
_SIGNAL_LATENCY = 0.2


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


class Deadline:
    """
    Until when all who share it may wait.

    Args:
        seconds: From now.
        clock: Seconds that only go forward.
    """

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at = clock() + seconds

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left of it."""
        return self._clock() >= self._at

    def shorten(self, seconds: float) -> None:
        """Leave no more than *seconds* from now."""
        self._at = min(self._at, self._clock() + seconds)


def run_parallel(
    names: Sequence[str], work: Callable[[str], T], cancellation: Cancellation, *, width: int | None = None
) -> Mapping[str, T | MultistackError]:
    """
    Call *work* with each of *names*, at once.

    Args:
        width: How many at a time; None for all.

    Returns:
        Name to result, or to the error it raised, in the order of *names*. A file that can't be read or written is such
        an error; a bug is raised as it is.

    Raises:
        KeyboardInterrupt: After every call has ended; each is told through *cancellation*.
    """
    begin = threading.Event()
    is_abandoned = False

    def work_on(name: str) -> T:
        # Nobody begins before all are known to the pool: an interrupted submit leaves a thread that it never joins.
        begin.wait()
        if is_abandoned:
            raise KeyboardInterrupt
        if width is not None:  # whoever waited for its turn may come too late
            cancellation.check()
        return work(name)

    with ThreadPoolExecutor(max_workers=max(1, len(names) if width is None else width)) as pool:
        try:
            futures: dict[str, Future[T]] = {name: pool.submit(work_on, name) for name in names}
            begin.set()
            pending = set(futures.values())
            while pending:
                # In steps: a signal that comes just before the main thread blocks would wake it only at the end.
                pending = wait(pending, timeout=_SIGNAL_LATENCY).not_done
        except BaseException:
            is_abandoned = not begin.is_set()
            cancellation.cancel()
            begin.set()
            raise
    results: dict[str, T | MultistackError] = {}
    for name, future in futures.items():
        error = future.exception()
        if isinstance(error, OSError) and error.filename:
            error = _file_error(name, error)
        results[name] = error if isinstance(error, MultistackError) else future.result()
    return results


def failed_of(results: Mapping[str, object]) -> dict[str, MultistackError]:
    """The errors among *results*."""
    return {name: result for name, result in results.items() if isinstance(result, MultistackError)}


def raise_first(results: Mapping[str, object]) -> None:
    """Raise the first error among *results*, if there is one."""
    for error in failed_of(results).values():
        raise error


def _file_error(name: str, error: OSError) -> MultistackError:
    told = MultistackError(f"environment {name}: {error.strerror}: {error.filename}", hint=file_hint(error))
    told.__cause__ = error
    return told
