-- name: ping
-- Writes, and fails too where a table is lost.
UPDATE heartbeat SET beats = beats + 1
WHERE (SELECT count(*) FROM (SELECT 1 FROM namespaces LIMIT 1) AS one) >= 0;

-- name: read_namespace
SELECT {clock_columns} FROM namespaces WHERE namespace = :namespace;

-- name: insert_namespace
INSERT INTO namespaces (
    namespace, anchor_wall, anchor, rate, mode, used_at, used_seq, moves, settled_moves
)
VALUES (:namespace, :anchor_wall, :anchor, :rate, :mode, (SELECT seconds FROM uptime), 0, 0, 0)
ON CONFLICT (namespace) DO NOTHING;

-- name: move_uptime
UPDATE uptime SET seconds = max(seconds, :seconds) RETURNING seconds;

-- name: use_namespace
-- A call that is stored later is a use too, which its process has not written down yet.
UPDATE namespaces
SET used_at = :at,
    used_seq = (SELECT max(seq) FROM calls WHERE calls.generation = namespaces.generation)
WHERE namespace = :namespace;

-- name: idle_namespaces
SELECT namespace FROM namespaces WHERE used_at < :since AND namespace IS NOT NULL
ORDER BY used_at LIMIT :limit;

-- name: is_used_since
-- Either the use is written down, or it is a call that was stored after the last one written down.
SELECT
    used_at >= :since,
    used_seq < (SELECT max(seq) FROM calls WHERE calls.generation = namespaces.generation)
FROM namespaces WHERE namespace = :namespace;

-- name: move_clock
UPDATE namespaces
SET anchor_wall = :anchor_wall, anchor = :anchor, mode = :mode, moves = moves + 1
WHERE namespace = :namespace;

-- name: late_wakes
SELECT namespace FROM namespaces WHERE moves > settled_moves AND namespace IS NOT NULL;

-- name: read_moves
SELECT moves FROM namespaces WHERE namespace = :namespace AND moves > settled_moves;

-- name: move_wakes
-- Of the next completions in the order in which they are due.
UPDATE calls SET wake_at = (
    SELECT {wake_at} FROM namespaces WHERE namespace = :namespace
)
WHERE generation = {generation} AND call_id IN (
    SELECT call_id FROM calls
    WHERE generation = {generation} AND due_at IS NOT NULL
      AND (due_at, call_id) > (:after_due_at, :after_call_id)
    ORDER BY due_at, call_id LIMIT :limit
)
RETURNING due_at, call_id;

-- name: settle_moves
UPDATE namespaces SET settled_moves = :moves
WHERE namespace = :namespace AND settled_moves < :moves;

-- name: insert_call
-- A namespace that was emptied meanwhile was emptied with this call in it.
INSERT INTO calls (generation, call_id, seq, {request_columns}, due_at, wake_at)
SELECT
    generation, :call_id,
    (SELECT max(seq) + 1 FROM calls WHERE calls.generation = namespaces.generation),
    {request_values}, :due_at, {wake_at_of_value}
FROM namespaces WHERE namespace = :namespace;

-- name: insert_sample
INSERT INTO calls (
    generation, call_id, seq, {request_columns}, status, transcript, duration_seconds, ended_at
)
VALUES (
    {generation}, :call_id, 0, {request_values},
    :status, :transcript, :duration_seconds, :ended_at
);

-- name: read_call
SELECT {call_columns}
FROM calls WHERE generation = {generation} AND call_id = :call_id;

-- name: read_call_with_clock
SELECT {clock_columns},
       {call_columns}
FROM namespaces LEFT JOIN calls
  ON calls.generation = namespaces.generation AND call_id = :call_id
WHERE namespace = :namespace;

-- name: read_rings
SELECT seq, phone, call_id, requested_by FROM calls
WHERE generation = {generation} AND seq > :after ORDER BY seq LIMIT :limit;

-- name: newest_call_id
SELECT call_id FROM calls WHERE generation = {generation} ORDER BY seq DESC LIMIT 1;

-- name: count_calls
-- No call is removed by itself, so the newest one's number is how many there are.
SELECT coalesce(max(seq), 0) FROM calls WHERE generation = {generation};

-- name: keep_idempotency_key
-- Changes one row where the key is new or expired, and none where it is in use, or in a namespace
-- that was emptied meanwhile.
INSERT INTO idempotency_keys (generation, idempotency_key, fingerprint, call_id, expires_at)
SELECT generation, :idempotency_key, :fingerprint, :call_id, :expires_at
FROM namespaces WHERE namespace = :namespace
ON CONFLICT (generation, idempotency_key) DO UPDATE
SET fingerprint = excluded.fingerprint, call_id = excluded.call_id,
    expires_at = excluded.expires_at
