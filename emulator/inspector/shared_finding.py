"""The exchanges of all proxies of a store, as a file like that of one proxy: it is searched in the same way."""

from __future__ import annotations

import contextlib
from pathlib import Path

from sqlalchemy import text

from emulator.inspector import rows
from emulator.inspector.finding import Requests
from emulator.store.store import Store

_MANY = 500


def fetch_shared(store: Store, project: str, path: Path) -> Requests:
    """
    Copy what is kept of *project* to the new file *path*.

    Raises:
        StoreAway: The store can't be reached.
    """
    names = ("id", *rows.EXCHANGE, *rows.CONTENTS)
    query = text(f"SELECT {', '.join(names)} FROM requests WHERE project = :project ORDER BY id")  # noqa: S608
    with contextlib.closing(rows.open_file(path)) as file, store.transaction() as connection:
        file.execute("BEGIN")
        found = connection.execution_options(yield_per=_MANY).execute(query, {"project": project})
        for part in found.partitions(_MANY):
            rows.insert_numbered(file, [tuple(row) for row in part])
        file.execute("COMMIT")
    return Requests(path)
