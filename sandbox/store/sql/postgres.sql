-- name: ping
SELECT count(*) FROM (SELECT 1 FROM namespaces LIMIT 1) AS one;

-- name: read_namespace
SELECT anchor_wall, anchor, rate FROM namespaces WHERE namespace = :namespace;

-- name: open_namespace
-- Whoever comes second, on whichever replica, finds the namespace with its sample call.
WITH opened AS (
    INSERT INTO namespaces (namespace, anchor_wall, anchor, rate, used_at)
    VALUES (:namespace, :anchor_wall, :anchor, :rate, :anchor_wall)
    ON CONFLICT (namespace) DO NOTHING
    RETURNING namespace
)
INSERT INTO calls (
    namespace, call_id, phone, agent, scenario, created_at,
    status, transcript, duration_seconds, ended_at
)
SELECT
    opened.namespace, :call_id, :phone, :agent, :scenario, :created_at,
    :status, :transcript, :duration_seconds, :ended_at
FROM opened;

-- name: use_namespaces
WITH used AS (
    SELECT namespace FROM namespaces WHERE namespace = ANY (:namespaces)
    ORDER BY namespace FOR NO KEY UPDATE
)
UPDATE namespaces SET used_at = :at FROM used WHERE namespaces.namespace = used.namespace;

-- name: idle_namespaces
SELECT namespace FROM namespaces WHERE used_at < :since;

-- name: lock_namespace
SELECT anchor_wall, anchor, rate FROM namespaces WHERE namespace = :namespace FOR NO KEY UPDATE;

-- name: move_clock
UPDATE namespaces SET anchor_wall = :anchor_wall, anchor = :anchor
WHERE namespace = :namespace;

-- name: settle_wakes
-- A process that died in the middle of an advance left the clock ahead of these.
UPDATE calls SET wake_at = anchor_wall + (due_at - anchor) / rate
FROM namespaces
WHERE namespaces.namespace = calls.namespace AND due_at IS NOT NULL;

-- name: move_wakes
UPDATE calls SET wake_at = :anchor_wall + (due_at - :anchor) / :rate
WHERE namespace = :namespace AND due_at IS NOT NULL;

-- name: create_call
-- The share lock keeps the clock where it is until the call is there: wake_at always fits it.
-- Nothing is created where the namespace is gone, or where the idempotency key is in use.
WITH open AS (
    SELECT namespace, anchor_wall, anchor, rate FROM namespaces
    WHERE namespace = :namespace FOR SHARE
), kept AS (
    INSERT INTO idempotency_keys (namespace, idempotency_key, fingerprint, call_id, expires_at)
    SELECT namespace, :idempotency_key, :fingerprint, :call_id, :expires_at FROM open
    WHERE :idempotency_key::text IS NOT NULL
    ON CONFLICT (namespace, idempotency_key) DO UPDATE
    SET fingerprint = excluded.fingerprint, call_id = excluded.call_id,
        expires_at = excluded.expires_at
    WHERE idempotency_keys.expires_at <= :created_at
    RETURNING idempotency_key
), created AS (
    INSERT INTO calls (
        namespace, call_id, phone, agent, scenario, created_at, due_at, wake_at
    )
    SELECT
        namespace, :call_id, :phone, :agent, :scenario, :created_at,
        :due_at::double precision, anchor_wall + (:due_at - anchor) / rate
    FROM open
    WHERE :idempotency_key::text IS NULL OR EXISTS (SELECT FROM kept)
    RETURNING call_id
)
SELECT (SELECT count(*) FROM open) AS namespaces, (SELECT count(*) FROM created) AS calls;

-- name: read_idempotency_key
SELECT call_id, fingerprint FROM idempotency_keys
WHERE namespace = :namespace AND idempotency_key = :idempotency_key;

-- name: read_call
SELECT call_id, phone, agent, scenario, created_at,
       status, transcript, duration_seconds, ended_at, completed_by, delivery_answers
FROM calls WHERE namespace = :namespace AND call_id = :call_id;

-- name: read_call_with_clock
SELECT anchor_wall, anchor, rate,
       call_id, phone, agent, scenario, created_at,
       status, transcript, duration_seconds, ended_at, completed_by, delivery_answers
FROM namespaces LEFT JOIN calls
  ON calls.namespace = namespaces.namespace AND call_id = :call_id
WHERE namespaces.namespace = :namespace;

-- name: newest_call_id
SELECT call_id FROM calls WHERE namespace = :namespace ORDER BY call_id DESC LIMIT 1;

-- name: count_calls
SELECT count(*) FROM calls WHERE namespace = :namespace;

-- name: complete_call
-- Changes one row where the call is not over yet: the first completion wins.
UPDATE calls
SET status = :status, transcript = :transcript, duration_seconds = :duration_seconds,
    ended_at = :ended_at, completed_by = :completed_by,
    due_at = CASE WHEN :drop_plan::boolean THEN NULL ELSE due_at END,
    wake_at = CASE WHEN :drop_plan::boolean THEN NULL ELSE wake_at END