WHERE expires_at <= :now;

-- name: read_idempotency_key
SELECT fingerprint, call_id FROM idempotency_keys
WHERE generation = {generation} AND idempotency_key = :idempotency_key;

-- name: read_kept_call
SELECT fingerprint, call_id FROM idempotency_keys
WHERE generation = {generation} AND idempotency_key = :idempotency_key AND expires_at > :now;

-- name: complete_call
-- Changes one row where the call is not ended yet: the first completion wins.
UPDATE calls
SET status = :status, transcript = :transcript, duration_seconds = :duration_seconds,
    ended_at = :ended_at, completed_by = :completed_by
WHERE generation = {generation} AND call_id = :call_id AND status IS NULL;

-- name: drop_plan
UPDATE calls SET due_at = NULL, wake_at = NULL
WHERE generation = {generation} AND call_id = :call_id;

-- name: claim_due
-- Rows of a deleted namespace have no name; they are leased too, so as not to be found again.
UPDATE calls SET leased_until = :leased_until
FROM (
    SELECT generation, call_id FROM calls
    WHERE wake_at <= :wall_now AND leased_until <= :wall_now
    ORDER BY wake_at LIMIT :limit
) AS due
WHERE calls.generation = due.generation AND calls.call_id = due.call_id
RETURNING (
    SELECT namespace FROM namespaces WHERE namespaces.generation = calls.generation
), call_id, due_at;

-- name: claim_until
UPDATE calls SET leased_until = :leased_until
WHERE generation = {generation} AND call_id IN (
    SELECT call_id FROM calls INDEXED BY calls_by_due_at
    WHERE generation = {generation} AND leased_until <= :wall_now
      AND due_at IS NOT NULL AND due_at = (
        SELECT due_at FROM calls
        WHERE generation = {generation} AND due_at <= :until AND leased_until <= :wall_now
        ORDER BY due_at LIMIT 1
    )
    LIMIT :limit
)
RETURNING :namespace, call_id, due_at;

-- name: next_due_at
SELECT min(due_at) FROM calls WHERE generation = {generation} AND due_at IS NOT NULL;

-- name: next_wake_at
SELECT min(wake_at) FROM calls WHERE wake_at IS NOT NULL;

-- name: finish_delivery
-- A plan that was dropped while its delivery was under way stays dropped.
UPDATE calls
SET delivery_statuses = json_insert(delivery_statuses, '$[#]', :response),
    due_at = iif(due_at IS NULL, NULL, :due_at),
    wake_at = iif(due_at IS NULL, NULL, (
        SELECT {wake_at_of_value} FROM namespaces WHERE namespace = :namespace
    )),
    leased_until = 0
WHERE generation = {generation} AND call_id = :call_id
  AND json_array_length(delivery_statuses) = :made;

-- name: delete_namespace
-- Takes only the name: the rows go piece by piece, and nobody finds them any more.
UPDATE namespaces SET namespace = NULL WHERE namespace = :namespace RETURNING generation;

-- name: keep_reset
INSERT INTO resets (namespace, seq) VALUES (:namespace, :seq)
ON CONFLICT (namespace) DO UPDATE SET seq = max(resets.seq, excluded.seq);

-- name: drop_resets
DELETE FROM resets WHERE seq < :before;

-- name: read_reset
SELECT seq FROM resets WHERE namespace = :namespace;

-- name: delete_journal
DELETE FROM journal WHERE namespace = :namespace;

-- name: delete_coverage
DELETE FROM coverage WHERE namespace = :namespace;

-- name: deleted_generations
SELECT generation FROM namespaces WHERE namespace IS NULL;

-- name: delete_calls
DELETE FROM calls WHERE generation = :generation AND call_id IN (
    SELECT call_id FROM calls WHERE generation = :generation LIMIT :limit
);

-- name: delete_idempotency_keys
DELETE FROM idempotency_keys WHERE generation = :generation AND idempotency_key IN (
    SELECT idempotency_key FROM idempotency_keys
    WHERE generation = :generation LIMIT :limit
);

-- name: delete_generation
DELETE FROM namespaces WHERE generation = :generation AND namespace IS NULL;

-- name: count_faults
SELECT count(*) FROM faults WHERE generation = {generation};

