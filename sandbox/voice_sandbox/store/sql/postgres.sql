-- name: ping
-- Writes, and fails too where a table is lost.
UPDATE heartbeat SET beats = beats + 1
WHERE (SELECT count(*) FROM (SELECT 1 FROM namespaces LIMIT 1) AS one) >= 0;

-- name: open_namespace
-- Whoever comes second, on whichever replica, finds the namespace with its sample call.
WITH opened AS (
    INSERT INTO namespaces (namespace, anchor_wall, anchor, rate, mode, used_at)
    VALUES (:namespace, :anchor_wall, :anchor, :rate, :mode, (SELECT seconds FROM uptime))
    ON CONFLICT (namespace) DO NOTHING
    RETURNING generation
)
INSERT INTO calls (
    generation, call_id, seq, {request_columns}, status, transcript, duration_seconds, ended_at
)
SELECT
    opened.generation, :call_id, 0, {request_values},
    :status, :transcript, :duration_seconds, :ended_at
FROM opened;

-- name: move_uptime
UPDATE uptime SET seconds = greatest(seconds, :seconds) RETURNING seconds;

-- name: use_namespaces
-- A call that is stored later is a use too, which its process has not written down yet.
WITH used AS (
    SELECT generation FROM namespaces WHERE namespace = ANY (:used)
    ORDER BY namespace FOR NO KEY UPDATE
)
UPDATE namespaces
SET used_at = :at,
    used_seq = (SELECT max(seq) FROM calls WHERE calls.generation = namespaces.generation)
FROM used WHERE namespaces.generation = used.generation
RETURNING namespaces.namespace;

-- name: idle_namespaces
SELECT namespace FROM namespaces WHERE used_at < :since AND namespace IS NOT NULL
ORDER BY used_at LIMIT :limit;

-- name: is_open
SELECT FROM namespaces WHERE namespace = :namespace;

-- name: lock_namespace
SELECT {clock_columns} FROM namespaces WHERE namespace = :namespace
FOR UPDATE SKIP LOCKED;

-- name: is_used_since
-- Either the use is written down, or it is a call that was stored after the last one written down.
-- After a lock of its own, so that it sees the calls of whoever held the lock before.
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
-- Of the next completions in the order in which they are due. The share lock keeps the clock where
-- it is meanwhile: who moves it later moves these wakes later too.
WITH open AS (
    SELECT generation, anchor_wall, anchor, rate, mode FROM namespaces WHERE namespace = :namespace
    FOR SHARE
), next AS (
    SELECT generation, call_id FROM calls
    WHERE generation = {generation} AND due_at IS NOT NULL
      AND (due_at, call_id) > (:after_due_at, :after_call_id)
    ORDER BY due_at, call_id LIMIT :limit
    FOR NO KEY UPDATE
), moved AS (
    UPDATE calls SET wake_at = {wake_at}
    FROM open, next
    WHERE open.generation = calls.generation
      AND next.generation = calls.generation AND next.call_id = calls.call_id
    RETURNING due_at, calls.call_id
)
SELECT due_at, call_id FROM moved ORDER BY due_at, call_id;

