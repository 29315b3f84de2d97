"""Saves as they come, a burst of them as one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from emulator.errors import MultistackError
from emulator.watching.folders import is_watched

# Seconds without another change after which a burst is over: an editor that saves all files takes less between two.
QUIET = 0.1
# Seconds after which a burst that doesn't end is a batch nevertheless.
_LONGEST = 2.0
# Seconds between two looks where the system reports nothing.
_POLL = 0.3

Batch = frozenset[Path]


def batches(folders: Callable[[], frozenset[Path]], *, polls: bool = False) -> Iterator[Batch]:
    """
    Every burst of changes, for ever; what changes while a batch is worked on is part of a later one.

    A batch is empty where a watch begins: something may have changed before.

    Args:
        folders: What is to be watched, each folder without those below; asked again after each batch.
        polls: Look at the files again and again, where the system doesn't tell.

    Raises:
        KeyboardInterrupt: A signal came.
        MultistackError: The system watches no more folders.
    """
    from watchfiles._rust_notify import RustNotify  # documented as "Rust Direct Usage"

    while True:
        watched = folders()
        try:
            watcher = RustNotify(sorted(map(str, watched)), False, polls, round(_POLL * 1000), False, True)
        except FileNotFoundError:  # one of them went this very moment
            continue
        except OSError as error:
            raise MultistackError(
                f"can't watch {len(watched)} folders: {error}",
                hint="raise the limit with `sudo sysctl fs.inotify.max_user_watches=524288`, or give --poll",
            ) from error
        with watcher:
            yield frozenset()
            while folders() == watched:
                changes = watcher.watch(round(_LONGEST * 1000), round(QUIET * 1000), 0, None)
                if isinstance(changes, str):
                    raise KeyboardInterrupt
                if batch := frozenset(path for _, name in changes if is_watched(path := Path(name))):
                    yield batch


def said(batch: Batch, root: Path) -> str:
    """Which files they are, for people: ``src/app.py and 2 others``."""
    return few(sorted(str(path.relative_to(root)) if path.is_relative_to(root) else str(path) for path in batch))


def few(names: Sequence[str]) -> str:
    """The first of *names*, and how many others there are."""
    if len(names) < 2:
        return "".join(names)
    return f"{names[0]} and {len(names) - 1} other{'s' if len(names) > 2 else ''}"
