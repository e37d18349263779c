-- Namespaces, calls, kept idempotency keys, the journal, and how often each answer was met.
-- A namespace is named by the first 16 bytes of the SHA-256 of its key: no token is stored.
-- Instants are seconds since the Unix epoch; used_at, wake_at, leased_until and the journal's are
-- of the wall clock, all others of the namespace's virtual clock.
--
-- Who waits for locks on several rows takes them in this order: namespaces by name, then calls.
-- What serves many requests at once never waits for a row: it leaves out what is locked.

CREATE TABLE namespaces (
    namespace    bytea NOT NULL PRIMARY KEY CHECK (octet_length(namespace) = 16),
    anchor_wall  double precision NOT NULL,
    anchor       double precision NOT NULL,
    rate         double precision NOT NULL CHECK (rate > 0),
    used_at      double precision NOT NULL
);

CREATE INDEX namespaces_by_used_at ON namespaces (used_at);

-- Ids are UUIDs of version 7, so rows of a namespace are appended in the order of their creation.
-- A row is updated three times after its creation; the free space keeps most of that on its page.
CREATE TABLE calls (
    namespace         bytea NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    call_id           uuid NOT NULL,
    phone             text NOT NULL,
    agent             text NOT NULL,
    scenario          text NOT NULL,
    created_at        double precision NOT NULL,
    status            text CHECK (status IN ('completed', 'no_answer', 'busy', 'failed', 'canceled')),
    transcript        text CHECK (transcript IS NULL OR status IN ('completed', 'failed')),
    duration_seconds  integer CHECK ((duration_seconds IS NULL) = (status IS NULL)),
    ended_at          double precision CHECK ((ended_at IS NULL) = (status IS NULL)),
    completed_by      text,
    delivery_answers  smallint[] NOT NULL DEFAULT '{}',
    due_at            double precision,
    wake_at           double precision CHECK ((wake_at IS NULL) = (due_at IS NULL)),
    leased_until      double precision NOT NULL DEFAULT 0,
    PRIMARY KEY (namespace, call_id)
) WITH (fillfactor = 80);

CREATE INDEX calls_by_wake_at ON calls (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX calls_by_due_at ON calls (namespace, due_at) WHERE due_at IS NOT NULL;

CREATE TABLE idempotency_keys (
    namespace        bytea NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    idempotency_key  text COLLATE "C" NOT NULL,
    fingerprint      bytea NOT NULL,
    call_id          uuid NOT NULL,
    created_at       double precision NOT NULL,
    expires_at       double precision NOT NULL,
    PRIMARY KEY (namespace, idempotency_key)
);

-- Exchanges that were written down together are one row; `entries` holds them, packed.
-- They need no open namespace: who only lists agents is in the journal too.
-- A `seq` orders the exchanges of a namespace by the instant they ended; it sorts byte by byte.
CREATE TABLE journal (
    namespace  bytea NOT NULL CHECK (octet_length(namespace) = 16),
    last_seq   text COLLATE "C" NOT NULL,
    newest_at  double precision NOT NULL,
    exchanges  integer NOT NULL CHECK (exchanges > 0),
    entries    bytea NOT NULL,
    PRIMARY KEY (namespace, last_seq)
);

CREATE TABLE coverage (
    namespace     bytea NOT NULL CHECK (octet_length(namespace) = 16),
    operation_id  text COLLATE "C" NOT NULL,
    status        smallint NOT NULL,
    code          text COLLATE "C" NOT NULL,
    scenario      text COLLATE "C" NOT NULL,
    exchanges     bigint NOT NULL CHECK (exchanges > 0),
    PRIMARY KEY (namespace, operation_id, status, code, scenario)
);
