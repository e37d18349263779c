-- name: ping
SELECT count(*) FROM (SELECT 1 FROM namespaces LIMIT 1) AS one;

-- name: open_namespace
-- Whoever comes second, on whichever replica, finds the namespace with its sample call.
WITH opened AS (
    INSERT INTO namespaces (namespace, anchor_wall, anchor, rate, used_at)
    VALUES (:namespace, :anchor_wall, :anchor, :rate, :anchor_wall)
    ON CONFLICT (namespace) DO NOTHING
    RETURNING namespace
)
INSERT INTO calls (
    namespace, call_id, {request_columns}, status, transcript, duration_seconds, ended_at
)
SELECT
    opened.namespace, :call_id, {request_values},
    :status, :transcript, :duration_seconds, :ended_at
FROM opened;

-- name: use_namespaces
WITH used AS (
    SELECT namespace FROM namespaces WHERE namespace = ANY (:used)
    ORDER BY namespace FOR NO KEY UPDATE
)
UPDATE namespaces SET used_at = :at FROM used WHERE namespaces.namespace = used.namespace
RETURNING namespaces.namespace;

-- name: idle_namespaces
SELECT namespace FROM namespaces WHERE used_at < :since;

-- name: lock_namespace
SELECT anchor_wall, anchor, rate FROM namespaces WHERE namespace = :namespace FOR UPDATE;

-- name: move_clock
UPDATE namespaces SET anchor_wall = :anchor_wall, anchor = :anchor
WHERE namespace = :namespace;

-- name: settle_wakes
-- A process that died in the middle of an advance left the clock ahead of these.
WITH late AS (
    SELECT DISTINCT namespace FROM calls JOIN namespaces USING (namespace)
    WHERE due_at IS NOT NULL AND abs(wake_at - (anchor_wall + (due_at - anchor) / rate)) > 0.001
), settled AS (
    SELECT namespace, anchor_wall, anchor, rate FROM namespaces
    WHERE namespace IN (SELECT namespace FROM late)
    ORDER BY namespace FOR NO KEY UPDATE
)
UPDATE calls SET wake_at = anchor_wall + (due_at - anchor) / rate
FROM settled
WHERE settled.namespace = calls.namespace AND due_at IS NOT NULL;

-- name: move_wakes
UPDATE calls SET wake_at = :anchor_wall + (due_at - :anchor) / :rate
WHERE namespace = :namespace AND due_at IS NOT NULL;

-- name: create_calls
-- The share lock keeps a clock where it is until the call is there: wake_at always fits it.
-- Idempotency keys are taken in one order, since who takes one waits for who has just taken it.
WITH requested AS (
    SELECT * FROM unnest(
        :namespace::bytea[], :call_id::uuid[], {request_arrays}, :due_at::double precision[],
        :idempotency_key::text[], :fingerprint::bytea[], :expires_at::double precision[]
    ) WITH ORDINALITY AS requested (
        namespace, call_id, {request_columns}, due_at,
        idempotency_key, fingerprint, expires_at, number
    )
), open AS (
    SELECT namespace, anchor_wall, anchor, rate FROM namespaces
    WHERE namespace = ANY (:namespace)
    FOR SHARE SKIP LOCKED
), kept AS (
    INSERT INTO idempotency_keys (
        namespace, idempotency_key, fingerprint, call_id, created_at, expires_at
    )
    SELECT DISTINCT ON (namespace, idempotency_key COLLATE "C")
        namespace, idempotency_key, fingerprint, call_id, created_at, expires_at
    FROM requested JOIN open USING (namespace)
    WHERE idempotency_key IS NOT NULL
    ORDER BY namespace, idempotency_key COLLATE "C", number
    ON CONFLICT (namespace, idempotency_key) DO UPDATE
    SET fingerprint = excluded.fingerprint, call_id = excluded.call_id,
        created_at = excluded.created_at, expires_at = excluded.expires_at
    WHERE idempotency_keys.expires_at <= excluded.created_at
    RETURNING call_id
), created AS (
    INSERT INTO calls (namespace, call_id, {request_columns}, due_at, wake_at)
    SELECT
        namespace, call_id, {request_columns},
        due_at, anchor_wall + (due_at - anchor) / rate
    FROM requested JOIN open USING (namespace)
    WHERE idempotency_key IS NULL OR call_id IN (SELECT call_id FROM kept)
    RETURNING call_id
)
SELECT CASE
    WHEN created.call_id IS NOT NULL THEN 'done'
    WHEN open.namespace IS NOT NULL THEN 'kept'
    WHEN namespaces.namespace IS NOT NULL THEN 'busy'
    ELSE 'gone'
END
FROM requested
LEFT JOIN open USING (namespace)
LEFT JOIN namespaces USING (namespace)
LEFT JOIN created USING (call_id)
ORDER BY number;

-- name: read_idempotency_key
SELECT call_id, fingerprint FROM idempotency_keys
WHERE namespace = :namespace AND idempotency_key = :idempotency_key;

-- name: read_calls
-- For each pair the clock of the namespace, and the call where the pair names one.
SELECT anchor_wall, anchor, rate,
       {call_columns}