-- name: settle_moves
UPDATE namespaces SET settled_moves = :moves
WHERE namespace = :namespace AND settled_moves < :moves;

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
    SELECT generation, namespace, anchor_wall, anchor, rate, mode FROM namespaces
    WHERE namespace = ANY (:namespace)
    FOR SHARE SKIP LOCKED
), kept AS (
    INSERT INTO idempotency_keys (
        generation, idempotency_key, fingerprint, call_id, created_at, expires_at
    )
    SELECT DISTINCT ON (generation, idempotency_key COLLATE "C")
        generation, idempotency_key, fingerprint, call_id, created_at, expires_at
    FROM requested JOIN open USING (namespace)
    WHERE idempotency_key IS NOT NULL
    ORDER BY generation, idempotency_key COLLATE "C", number
    ON CONFLICT (generation, idempotency_key) DO UPDATE
    SET fingerprint = excluded.fingerprint, call_id = excluded.call_id,
        created_at = excluded.created_at, expires_at = excluded.expires_at
    WHERE idempotency_keys.expires_at <= excluded.created_at
    RETURNING call_id
), created AS (
    INSERT INTO calls (generation, call_id, {request_columns}, due_at, wake_at)
    SELECT
        generation, call_id, {request_columns},
        due_at, {wake_at}
    FROM requested JOIN open USING (namespace)
    WHERE idempotency_key IS NULL OR call_id IN (SELECT call_id FROM kept)
    ORDER BY number
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
WHERE generation = {generation} AND idempotency_key = :idempotency_key;

-- name: read_kept_call
SELECT call_id, fingerprint FROM idempotency_keys
WHERE generation = {generation} AND idempotency_key = :idempotency_key AND expires_at > :now;

-- name: read_calls
-- For each pair the clock of the namespace, and the call where the pair names one.
SELECT {clock_columns},
       {call_columns}
FROM unnest(:namespace::bytea[], :call_id::uuid[]) WITH ORDINALITY
    AS requested (namespace, call_id, number)
LEFT JOIN namespaces USING (namespace)
LEFT JOIN LATERAL (
    SELECT * FROM calls
    WHERE calls.generation = namespaces.generation AND calls.call_id = requested.call_id
    OFFSET 0  -- else it is joined by the generation alone, over all calls of a key
) AS calls ON true
ORDER BY number;

-- name: read_rings
SELECT seq, phone, call_id, requested_by FROM calls
WHERE generation = {generation} AND seq > :after ORDER BY seq LIMIT :limit;

-- name: newest_call_id
SELECT call_id FROM calls WHERE generation = {generation} ORDER BY seq DESC LIMIT 1;

-- name: count_calls
SELECT count(*) FROM calls WHERE generation = {generation} AND seq > 0;

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
    SELECT DISTINCT ON (namespace, call_id) generation, requested.*
    FROM requested JOIN namespaces USING (namespace)
    ORDER BY namespace, call_id, number
), live AS (
    SELECT calls.generation, calls.call_id
    FROM first JOIN calls ON calls.generation = first.generation AND calls.call_id = first.call_id
    WHERE calls.status IS NULL
    FOR NO KEY UPDATE OF calls SKIP LOCKED
), completed AS (
    UPDATE calls
    SET status = first.status, transcript = first.transcript,
        duration_seconds = first.duration_seconds, ended_at = first.ended_at,
        completed_by = first.completed_by,
        due_at = CASE WHEN first.drop_plan THEN NULL ELSE calls.due_at END,
        wake_at = CASE WHEN first.drop_plan THEN NULL ELSE calls.wake_at END
    FROM first JOIN live USING (generation, call_id)
    WHERE calls.generation = first.generation AND calls.call_id = first.call_id
    RETURNING first.number
)
SELECT CASE
    WHEN completed.number IS NOT NULL THEN 'done'
    WHEN live.call_id IS NULL AND calls.call_id IS NOT NULL AND calls.status IS NULL THEN 'busy'
    ELSE 'ended'
END
FROM requested
LEFT JOIN namespaces USING (namespace)
LEFT JOIN completed USING (number)
LEFT JOIN live ON live.generation = namespaces.generation AND live.call_id = requested.call_id
LEFT JOIN LATERAL (
    SELECT * FROM calls
    WHERE calls.generation = namespaces.generation AND calls.call_id = requested.call_id
    OFFSET 0  -- else it is joined by the generation alone, over all calls of a key
) AS calls ON true
ORDER BY number;

-- name: drop_plan
UPDATE calls SET due_at = NULL, wake_at = NULL
WHERE generation = {generation} AND call_id = :call_id;

-- name: claim_due
-- Rows of a deleted namespace are leased too, so as not to be found again.
WITH due AS (
    SELECT generation, call_id FROM calls
    WHERE wake_at <= :wall_now AND leased_until <= :wall_now
    ORDER BY wake_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE calls SET leased_until = :leased_until FROM due
    WHERE calls.generation = due.generation AND calls.call_id = due.call_id
    RETURNING calls.generation, calls.call_id, calls.due_at
)
SELECT namespace, call_id, due_at FROM claimed JOIN namespaces USING (generation)
WHERE namespace IS NOT NULL;

