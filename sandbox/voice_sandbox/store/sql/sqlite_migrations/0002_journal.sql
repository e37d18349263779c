-- What has gone over the wire, and how often each documented answer was met.
-- Exchanges that were written down together are one row; `entries` holds them, packed.
-- A `seq` orders the exchanges of a namespace by the instant they ended.

CREATE TABLE journal (
    namespace  BLOB NOT NULL CHECK (length(namespace) = 16),
    last_seq   TEXT NOT NULL,
    newest_at  REAL NOT NULL,
    exchanges  INTEGER NOT NULL CHECK (exchanges > 0),
    entries    BLOB NOT NULL
) STRICT;

CREATE INDEX journal_by_seq ON journal (namespace, last_seq, newest_at, exchanges);

CREATE TABLE coverage (
    namespace     BLOB NOT NULL CHECK (length(namespace) = 16),
    operation_id  TEXT NOT NULL,
    status        INTEGER NOT NULL,
    code          TEXT NOT NULL,
    scenario      TEXT NOT NULL,
    exchanges     INTEGER NOT NULL CHECK (exchanges > 0),
    PRIMARY KEY (namespace, operation_id, status, code, scenario)
) STRICT, WITHOUT ROWID;
