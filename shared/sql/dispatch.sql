-- The statements of the scheduler loops and the dead-letter loop, one of each per schedule table. One transaction spans
-- claim, publish and mark. Its row locks are all that coordinates the replicas: SKIP LOCKED gives each row to one of
-- them, and a process that dies releases its rows with its connection.

-- name: claim_notifications
-- Lock at most :batch_size due notifications of :kinds that no other replica has locked, the most urgent first. Kinds of
-- a newer release are left to it.
-- Indexes: ix_notification_schedule_kind_attempt_at, of which at most :window entries of each kind are read however many
-- rows are due; then pk_notification_schedule. Another index that begins with the time would let the planner read past
-- the due rows of all other kinds. Kind and time compared as one row were rejected: only the kind ends such a scan, so
-- all pending entries of the kind are read. The window is an array and not a join: with a join the planner estimates
-- that a third of the table is due, and scans it.
-- The clock is in a sub-select, because a volatile function cannot be an index condition. `attempt_at` is checked again,
-- because another replica may have marked the row since the window was read.
SELECT
    id, game_id, due_at, attempts, clock_timestamp() AS claimed_at, kind, offset_minutes, game_scheduled_at
FROM notification_schedule
WHERE id = ANY(ARRAY(
        SELECT due.id
        FROM unnest(CAST(:kinds AS text[])) AS wanted (kind),
            LATERAL (
                SELECT id FROM notification_schedule
                WHERE kind = wanted.kind AND attempt_at <= (SELECT clock_timestamp())
                ORDER BY kind, attempt_at
                LIMIT :window
            ) AS due
    ))
    AND attempt_at <= (SELECT clock_timestamp())
ORDER BY game_scheduled_at, due_at
LIMIT :batch_size
FOR NO KEY UPDATE SKIP LOCKED;

-- name: claim_transitions
-- Lock at most :batch_size due status transitions, the oldest first. See claim_notifications.
-- Indexes: ix_game_status_schedule_target_status_attempt_at, then pk_game_status_schedule.
SELECT
    id, game_id, due_at, attempts, clock_timestamp() AS claimed_at, target_status
FROM game_status_schedule
WHERE id = ANY(ARRAY(
        SELECT due.id
        FROM unnest(CAST(:kinds AS text[])) AS wanted (kind),
            LATERAL (
                SELECT id FROM game_status_schedule
                WHERE target_status = wanted.kind AND attempt_at <= (SELECT clock_timestamp())
                ORDER BY target_status, attempt_at
                LIMIT :window
            ) AS due
    ))
    AND attempt_at <= (SELECT clock_timestamp())
ORDER BY due_at
LIMIT :batch_size
FOR NO KEY UPDATE SKIP LOCKED;

-- name: claim_dead_notifications
-- Lock the notifications of dead letters, given by row id and attempt, that need another message now. A row is claimed if
-- it is due, or if this message was its latest attempt and no failure was recorded for it: the bot no longer has the
-- message, so nobody else answers for that attempt. Settled, purged and rescheduled rows are left out, and so are rows
-- that a scheduler is publishing, or whose kind only a newer release knows. Index: pk_notification_schedule.
SELECT
    id, game_id, due_at, attempts, clock_timestamp() AS claimed_at, kind, offset_minutes, game_scheduled_at
FROM notification_schedule
JOIN unnest(CAST(:ids AS uuid[]), CAST(:attempts AS bigint[])) AS dead (row_id, attempt) ON id = dead.row_id
WHERE settled_at IS NULL
    AND kind = ANY(CAST(:kinds AS text[]))
    AND (attempt_at <= clock_timestamp() OR (attempts = dead.attempt AND failed_attempt < attempts))
FOR NO KEY UPDATE OF notification_schedule SKIP LOCKED;

-- name: claim_dead_transitions
-- Lock the status transitions of dead letters that need another message now. See claim_dead_notifications.
-- Index: pk_game_status_schedule.
SELECT
    id, game_id, due_at, attempts, clock_timestamp() AS claimed_at, target_status
FROM game_status_schedule
JOIN unnest(CAST(:ids AS uuid[]), CAST(:attempts AS bigint[])) AS dead (row_id, attempt) ON id = dead.row_id
WHERE settled_at IS NULL
    AND target_status = ANY(CAST(:kinds AS text[]))
    AND (attempt_at <= clock_timestamp() OR (attempts = dead.attempt AND failed_attempt < attempts))
FOR NO KEY UPDATE OF game_status_schedule SKIP LOCKED;

-- name: mark_published_notifications
-- Count the attempt of confirmed notifications. Each becomes due again if no outcome is recorded within :settle_timeout.
-- A row whose game began :begun_after ago only waits for the bot to record that it expired, so it is published again
-- after :begun_interval at the earliest. Index: pk_notification_schedule.
UPDATE notification_schedule
SET attempts = attempts + 1,
    attempt_at = clock_timestamp() + CASE
        WHEN game_scheduled_at + CAST(:begun_after AS interval) <= clock_timestamp()
            THEN greatest(CAST(:settle_timeout AS interval), CAST(:begun_interval AS interval))
        ELSE CAST(:settle_timeout AS interval)
    END
WHERE id = ANY(CAST(:ids AS uuid[])) AND settled_at IS NULL
RETURNING clock_timestamp();

-- name: mark_published_transitions
-- Count the attempt of confirmed status transitions. Each becomes due again if no outcome is recorded within
-- :settle_timeout. Index: pk_game_status_schedule.
UPDATE game_status_schedule
SET attempts = attempts + 1, attempt_at = clock_timestamp() + CAST(:settle_timeout AS interval)
WHERE id = ANY(CAST(:ids AS uuid[])) AND settled_at IS NULL
RETURNING clock_timestamp();