-- name: claim_until
WITH due AS (
    SELECT generation, call_id FROM calls
    WHERE generation = {generation} AND leased_until <= :wall_now AND due_at = (
        SELECT due_at FROM calls
        WHERE generation = {generation} AND due_at <= :until AND leased_until <= :wall_now
        ORDER BY due_at LIMIT 1
    )
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
UPDATE calls SET leased_until = :leased_until FROM due
WHERE calls.generation = due.generation AND calls.call_id = due.call_id
RETURNING :namespace::bytea, calls.call_id, calls.due_at;

-- name: next_due_at
SELECT min(due_at) FROM calls WHERE generation = {generation} AND due_at IS NOT NULL;

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
    SELECT generation, anchor_wall, anchor, rate, mode FROM namespaces
    WHERE namespace IN (SELECT namespace FROM requested WHERE due_at IS NOT NULL)
    FOR SHARE SKIP LOCKED
), placed AS (
    SELECT generation, requested.* FROM requested JOIN namespaces USING (namespace)
), claimed AS (
    SELECT calls.generation, calls.call_id
    FROM placed JOIN calls ON calls.generation = placed.generation AND calls.call_id = placed.call_id
    WHERE cardinality(calls.delivery_statuses) = placed.made
    FOR NO KEY UPDATE OF calls SKIP LOCKED
), finished AS (
    UPDATE calls
    SET delivery_statuses = array_append(calls.delivery_statuses, placed.response),
        due_at = CASE WHEN calls.due_at IS NULL THEN NULL ELSE placed.due_at END,
        wake_at = CASE WHEN calls.due_at IS NULL THEN NULL
                  ELSE {wake_at_of_placed} END,
        leased_until = 0
    FROM placed JOIN claimed USING (generation, call_id) LEFT JOIN open USING (generation)
    WHERE calls.generation = placed.generation AND calls.call_id = placed.call_id
      AND (placed.due_at IS NULL OR anchor IS NOT NULL)
    RETURNING calls.generation, calls.call_id
)
SELECT CASE
    WHEN finished.call_id IS NULL AND calls.call_id IS NOT NULL THEN 'busy'
    ELSE 'done'
END
FROM unnest(:namespace, :call_id, :made) WITH ORDINALITY
    AS every (namespace, call_id, made, number)
LEFT JOIN namespaces USING (namespace)
LEFT JOIN finished
    ON finished.generation = namespaces.generation AND finished.call_id = every.call_id
LEFT JOIN LATERAL (
    SELECT * FROM calls
    WHERE calls.generation = namespaces.generation AND calls.call_id = every.call_id
    OFFSET 0  -- else it is joined by the generation alone, over all calls of a key
) AS calls ON cardinality(calls.delivery_statuses) = every.made
ORDER BY number;

-- name: delete_namespace
-- Takes only the name: the rows go piece by piece, and nobody finds them any more.
UPDATE namespaces SET namespace = NULL WHERE namespace = :namespace RETURNING generation;

-- name: keep_reset
-- Locks what was kept: the rest of two resets of one namespace happens one after the other.
INSERT INTO resets (namespace, seq) VALUES (:namespace, :seq)
ON CONFLICT (namespace) DO UPDATE SET seq = greatest(resets.seq, excluded.seq);

-- name: drop_resets
WITH old AS (
    SELECT namespace FROM resets WHERE seq < :before ORDER BY namespace FOR UPDATE SKIP LOCKED
)
DELETE FROM resets USING old WHERE resets.namespace = old.namespace;

-- name: read_resets
SELECT namespace, seq FROM resets WHERE namespace = ANY (:namespaces);

-- name: delete_journal
-- In one order, so that two replicas that empty one namespace never wait for each other.
WITH gone AS (
    SELECT last_seq FROM journal WHERE namespace = :namespace ORDER BY last_seq FOR UPDATE
)
DELETE FROM journal USING gone
WHERE journal.namespace = :namespace AND journal.last_seq = gone.last_seq;

-- name: delete_coverage
WITH gone AS (
    SELECT operation_id, status, code, scenario FROM coverage WHERE namespace = :namespace
    ORDER BY operation_id, status, code, scenario FOR UPDATE
)
DELETE FROM coverage USING gone
WHERE coverage.namespace = :namespace AND coverage.operation_id = gone.operation_id
  AND coverage.status = gone.status AND coverage.code = gone.code
  AND coverage.scenario = gone.scenario;

-- name: deleted_generations
SELECT generation FROM namespaces WHERE namespace IS NULL;

-- name: delete_calls
-- What another replica is removing just now needs no waiting for. Each piece begins behind the one
-- before, so as not to pass by the rows that are removed already.
WITH piece AS (
    SELECT generation, call_id FROM calls
    WHERE generation = :generation AND call_id > :after
    ORDER BY call_id LIMIT :limit FOR UPDATE SKIP LOCKED
), removed AS (
    DELETE FROM calls USING piece
    WHERE calls.generation = piece.generation AND calls.call_id = piece.call_id
)
SELECT call_id FROM piece ORDER BY call_id;

-- name: delete_idempotency_keys
WITH piece AS (
    SELECT generation, idempotency_key FROM idempotency_keys
    WHERE generation = :generation AND idempotency_key > :after
    ORDER BY idempotency_key LIMIT :limit FOR UPDATE SKIP LOCKED
), removed AS (
    DELETE FROM idempotency_keys USING piece
    WHERE idempotency_keys.generation = piece.generation
      AND idempotency_keys.idempotency_key = piece.idempotency_key
)
SELECT idempotency_key FROM piece ORDER BY idempotency_key;