WHERE namespace = :namespace AND call_id = :call_id AND status IS NULL
RETURNING call_id;

-- name: drop_plan
UPDATE calls SET due_at = NULL, wake_at = NULL
WHERE namespace = :namespace AND call_id = :call_id;

-- name: claim_due
WITH due AS (
    SELECT namespace, call_id FROM calls
    WHERE wake_at <= :wall_now AND leased_until <= :wall_now
    ORDER BY wake_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
UPDATE calls SET leased_until = :leased_until FROM due
WHERE calls.namespace = due.namespace AND calls.call_id = due.call_id
RETURNING calls.namespace, calls.call_id, calls.due_at;

-- name: claim_next
WITH due AS (
    SELECT namespace, call_id FROM calls
    WHERE namespace = :namespace AND due_at <= :until AND leased_until <= :wall_now
    ORDER BY due_at LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE calls SET leased_until = :leased_until FROM due
WHERE calls.namespace = due.namespace AND calls.call_id = due.call_id
RETURNING calls.namespace, calls.call_id, calls.due_at;

-- name: next_due_at
SELECT min(due_at) FROM calls WHERE namespace = :namespace AND due_at IS NOT NULL;

-- name: next_wake_at
SELECT min(wake_at) FROM calls WHERE wake_at IS NOT NULL;

-- name: finish_delivery
-- A plan that was dropped while its delivery was under way stays dropped.
WITH open AS (
    SELECT anchor_wall, anchor, rate FROM namespaces
    WHERE namespace = :namespace AND :due_at::double precision IS NOT NULL FOR SHARE
)
UPDATE calls
SET delivery_answers = array_append(delivery_answers, :answer),
    due_at = CASE WHEN due_at IS NULL THEN NULL ELSE :due_at END,
    wake_at = CASE WHEN due_at IS NULL THEN NULL
              ELSE (SELECT anchor_wall + (:due_at - anchor) / rate FROM open) END,
    leased_until = 0
WHERE namespace = :namespace AND call_id = :call_id AND cardinality(delivery_answers) = :made
  AND (:due_at IS NULL OR EXISTS (SELECT FROM open));

-- name: delete_namespace
-- First of all, so that nobody adds to what is going; calls and kept keys go with it.
DELETE FROM namespaces WHERE namespace = :namespace;

-- name: delete_journal
DELETE FROM journal WHERE namespace = :namespace;

-- name: delete_coverage
WITH gone AS (
    SELECT operation_id, status, code, scenario FROM coverage WHERE namespace = :namespace
    ORDER BY operation_id, status, code, scenario FOR UPDATE
)
DELETE FROM coverage USING gone
WHERE coverage.namespace = :namespace AND coverage.operation_id = gone.operation_id
  AND coverage.status = gone.status AND coverage.code = gone.code
  AND coverage.scenario = gone.scenario;

-- name: append_journal
-- Who was cut off and does not know whether it is there may append it again.
INSERT INTO journal (namespace, last_seq, newest_at, exchanges, entries)
SELECT * FROM unnest(
    :namespace::bytea[], :last_seq::text[], :newest_at::double precision[],
    :exchanges::integer[], :entries::bytea[]
)
ON CONFLICT DO NOTHING;

-- name: trim_journal
-- What another replica is removing just now needs no waiting for.
DELETE FROM journal WHERE namespace = :namespace AND last_seq IN (
    SELECT last_seq FROM journal AS trimmed
    WHERE namespace = :namespace AND last_seq IN (
        SELECT last_seq FROM (
            SELECT last_seq, newest_at, sum(exchanges) OVER (
                ORDER BY last_seq DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS newer
            FROM journal WHERE namespace = :namespace
        ) AS counted
        WHERE newer >= :most OR newest_at < :oldest
    )
    FOR UPDATE SKIP LOCKED
);

-- name: count_coverage
-- In one order on every replica, so that two of them never wait for each other.
INSERT INTO coverage (namespace, operation_id, status, code, scenario, exchanges)
SELECT * FROM unnest(
    :namespace::bytea[], :operation_id::text[], :status::smallint[],
    :code::text[], :scenario::text[], :exchanges::bigint[]
) AS counted (namespace, operation_id, status, code, scenario, exchanges)
ORDER BY namespace, operation_id COLLATE "C", status, code COLLATE "C", scenario COLLATE "C"
ON CONFLICT (namespace, operation_id, status, code, scenario)
DO UPDATE SET exchanges = coverage.exchanges + excluded.exchanges;

-- name: read_journal
SELECT entries FROM journal
WHERE namespace = :namespace AND last_seq > :after
ORDER BY last_seq;

-- name: newest_seq
SELECT coalesce(max(last_seq), '') FROM journal WHERE namespace = :namespace;

-- name: read_coverage
SELECT operation_id, status, code, scenario, exchanges FROM coverage
WHERE namespace = :namespace
ORDER BY operation_id, status, code, scenario;