-- name: arm_fault
INSERT INTO faults (generation, fault_id, seq, operation_id, phone, skip, times, fault)
SELECT
    generation, :fault_id,
    (SELECT coalesce(max(seq), 0) + 1 FROM faults WHERE faults.generation = namespaces.generation),
    :operation_id, :phone, :skip, :times, :fault
FROM namespaces WHERE namespace = :namespace;

-- name: read_faults
SELECT fault_id, operation_id, fault, phone, skip, times, met
FROM faults WHERE generation = {generation} ORDER BY seq;

-- name: strike_fault
-- The first fault that fits strikes. Those before it let this request pass, as `skip` says.
WITH fitting AS MATERIALIZED (
    SELECT fault_id, seq, met >= skip AS strikes FROM faults
    WHERE generation = {generation} AND operation_id IN (:operation_id, 'any')
      AND (phone IS NULL OR phone = :phone) AND {may_strike}
)
UPDATE faults SET met = met + 1
WHERE generation = {generation} AND fault_id IN (
    SELECT fault_id FROM fitting
    WHERE NOT EXISTS (SELECT 1 FROM fitting AS earlier WHERE strikes AND earlier.seq < fitting.seq)
)
RETURNING fault_id, operation_id, fault, phone, skip, times, met;

-- name: mark_faults
UPDATE namespaces SET has_faults = EXISTS (
    SELECT 1 FROM faults WHERE faults.generation = namespaces.generation AND {may_strike}
)
WHERE namespace = :namespace;

-- name: delete_spent_faults
DELETE FROM faults WHERE generation = {generation} AND NOT {may_strike};

-- name: disarm_faults
DELETE FROM faults
WHERE generation = {generation} AND (:fault_id IS NULL OR fault_id = :fault_id);

-- name: namespaces_with_faults
SELECT namespace FROM namespaces WHERE has_faults AND namespace IS NOT NULL LIMIT :limit;

-- name: delete_faults
DELETE FROM faults WHERE generation = :generation AND fault_id IN (
    SELECT fault_id FROM faults WHERE generation = :generation LIMIT :limit
);

-- name: count_other_numbers
SELECT count(*) FROM numbers WHERE generation = {generation} AND phone <> :phone;

-- name: bind_number
INSERT INTO numbers (generation, phone, scenario, outcome)
SELECT generation, :phone, :scenario, :outcome FROM namespaces WHERE namespace = :namespace
ON CONFLICT (generation, phone) DO UPDATE
SET scenario = excluded.scenario, outcome = excluded.outcome;

-- name: mark_numbers
UPDATE namespaces SET has_numbers = EXISTS (
    SELECT 1 FROM numbers WHERE numbers.generation = namespaces.generation
)
WHERE namespace = :namespace;

-- name: read_numbers
SELECT phone, scenario, outcome FROM numbers WHERE generation = {generation} ORDER BY phone;

-- name: read_number
SELECT phone, scenario, outcome FROM numbers
WHERE generation = {generation} AND phone IN (:phone, 'default')
ORDER BY phone = 'default' LIMIT 1;

-- name: unbind_number
DELETE FROM numbers WHERE generation = {generation} AND phone = :phone RETURNING phone;

-- name: count_rejection
-- Changes one row as long as the number is to be rejected.
INSERT INTO rejections (generation, phone, rejections)
SELECT generation, :phone, 1 FROM namespaces WHERE namespace = :namespace
ON CONFLICT (generation, phone) DO UPDATE SET rejections = rejections.rejections + 1
WHERE rejections.rejections < :limit
RETURNING phone;

-- name: delete_numbers
DELETE FROM numbers WHERE generation = :generation AND phone IN (
    SELECT phone FROM numbers WHERE generation = :generation LIMIT :limit
);

-- name: delete_rejections
DELETE FROM rejections WHERE generation = :generation AND phone IN (
    SELECT phone FROM rejections WHERE generation = :generation LIMIT :limit
);

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
WHERE namespace = :namespace AND last_seq > :after AND last_seq <= :until
    AND last_seq NOT IN (SELECT value FROM json_each(:without))
    AND last_seq > coalesce((SELECT seq FROM resets WHERE namespace = :namespace), '')
ORDER BY last_seq LIMIT :limit;

-- name: newest_seq
SELECT coalesce(max(last_seq), '') FROM journal WHERE namespace = :namespace;

-- name: read_coverage
SELECT operation_id, status, code, scenario, exchanges FROM coverage
WHERE namespace = :namespace
ORDER BY operation_id, status, code, scenario;

-- name: last_shown
SELECT
    coalesce((SELECT max(anchor_wall) FROM namespaces), 0),
    coalesce((SELECT max(last_seq) FROM journal), '');