-- name: delete_generation
DELETE FROM namespaces WHERE generation = :generation AND namespace IS NULL
AND NOT EXISTS (SELECT FROM calls WHERE generation = :generation)
AND NOT EXISTS (SELECT FROM idempotency_keys WHERE generation = :generation)
AND NOT EXISTS (SELECT FROM faults WHERE generation = :generation)
AND NOT EXISTS (SELECT FROM numbers WHERE generation = :generation)
AND NOT EXISTS (SELECT FROM rejections WHERE generation = :generation);

-- name: count_faults
SELECT count(*) FROM faults WHERE generation = {generation};

-- name: arm_fault
INSERT INTO faults (generation, fault_id, operation_id, phone, skip, times, fault)
SELECT generation, :fault_id, :operation_id, :phone, :skip::integer, :times::integer, :fault
FROM namespaces WHERE namespace = :namespace;

-- name: read_faults
SELECT fault_id, operation_id, fault, phone, skip, times, met
FROM faults WHERE generation = {generation} ORDER BY seq;

-- name: strike_fault
-- The first fault that fits strikes. Those before it let this request pass, as `skip` says.
-- Whoever comes at the same time waits for the first row that fits, and sees it as it is then.
WITH fitting AS MATERIALIZED (
    SELECT fault_id, seq, met >= skip AS strikes FROM faults
    WHERE generation = {generation} AND operation_id IN (:operation_id, 'any')
      AND (phone IS NULL OR phone = :phone::text) AND {may_strike}
    ORDER BY seq FOR UPDATE
)
UPDATE faults SET met = met + 1
WHERE generation = {generation} AND fault_id IN (
    SELECT fault_id FROM fitting
    WHERE NOT EXISTS (SELECT FROM fitting AS earlier WHERE strikes AND earlier.seq < fitting.seq)
)
RETURNING fault_id, operation_id, fault, phone, skip, times, met;

-- name: mark_faults
UPDATE namespaces SET has_faults = EXISTS (
    SELECT FROM faults WHERE faults.generation = namespaces.generation AND {may_strike}
)
WHERE namespace = :namespace;

-- name: delete_spent_faults
DELETE FROM faults WHERE generation = {generation} AND NOT {may_strike};

-- name: disarm_faults
DELETE FROM faults
WHERE generation = {generation} AND (:fault_id::text IS NULL OR fault_id = :fault_id)
RETURNING fault_id;

-- name: namespaces_with_faults
SELECT namespace FROM namespaces WHERE has_faults AND namespace IS NOT NULL LIMIT :limit;

-- name: delete_faults
WITH piece AS (
    SELECT generation, fault_id FROM faults
    WHERE generation = :generation AND fault_id > :after
    ORDER BY fault_id LIMIT :limit FOR UPDATE SKIP LOCKED
), removed AS (
    DELETE FROM faults USING piece
    WHERE faults.generation = piece.generation AND faults.fault_id = piece.fault_id
)
SELECT fault_id FROM piece ORDER BY fault_id;

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
WITH piece AS (
    SELECT generation, phone FROM numbers
    WHERE generation = :generation AND phone > :after
    ORDER BY phone LIMIT :limit FOR UPDATE SKIP LOCKED
), removed AS (
    DELETE FROM numbers USING piece
    WHERE numbers.generation = piece.generation AND numbers.phone = piece.phone
)
SELECT phone FROM piece ORDER BY phone;

-- name: delete_rejections
WITH piece AS (
    SELECT generation, phone FROM rejections
    WHERE generation = :generation AND phone > :after
    ORDER BY phone LIMIT :limit FOR UPDATE SKIP LOCKED
), removed AS (
    DELETE FROM rejections USING piece
    WHERE rejections.generation = piece.generation AND rejections.phone = piece.phone
)
SELECT phone FROM piece ORDER BY phone;

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
WHERE namespace = :namespace AND last_seq > :after AND last_seq <= :until
    AND last_seq <> ALL (:without::text[])
    AND last_seq > coalesce((SELECT seq FROM resets WHERE namespace = :namespace), '')
ORDER BY last_seq LIMIT :limit;

-- name: newest_seq
SELECT coalesce(max(last_seq), '') FROM journal WHERE namespace = :namespace;

-- name: read_coverage
SELECT operation_id, status, code, scenario, exchanges FROM coverage
WHERE namespace = :namespace
ORDER BY operation_id, status, code, scenario;

-- name: database_time
SELECT extract(epoch FROM clock_timestamp())::double precision;

-- name: last_shown
SELECT
    coalesce((SELECT max(anchor_wall) FROM namespaces), 0),
    coalesce((SELECT max(last_seq) FROM journal), '');
