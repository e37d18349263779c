-- What has gone over the wire, redacted, and how often each documented answer was met.
-- `seq` orders the exchanges of a namespace by the instant they ended.

CREATE TABLE journal (
    namespace     BLOB NOT NULL CHECK (length(namespace) = 16),
    seq           TEXT NOT NULL,
    request_id    TEXT NOT NULL,
    started_at    REAL NOT NULL,
    operation_id  TEXT,
    status        INTEGER NOT NULL,
    call_id       TEXT,
    entry         TEXT NOT NULL CHECK (json_valid(entry)),
    PRIMARY KEY (namespace, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX journal_by_request_id ON journal (namespace, request_id);

CREATE TABLE coverage (
    namespace     BLOB NOT NULL CHECK (length(namespace) = 16),
    operation_id  TEXT NOT NULL,
    status        INTEGER NOT NULL,
    code          TEXT NOT NULL,
    scenario      TEXT NOT NULL,
    exchanges     INTEGER NOT NULL CHECK (exchanges > 0),
    PRIMARY KEY (namespace, operation_id, status, code, scenario)
) STRICT, WITHOUT ROWID;
