"""
The tables of a store, all in a schema of their own, of one format that older ones are brought to.

What belongs to a ledger is read and written through views of one project or space: queries are the same as for a file,
and none can forget whose rows it is about. Whose is said for each transaction by the setting ``multistack.scope``.
Triggers refuse to change or delete what is on record, and tell whoever listens of what was published.
"""

from __future__ import annotations

from collections.abc import Mapping

SCHEMA = "multistack"
FORMAT = 2
# Whoever listens is told "<project> <what> <space>[/<environment>]".
CHANNEL = "multistack"

# As in a ledger's file, see emulator/ledger.py.
_LEDGER: Mapping[str, str] = {
    "deployments": """
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment TEXT NOT NULL,
    release TEXT NOT NULL,
    digest TEXT NOT NULL,
    config_hash TEXT NOT NULL,
    config TEXT NOT NULL,
    promoted_from TEXT,
    at TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process_started DOUBLE PRECISION NOT NULL,
    source TEXT,
    kind TEXT NOT NULL DEFAULT 'deploy',
    by TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    template_hash TEXT NOT NULL DEFAULT '',
    secrets TEXT NOT NULL DEFAULT '{}'""",
    "outcomes": """
    deployment BIGINT PRIMARY KEY REFERENCES all_deployments (id),
    outcome TEXT NOT NULL,
    at TEXT NOT NULL,
    detail TEXT NOT NULL,
    apis TEXT NOT NULL,
    skipped TEXT NOT NULL""",
    "gates": """
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deployment BIGINT NOT NULL REFERENCES all_deployments (id),
    name TEXT NOT NULL,
    phase TEXT NOT NULL,
    result TEXT NOT NULL,
    detail TEXT NOT NULL,
    at TEXT NOT NULL""",
    "approvals": """
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment TEXT NOT NULL,
    digest TEXT NOT NULL,
    by TEXT NOT NULL,
    at TEXT NOT NULL,
    expires TEXT NOT NULL""",
    "holds": """
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment TEXT NOT NULL,
    is_set INTEGER NOT NULL,
    reason TEXT NOT NULL,
    by TEXT NOT NULL,
    at TEXT NOT NULL""",
}
# What a new row of each is known by.
KEYS = {"deployments": "id", "outcomes": "deployment", "gates": "id", "approvals": "id", "holds": "id"}
_BY = {"deployments": "environment", "outcomes": "deployment", "gates": "deployment"}

_SCOPES = """
CREATE TABLE format (version INTEGER NOT NULL);
CREATE TABLE scopes (
    id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project TEXT NOT NULL,
    space TEXT NOT NULL,
    since TEXT NOT NULL,
    UNIQUE (project, space, since)
);
CREATE FUNCTION current_scope() RETURNS INTEGER LANGUAGE sql STABLE AS
    $$ SELECT current_setting('multistack.scope')::integer $$;
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$;
"""
_PART = """
CREATE TABLE all_{table} (
    scope INTEGER NOT NULL DEFAULT current_scope() REFERENCES scopes (id),
    recorded TIMESTAMPTZ NOT NULL DEFAULT now(),{columns}
);
CREATE INDEX all_{table}_scope ON all_{table} (scope, {by});
CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON all_{table} FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON all_{table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE VIEW {table} AS SELECT {names} FROM all_{table} WHERE scope = current_scope();
"""
_PUBLISHED = """
CREATE TABLE owners (
    project TEXT PRIMARY KEY,
    origin TEXT NOT NULL,
    key TEXT NOT NULL
);
CREATE TABLE spaces (
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    position INTEGER NOT NULL,
    content JSONB NOT NULL,
    PRIMARY KEY (project, name)
);
CREATE TABLE joins (
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    generation BIGINT NOT NULL,
    at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (project, name, generation)
);
CREATE TABLE routes (
    project TEXT NOT NULL,
    space TEXT NOT NULL,
    origin TEXT NOT NULL,
    content JSONB NOT NULL,
    PRIMARY KEY (project, space)
);
CREATE TABLE requests (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project TEXT NOT NULL,
    proxy TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    source TEXT NOT NULL,
    environment TEXT NOT NULL,
    client TEXT NOT NULL,
    release TEXT,
    digest TEXT,
    method TEXT NOT NULL,
    target TEXT NOT NULL,
    request_length BIGINT NOT NULL,
    status INTEGER NOT NULL,
    answer_length BIGINT NOT NULL,
    seconds DOUBLE PRECISION NOT NULL,
    is_complete INTEGER NOT NULL,
    problem TEXT,
    upstream_seconds DOUBLE PRECISION,
    invocations TEXT NOT NULL,
    faults TEXT NOT NULL,
    request_headers TEXT NOT NULL,
    answer_headers TEXT NOT NULL,
    request_body BYTEA NOT NULL,
    answer_body BYTEA NOT NULL
);
CREATE INDEX requests_project ON requests (project, id);
CREATE INDEX requests_at ON requests (project, at);
CREATE FUNCTION tell_spaces() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('multistack', coalesce(NEW.project, OLD.project) || ' spaces');
    RETURN NULL;
END $$;
CREATE FUNCTION tell_routes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(
        'multistack', coalesce(NEW.project, OLD.project) || ' routes ' || coalesce(NEW.space, OLD.space)
    );
    RETURN NULL;
END $$;
CREATE TRIGGER told AFTER INSERT OR UPDATE OR DELETE ON owners FOR EACH ROW EXECUTE FUNCTION tell_spaces();
CREATE TRIGGER told AFTER INSERT OR UPDATE OR DELETE ON spaces FOR EACH ROW EXECUTE FUNCTION tell_spaces();
CREATE TRIGGER told AFTER INSERT OR UPDATE OR DELETE ON joins FOR EACH ROW EXECUTE FUNCTION tell_spaces();
CREATE TRIGGER told AFTER INSERT OR UPDATE OR DELETE ON routes FOR EACH ROW EXECUTE FUNCTION tell_routes();
"""
# Rows of before have no mark until their next write, and their processes are in no place of today. Each write changes
# the mark, which concerns nobody who listens.
_ORIGINS = """
ALTER TABLE owners ADD COLUMN mark TEXT NOT NULL DEFAULT '';
ALTER TABLE routes ADD COLUMN place TEXT NOT NULL DEFAULT '';
DROP TRIGGER told ON owners;
CREATE TRIGGER told AFTER INSERT OR DELETE ON owners FOR EACH ROW EXECUTE FUNCTION tell_spaces();
CREATE TRIGGER told_of_change AFTER UPDATE ON owners FOR EACH ROW
    WHEN ((OLD.origin, OLD.key) IS DISTINCT FROM (NEW.origin, NEW.key)) EXECUTE FUNCTION tell_spaces();
"""
# Who was the last to change a project or space, by a number that grows.
_TURNS = """
CREATE SEQUENCE turn_number;
CREATE TABLE turns (
    scope INTEGER PRIMARY KEY REFERENCES scopes (id),
    number BIGINT NOT NULL,
    who TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL DEFAULT now(),
    is_over BOOLEAN NOT NULL DEFAULT false
);
"""


def _part(table: str) -> str:
    columns = _LEDGER[table]
    names = ", ".join(line.split()[0] for line in columns.strip().splitlines())
    return _PART.format(table=table, columns=columns, by=_BY.get(table, "environment"), names=names)


# What brings an empty schema to the first format, and each format to the next.
MIGRATIONS: Mapping[int, str] = {1: _SCOPES + "".join(map(_part, _LEDGER)) + _PUBLISHED, 2: _ORIGINS + _TURNS}
