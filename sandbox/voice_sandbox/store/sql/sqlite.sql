-- name: ping
-- Reads a page of the file, so that it fails where the file is lost.
SELECT count(*) FROM (SELECT 1 FROM namespaces LIMIT 1);

-- name: read_namespace
SELECT anchor_wall, anchor, rate FROM namespaces WHERE namespace = :namespace;

-- name: insert_namespace
INSERT INTO namespaces (namespace, anchor_wall, anchor, rate, used_at)
VALUES (:namespace, :anchor_wall, :anchor, :rate, :anchor_wall)
ON CONFLICT (namespace) DO NOTHING;

-- name: use_namespace
UPDATE namespaces SET used_at = :at WHERE namespace = :namespace;

-- name: idle_namespaces
SELECT namespace FROM namespaces WHERE used_at < :since;

-- name: move_clock
UPDATE namespaces SET anchor_wall = :anchor_wall, anchor = :anchor
WHERE namespace = :namespace;

-- name: move_wakes
UPDATE calls SET wake_at = :anchor_wall + (due_at - :anchor) / :rate
WHERE namespace = :namespace AND due_at IS NOT NULL;

-- name: settle_wakes
-- A process that died in the middle of an advance left the clock ahead of these.
UPDATE calls SET wake_at = (
    SELECT anchor_wall + (due_at - anchor) / rate FROM namespaces
    WHERE namespaces.namespace = calls.namespace
)
WHERE due_at IS NOT NULL;

-- name: insert_call
-- A namespace that was emptied meanwhile was emptied with this call in it.
INSERT INTO calls (namespace, call_id, {request_columns}, due_at, wake_at)
SELECT namespace, :call_id, {request_values}, :due_at, anchor_wall + (:due_at - anchor) / rate
FROM namespaces WHERE namespace = :namespace;

-- name: insert_sample
INSERT INTO calls (
    namespace, call_id, {request_columns}, status, transcript, duration_seconds, ended_at
)
VALUES (
    :namespace, :call_id, {request_values}, :status, :transcript, :duration_seconds, :ended_at
);

-- name: read_call
SELECT {call_columns}
FROM calls WHERE namespace = :namespace AND call_id = :call_id;

-- name: read_call_with_clock
SELECT anchor_wall, anchor, rate,
       {call_columns}
FROM namespaces LEFT JOIN calls
  ON calls.namespace = namespaces.namespace AND call_id = :call_id
WHERE namespaces.namespace = :namespace;

-- name: newest_call_id
SELECT call_id FROM calls WHERE namespace = :namespace ORDER BY call_id DESC LIMIT 1;

-- name: count_calls
SELECT count(*) FROM calls WHERE namespace = :namespace;

-- name: keep_idempotency_key
-- Changes one row where the key is new or expired, and none where it is in use, or in a namespace
-- that was emptied meanwhile.
INSERT INTO idempotency_keys (namespace, idempotency_key, fingerprint, call_id, expires_at)
SELECT namespace, :idempotency_key, :fingerprint, :call_id, :expires_at
FROM namespaces WHERE namespace = :namespace
ON CONFLICT (namespace, idempotency_key) DO UPDATE
SET fingerprint = excluded.fingerprint, call_id = excluded.call_id,
    expires_at = excluded.expires_at
WHERE expires_at <= :now;

-- name: read_idempotency_key
SELECT fingerprint, call_id FROM idempotency_keys
WHERE namespace = :namespace AND idempotency_key = :idempotency_key;

-- name: complete_call
-- Changes one row where the call is not over yet: the first completion wins.
UPDATE calls
SET status = :status, transcript = :transcript, duration_seconds = :duration_seconds,
    ended_at = :ended_at, completed_by = :completed_by
WHERE namespace = :namespace AND call_id = :call_id AND status IS NULL;

-- name: drop_plan
UPDATE calls SET due_at = NULL, wake_at = NULL
WHERE namespace = :namespace AND call_id = :call_id;

-- name: claim_due
UPDATE calls SET leased_until = :leased_until
WHERE (namespace, call_id) IN (
    SELECT namespace, call_id FROM calls
    WHERE wake_at <= :wall_now AND leased_until <= :wall_now
    ORDER BY wake_at LIMIT :limit
)
RETURNING namespace, call_id, due_at;

-- name: claim_next
UPDATE calls SET leased_until = :leased_until
WHERE (namespace, call_id) IN (
    SELECT namespace, call_id FROM calls
    WHERE namespace = :namespace AND due_at <= :until AND leased_until <= :wall_now
    ORDER BY due_at LIMIT 1
)
RETURNING namespace, call_id, due_at;

-- name: next_due_at
SELECT min(due_at) FROM calls WHERE namespace = :namespace AND due_at IS NOT NULL;

-- name: next_wake_at
SELECT min(wake_at) FROM calls WHERE wake_at IS NOT NULL;

-- name: finish_delivery
-- A plan that was dropped while its delivery was under way stays dropped.
UPDATE calls
SET delivery_statuses = json_insert(delivery_statuses, '$[#]', :response),
    due_at = iif(due_at IS NULL, NULL, :due_at),
    wake_at = iif(due_at IS NULL, NULL, (
        SELECT anchor_wall + (:due_at - anchor) / rate FROM namespaces WHERE namespace = :namespace
    )),
    leased_until = 0
WHERE namespace = :namespace AND call_id = :call_id
  AND json_array_length(delivery_statuses) = :made;

-- name: is_idle
SELECT 1 FROM namespaces
WHERE namespace = :namespace AND used_at < :since AND NOT EXISTS (
    SELECT 1 FROM calls WHERE namespace = :namespace AND call_id >= :since_id
);

-- name: delete_calls
DELETE FROM calls WHERE namespace = :namespace;

-- name: delete_idempotency_keys
DELETE FROM idempotency_keys WHERE namespace = :namespace;

-- name: delete_namespace
DELETE FROM namespaces WHERE namespace = :namespace;

-- name: append_journal
INSERT INTO journal (namespace, last_seq, newest_at, exchanges, entries)
VALUES (:namespace, :last_seq, :newest_at, :exchanges, :entries);

-- name: trim_journal
DELETE FROM journal WHERE namespace = :namespace AND last_seq IN (
    SELECT last_seq FROM (
        SELECT last_seq, newest_at, sum(exchanges) OVER (
            ORDER BY last_seq DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS newer
        FROM journal WHERE namespace = :namespace
    )
    WHERE newer >= :limit OR newest_at < :oldest
);

-- name: count_coverage
INSERT INTO coverage (namespace, operation_id, status, code, scenario, exchanges)
VALUES (:namespace, :operation_id, :status, :code, :scenario, :exchanges)
ON CONFLICT DO UPDATE SET exchanges = coverage.exchanges + excluded.exchanges;

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

-- name: delete_journal
DELETE FROM journal WHERE namespace = :namespace;

-- name: delete_coverage
DELETE FROM coverage WHERE namespace = :namespace;
