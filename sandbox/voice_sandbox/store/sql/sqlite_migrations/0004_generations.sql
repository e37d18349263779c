-- A namespace that is deleted loses its name at once, and its rows are removed in small pieces.
-- Whoever opens it again meanwhile begins a new generation, which has none of those rows.
-- A `seq` orders the calls of a generation as they were stored; its sample call has 0.

CREATE TABLE new_namespaces (
    generation     INTEGER NOT NULL PRIMARY KEY,
    namespace      BLOB UNIQUE CHECK (length(namespace) = 16),
    anchor_wall    REAL NOT NULL,
    anchor         REAL NOT NULL,
    rate           REAL NOT NULL CHECK (rate > 0),
    used_at        REAL NOT NULL,
    used_seq       INTEGER NOT NULL,
    moves          INTEGER NOT NULL,
    settled_moves  INTEGER NOT NULL
) STRICT;

CREATE TABLE new_calls (
    generation         INTEGER NOT NULL,
    call_id            BLOB NOT NULL CHECK (length(call_id) = 16),
    seq                INTEGER NOT NULL,
    phone              TEXT NOT NULL,
    agent              TEXT NOT NULL,
    scenario           TEXT NOT NULL,
    created_at         REAL NOT NULL,
    status             TEXT CHECK (status IN ('completed', 'no_answer', 'busy', 'failed', 'canceled')),
    transcript         TEXT CHECK (transcript IS NULL OR status IN ('completed', 'failed')),
    duration_seconds   INTEGER CHECK ((duration_seconds IS NULL) = (status IS NULL)),
    ended_at           REAL CHECK ((ended_at IS NULL) = (status IS NULL)),
    completed_by       TEXT,
    delivery_statuses  TEXT NOT NULL DEFAULT '[]',
    due_at             REAL,
    wake_at            REAL CHECK ((wake_at IS NULL) = (due_at IS NULL)),
    leased_until       REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (generation, call_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE new_idempotency_keys (
    generation       INTEGER NOT NULL,
    idempotency_key  TEXT NOT NULL,
    fingerprint      BLOB NOT NULL,
    call_id          BLOB NOT NULL,
    expires_at       REAL NOT NULL,
    PRIMARY KEY (generation, idempotency_key)
) STRICT, WITHOUT ROWID;

-- An advance that was broken off may have left wakes behind: each namespace counts as moved once.
INSERT INTO new_namespaces (
    namespace, anchor_wall, anchor, rate, used_at, used_seq, moves, settled_moves
)
SELECT namespace, anchor_wall, anchor, rate, used_at, 0, 1, 0 FROM namespaces;

INSERT INTO new_calls
SELECT
    generation, call_id,
    row_number() OVER (PARTITION BY generation ORDER BY created_at, call_id) - 1,
    phone, agent, scenario, created_at, status, transcript, duration_seconds, ended_at,
    completed_by, delivery_statuses, due_at, wake_at, leased_until
FROM calls JOIN new_namespaces USING (namespace);

INSERT INTO new_idempotency_keys
SELECT generation, idempotency_key, fingerprint, call_id, expires_at
FROM idempotency_keys JOIN new_namespaces USING (namespace);

DROP TABLE calls;
DROP TABLE idempotency_keys;
DROP TABLE namespaces;
ALTER TABLE new_namespaces RENAME TO namespaces;
ALTER TABLE new_calls RENAME TO calls;
ALTER TABLE new_idempotency_keys RENAME TO idempotency_keys;

CREATE INDEX namespaces_by_used_at ON namespaces (used_at);
CREATE INDEX namespaces_with_late_wakes ON namespaces (generation) WHERE moves > settled_moves;
CREATE INDEX calls_by_seq ON calls (generation, seq);
CREATE INDEX calls_by_wake_at ON calls (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX calls_by_due_at ON calls (generation, due_at, call_id) WHERE due_at IS NOT NULL;

-- What a check of readiness writes, so that a database which takes no writes is noticed.
CREATE TABLE heartbeat (beats INTEGER NOT NULL) STRICT;
INSERT INTO heartbeat (beats) VALUES (0);
