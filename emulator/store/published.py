"""
What a project publishes for proxies elsewhere: its spaces, the key of their tokens, and the routes.

The list of spaces belongs to the folder that wrote it last, until it is empty: two of them can't know of each other's
spaces, and would overwrite them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, text

from emulator.errors import ConfigError
from emulator.model import Route, Space
from emulator.routes import read_routes, routes_text
from emulator.space_list import changed, space_of, space_text
from emulator.store.origin import Origin
from emulator.store.store import Store
from emulator.store.tables import CHANNEL


class Published:
    """
    What one project publishes in a store; raises what :class:`emulator.store.store.Store` does.

    Args:
        project: The project's name, its service.
        origin: Which folder writes; only writers need it.
    """

    def __init__(self, store: Store, project: str, *, origin: Origin | None = None) -> None:
        self._store = store
        self._project = project
        self._origin = origin

    def write_spaces(self, spaces: Mapping[str, Space], *, key: bytes | None) -> None:
        """
        Replace the list, in one step.

        Args:
            key: What signs the tokens; None before any was made.

        Raises:
            ConfigError: The list is that of another folder.
            OSError: The mark of the write can't be kept.
        """
        rows = [
            {"project": self._project, "name": name, "position": at, "content": space_text(space)}
            for at, (name, space) in enumerate(spaces.items())
        ]
        with self._store.transaction() as connection:
            self._take(connection, key)
            connection.execute(
                text("DELETE FROM spaces WHERE project = :project AND name != ALL (:names)"),
                {"project": self._project, "names": list(spaces)},
            )
            for table in ("routes", "joins"):
                column = "space" if table == "routes" else "name"
                connection.execute(
                    text(f"DELETE FROM {table} WHERE project = :project AND {column} != ALL (:names)"),  # noqa: S608
                    {"project": self._project, "names": ["", *spaces]},
                )
            if rows:
                connection.execute(text(_PUT_SPACE), rows)

    def _take(self, connection: Connection, key: bytes | None) -> None:
        origin = self._writer()
        values = {"project": self._project, "origin": origin.shown, "key": key.hex() if key else ""}
        connection.execute(text(_ADD_OWNER), values)
        owner = connection.execute(text(_LOCK_OWNER), values).mappings().one()
        # A row of the first format has no mark: there the name of the folder is all that says whose it is.
        is_own = owner["mark"] in origin.marks() if owner["mark"] else owner["origin"] == origin.shown
        # A list that is empty may be taken over; only a statement after the lock sees what others have just written.
        if not is_own and connection.execute(text(_ANY_SPACE), values).first():
            raise ConfigError(
                f"the spaces of {self._project} in the store were written by {owner['origin']}, not by this folder",
                hint="change them there; where that folder is no more, docs/guides/shared-store.md says how to take"
                " them over",
            )
        connection.execute(text(_PUT_OWNER), {**values, "mark": origin.new_mark(owner["mark"])})

    def _writer(self) -> Origin:
        if self._origin is None:
            raise TypeError("only whoever says where it writes from may write")
        return self._origin

    def check_there(self) -> None:
        """Ask the store for nothing: it answers, or that raises what everything else would."""
        with self._store.transaction():
            pass

    def spaces(self) -> Mapping[str, Space]:
        """Name to space, in the order of their creation, those that are being removed as well."""
        with self._store.transaction() as connection:
            rows = connection.execute(text(_GET_SPACES), {"project": self._project}).mappings().all()
        spaces = {row["name"]: space_of(row["name"], json.dumps(row["content"])) for row in rows}
        for name in [row["name"] for row in rows if row["joined"]]:
            spaces = {**changed(spaces, name, is_joined=True)}
        return spaces

    def key(self) -> bytes | None:
        """What signs the tokens; None before any was made."""
        query = text("SELECT key FROM owners WHERE project = :project")
        with self._store.transaction() as connection:
            found = connection.execute(query, {"project": self._project}).scalar()
        return bytes.fromhex(found) if found else None

    def use_join(self, space: Space) -> bool:
        """
        Use the join token of *space* up, whichever proxy is asked; False when somebody has before.

        It must be one of :meth:`spaces` of just now that isn't joined: what a file on the owner's machine says of its
        own proxy is part of that.
        """
        with self._store.transaction() as connection:
            done = connection.execute(
                text(_PUT_JOIN), {"project": self._project, "name": space.name, "generation": space.generation}
            )
        return done.rowcount == 1

    def tell(self, what: str, which: str) -> None:
        """
        Tell whoever listens something that nobody has to keep.

        Args:
            what: A value of :class:`emulator.store.changes.What`.
            which: A space, or ``space/environment``.
        """
        values = {"channel": CHANNEL, "told": f"{self._project} {what} {which}"}
        with self._store.transaction() as connection:
            connection.execute(text("SELECT pg_notify(:channel, :told)"), values)

    def write_routes(self, space: str, routes: Sequence[Route]) -> None:
        """Replace the routes of *space*; empty for the project's own environments."""
        values = {"project": self._project, "space": space, "content": routes_text(routes)}
        values |= {"origin": self._writer().shown, "place": self._writer().place}
        with self._store.transaction() as connection:
            connection.execute(text(_PUT_ROUTES), values)

    def routes(self, space: str) -> Mapping[str, Route] | None:
        """Environment to route in *space*, empty for the project's own; None when none were published."""
        return self.all_routes([space]).get(space)

    def all_routes(self, spaces: Sequence[str] | None = None) -> Mapping[str, Mapping[str, Route]]:
        """Space to its routes, the project's own under the empty name; only those of *spaces*, if given."""
        query = "SELECT space, content FROM routes WHERE project = :project"
        only = "" if spaces is None else " AND space = ANY (:spaces)"
        values = {"project": self._project, **({} if spaces is None else {"spaces": list(spaces)})}
        with self._store.transaction() as connection:
            rows = connection.execute(text(query + only), values).mappings().all()
        return {row["space"]: read_routes(row["content"]) for row in rows}

    def origin_of(self, space: str) -> tuple[str, str]:
        """Machine and folder that published the routes of *space*, and the place that processes in them are in."""
        query = text("SELECT origin, place FROM routes WHERE project = :project AND space = :space")
        with self._store.transaction() as connection:
            found = connection.execute(query, {"project": self._project, "space": space}).first()
        return (str(found[0]), str(found[1])) if found else ("", "")