-- name: mark_failed_notifications
-- Count the attempt of notifications that could not be published, and retry each after its own delay in seconds.
-- Index: pk_notification_schedule.
UPDATE notification_schedule
SET attempts = attempts + 1,
    failed_attempt = attempts + 1,
    attempt_at = clock_timestamp() + make_interval(secs => failed.delay),
    last_error = :error
FROM unnest(CAST(:ids AS uuid[]), CAST(:delays AS double precision[])) AS failed (row_id, delay)
WHERE id = failed.row_id AND settled_at IS NULL;

-- name: mark_failed_transitions
-- Count the attempt of status transitions that could not be published, and retry each after its own delay in seconds.
-- Index: pk_game_status_schedule.
UPDATE game_status_schedule
SET attempts = attempts + 1,
    failed_attempt = attempts + 1,
    attempt_at = clock_timestamp() + make_interval(secs => failed.delay),
    last_error = :error
FROM unnest(CAST(:ids AS uuid[]), CAST(:delays AS double precision[])) AS failed (row_id, delay)
WHERE id = failed.row_id AND settled_at IS NULL;

-- name: next_due_notifications
-- The seconds until the next notification of :kinds is due: 0 or less if one is due now, NULL without open rows.
-- Index: ix_notification_schedule_kind_attempt_at, of which one entry of each kind is read.
SELECT CAST(extract(epoch FROM min(next.attempt_at) - clock_timestamp()) AS double precision)
FROM unnest(CAST(:kinds AS text[])) AS wanted (kind),
    LATERAL (
        SELECT attempt_at FROM notification_schedule
        WHERE (kind, attempt_at) >= (wanted.kind, '-infinity')
            AND (kind, attempt_at) <= (wanted.kind, 'infinity')
            AND attempt_at IS NOT NULL
        ORDER BY kind, attempt_at
        LIMIT 1
    ) AS next;

-- name: next_due_transitions
-- The seconds until the next status transition is due: 0 or less if one is due now, NULL without open rows.
-- Index: ix_game_status_schedule_target_status_attempt_at, of which one entry of each status is read.
SELECT CAST(extract(epoch FROM min(next.attempt_at) - clock_timestamp()) AS double precision)
FROM unnest(CAST(:kinds AS text[])) AS wanted (kind),
    LATERAL (
        SELECT attempt_at FROM game_status_schedule
        WHERE (target_status, attempt_at) >= (wanted.kind, '-infinity')
            AND (target_status, attempt_at) <= (wanted.kind, 'infinity')
            AND attempt_at IS NOT NULL
        ORDER BY target_status, attempt_at
        LIMIT 1
    ) AS next;

-- name: requeue_notifications
-- Make at most :batch_size published notifications of :kinds due now, after the broker lost their messages. A published
-- row waits for at most :longest_wait; what waits longer was deferred, and has no message.
-- Indexes: ix_notification_schedule_kind_attempt_at, then pk_notification_schedule.
UPDATE notification_schedule
SET attempt_at = clock_timestamp()
WHERE id = ANY(ARRAY(
    SELECT id FROM notification_schedule
    WHERE kind = ANY(CAST(:kinds AS text[]))
        AND attempt_at > (SELECT clock_timestamp())
        AND attempt_at <= (SELECT clock_timestamp()) + CAST(:longest_wait AS interval)
        AND attempts > 0
    ORDER BY attempt_at
    LIMIT :batch_size
    FOR NO KEY UPDATE
))
RETURNING id;

-- name: requeue_transitions
-- Make at most :batch_size published status transitions of :kinds due now. See requeue_notifications.
-- Indexes: ix_game_status_schedule_target_status_attempt_at, then pk_game_status_schedule.
UPDATE game_status_schedule
SET attempt_at = clock_timestamp()
WHERE id = ANY(ARRAY(
    SELECT id FROM game_status_schedule
    WHERE target_status = ANY(CAST(:kinds AS text[]))
        AND attempt_at > (SELECT clock_timestamp())
        AND attempt_at <= (SELECT clock_timestamp()) + CAST(:longest_wait AS interval)
        AND attempts > 0
    ORDER BY attempt_at
    LIMIT :batch_size
    FOR NO KEY UPDATE
))
RETURNING id;

-- name: purge_notifications
-- Delete at most :batch_size notifications that were settled longer ago than :retention, with their deliveries. What is
-- sent once for each start of a game is kept until then, because its row shows that it was sent.
-- Indexes: ix_notification_schedule_settled_at, then pk_notification_schedule.
DELETE FROM notification_schedule
WHERE id = ANY(ARRAY(
    SELECT id FROM notification_schedule
    WHERE settled_at < (SELECT clock_timestamp()) - CAST(:retention AS interval)
        AND (kind NOT IN ('minimum', 'nudge') OR game_scheduled_at < (SELECT clock_timestamp()))
    ORDER BY settled_at
    LIMIT :batch_size
    FOR UPDATE SKIP LOCKED
))
RETURNING id;

-- name: purge_transitions
-- Delete at most :batch_size status transitions that were settled longer ago than :retention.
-- Indexes: ix_game_status_schedule_settled_at, then pk_game_status_schedule.
DELETE FROM game_status_schedule
WHERE id = ANY(ARRAY(
    SELECT id FROM game_status_schedule
    WHERE settled_at < (SELECT clock_timestamp()) - CAST(:retention AS interval)
    ORDER BY settled_at
    LIMIT :batch_size
    FOR UPDATE SKIP LOCKED
))
RETURNING id;
