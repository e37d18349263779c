-- Namespaces, calls and kept idempotency keys.
-- A namespace is named by the first 16 bytes of the SHA-256 of its key: no token is stored.
-- Instants are seconds since the Unix epoch; used_at, wake_at and leased_until are of the wall
-- clock,
-- all others of the namespace's virtual clock.

CREATE TABLE namespaces (
    namespace    BLOB NOT NULL PRIMARY KEY CHECK (length(namespace) = 16),
    anchor_wall  REAL NOT NULL,
    anchor       REAL NOT NULL,
    rate         REAL NOT NULL CHECK (rate > 0),
    used_at      REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX namespaces_by_used_at ON namespaces (used_at);

-- Ids are UUIDs of version 7, so rows of a namespace are appended in the order of their creation.
CREATE TABLE calls (
    namespace         BLOB NOT NULL CHECK (length(namespace) = 16),
    call_id           BLOB NOT NULL CHECK (length(call_id) = 16),
    phone             TEXT NOT NULL,
    agent             TEXT NOT NULL,
    scenario          TEXT NOT NULL,
    created_at        REAL NOT NULL,
    status            TEXT CHECK (status IN ('completed', 'no_answer', 'busy', 'failed', 'canceled')),
    transcript        TEXT CHECK (transcript IS NULL OR status IN ('completed', 'failed')),
    duration_seconds  INTEGER CHECK ((duration_seconds IS NULL) = (status IS NULL)),
    ended_at          REAL CHECK ((ended_at IS NULL) = (status IS NULL)),
    completed_by      TEXT,
    delivery_answers  TEXT NOT NULL DEFAULT '[]',
    due_at            REAL,
    wake_at           REAL CHECK ((wake_at IS NULL) = (due_at IS NULL)),
    leased_until      REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (namespace, call_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX calls_by_wake_at ON calls (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX calls_by_due_at ON calls (namespace, due_at) WHERE due_at IS NOT NULL;

CREATE TABLE idempotency_keys (
    namespace        BLOB NOT NULL CHECK (length(namespace) = 16),
    idempotency_key  TEXT NOT NULL,
    fingerprint      BLOB NOT NULL,
    call_id          BLOB NOT NULL,
    expires_at       REAL NOT NULL,
    PRIMARY KEY (namespace, idempotency_key)
) STRICT, WITHOUT ROWID;