FROM unnest(:namespace::bytea[], :call_id::uuid[]) WITH ORDINALITY
    AS requested (namespace, call_id, number)
LEFT JOIN namespaces USING (namespace)
LEFT JOIN calls ON calls.namespace = requested.namespace AND calls.call_id = requested.call_id
ORDER BY number;

-- name: newest_call_id
SELECT call_id FROM calls WHERE namespace = :namespace ORDER BY call_id DESC LIMIT 1;

-- name: count_calls
SELECT count(*) FROM calls WHERE namespace = :namespace;

-- name: complete_calls
-- The first completion of a call wins, also among those that come together.
WITH requested AS (
    SELECT * FROM unnest(
        :namespace::bytea[], :call_id::uuid[], :status::text[], :transcript::text[],
        :duration_seconds::integer[], :ended_at::double precision[], :completed_by::text[],
        :drop_plan::boolean[]
    ) WITH ORDINALITY AS requested (
        namespace, call_id, status, transcript, duration_seconds, ended_at, completed_by,
        drop_plan, number
    )
), first AS (
    SELECT DISTINCT ON (namespace, call_id) * FROM requested ORDER BY namespace, call_id, number
), live AS (
    SELECT calls.namespace, calls.call_id
    FROM first JOIN calls ON calls.namespace = first.namespace AND calls.call_id = first.call_id
    WHERE calls.status IS NULL
    FOR NO KEY UPDATE OF calls SKIP LOCKED
), completed AS (
    UPDATE calls
    SET status = first.status, transcript = first.transcript,
        duration_seconds = first.duration_seconds, ended_at = first.ended_at,
        completed_by = first.completed_by,
        due_at = CASE WHEN first.drop_plan THEN NULL ELSE calls.due_at END,
        wake_at = CASE WHEN first.drop_plan THEN NULL ELSE calls.wake_at END
    FROM first JOIN live USING (namespace, call_id)
    WHERE calls.namespace = first.namespace AND calls.call_id = first.call_id
    RETURNING first.number
)
SELECT CASE
    WHEN completed.number IS NOT NULL THEN 'done'
    WHEN live.call_id IS NULL AND calls.call_id IS NOT NULL AND calls.status IS NULL THEN 'busy'
    ELSE 'ended'
END
FROM requested
LEFT JOIN completed USING (number)
LEFT JOIN live ON live.namespace = requested.namespace AND live.call_id = requested.call_id
LEFT JOIN calls ON calls.namespace = requested.namespace AND calls.call_id = requested.call_id
ORDER BY number;

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

-- name: finish_deliveries
-- A plan that was dropped while its delivery was under way stays dropped.
WITH requested AS (
    SELECT DISTINCT ON (namespace, call_id) * FROM unnest(
        :namespace::bytea[], :call_id::uuid[], :made::integer[], :response::smallint[],
        :due_at::double precision[]
    ) WITH ORDINALITY AS requested (namespace, call_id, made, response, due_at, number)
    ORDER BY namespace, call_id, number
), open AS (
    SELECT namespace, anchor_wall, anchor, rate FROM namespaces
    WHERE namespace IN (SELECT namespace FROM requested WHERE due_at IS NOT NULL)
    FOR SHARE SKIP LOCKED
), claimed AS (
    SELECT calls.namespace, calls.call_id
    FROM requested JOIN calls ON calls.namespace = requested.namespace AND calls.call_id = requested.call_id
    WHERE cardinality(calls.delivery_statuses) = requested.made
    FOR NO KEY UPDATE OF calls SKIP LOCKED
), finished AS (
    UPDATE calls
    SET delivery_statuses = array_append(calls.delivery_statuses, requested.response),
        due_at = CASE WHEN calls.due_at IS NULL THEN NULL ELSE requested.due_at END,
        wake_at = CASE WHEN calls.due_at IS NULL THEN NULL
                  ELSE anchor_wall + (requested.due_at - anchor) / rate END,
        leased_until = 0
    FROM requested JOIN claimed USING (namespace, call_id) LEFT JOIN open USING (namespace)
    WHERE calls.namespace = requested.namespace AND calls.call_id = requested.call_id
      AND (requested.due_at IS NULL OR anchor IS NOT NULL)
    RETURNING calls.namespace, calls.call_id
)
SELECT CASE
    WHEN finished.call_id IS NULL AND calls.call_id IS NOT NULL THEN 'busy'
    ELSE 'done'
END
FROM unnest(:namespace, :call_id, :made) WITH ORDINALITY
    AS every (namespace, call_id, made, number)
LEFT JOIN finished USING (namespace, call_id)
LEFT JOIN calls ON calls.namespace = every.namespace AND calls.call_id = every.call_id
    AND cardinality(calls.delivery_statuses) = every.made
ORDER BY number;

-- name: delete_idle_namespace
-- After a lock of its own, so that it sees the calls of whoever held the lock before.
DELETE FROM namespaces
WHERE namespace = :namespace AND used_at < :since AND NOT EXISTS (
    SELECT FROM calls WHERE namespace = :namespace AND call_id >= :since_id
)
RETURNING namespace;

-- name: delete_namespace
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
        WHERE newer >= :limit OR newest_at < :oldest
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