_ADD_OWNER = """
INSERT INTO owners (project, origin, key) VALUES (:project, :origin, :key) ON CONFLICT (project) DO NOTHING
"""
_LOCK_OWNER = "SELECT origin, mark FROM owners WHERE project = :project FOR UPDATE"
_ANY_SPACE = "SELECT 1 FROM spaces WHERE project = :project LIMIT 1"
_PUT_OWNER = "UPDATE owners SET origin = :origin, key = :key, mark = :mark WHERE project = :project"
# Only a real change is told of, here too.
_PUT_SPACE = """
INSERT INTO spaces (project, name, position, content) VALUES (:project, :name, :position, CAST(:content AS jsonb))
ON CONFLICT (project, name) DO UPDATE SET position = EXCLUDED.position, content = EXCLUDED.content
WHERE (spaces.position, spaces.content) IS DISTINCT FROM (EXCLUDED.position, EXCLUDED.content)
"""
_GET_SPACES = """
SELECT s.name, s.content, j.at IS NOT NULL AS joined
FROM spaces s LEFT JOIN joins j
    ON j.project = s.project AND j.name = s.name AND j.generation = CAST(s.content ->> 'generation' AS bigint)
WHERE s.project = :project ORDER BY s.position
"""
# A token of a generation that is over, or of a space that is gone or going, is not used up: it is void.
_PUT_JOIN = """
INSERT INTO joins (project, name, generation)
SELECT project, name, :generation FROM spaces
WHERE project = :project AND name = :name AND CAST(content ->> 'generation' AS bigint) = :generation
    AND content ->> 'is_joined' = 'false' AND content ->> 'is_ending' = 'false'
ON CONFLICT DO NOTHING
"""
_PUT_ROUTES = """
INSERT INTO routes (project, space, origin, place, content)
VALUES (:project, :space, :origin, :place, CAST(:content AS jsonb))
ON CONFLICT (project, space)
    DO UPDATE SET origin = EXCLUDED.origin, place = EXCLUDED.place, content = EXCLUDED.content
WHERE (routes.origin, routes.place, routes.content) IS DISTINCT FROM (EXCLUDED.origin, EXCLUDED.place, EXCLUDED.content)
"""
