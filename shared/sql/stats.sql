-- The counts that the status of the custom resources and the metrics show. Every statement reads a bounded part of an
-- index, so none costs more as rows grow.

-- name: count_notifications
-- Count open notifications: `pending`, those that a loop should take now (`due`), and those whose due time has passed
-- (`overdue`), among these with an unsuccessful attempt (`retried`), each up to :limit. `oldest_overdue` and
-- `oldest_retried` are ages in seconds, or NULL. A row is overdue by its due time, however long it is set aside.
-- Indexes: ix_notification_schedule_attempt_at, ix_notification_schedule_due_at.
SELECT
    due.due, overdue.*,
    (
        SELECT count(*) FROM (SELECT FROM notification_schedule WHERE attempt_at IS NOT NULL LIMIT :limit) AS open_rows
    ) AS pending,
    (
        SELECT min(attempt_at) FROM notification_schedule WHERE attempt_at > statement_timestamp()
    ) AS next_due
FROM (
    SELECT count(*) AS due
    FROM (SELECT FROM notification_schedule WHERE attempt_at <= statement_timestamp() LIMIT :limit) AS due_rows
) AS due,
(
    SELECT
        count(*) AS overdue,
        count(*) FILTER (WHERE is_retried) AS retried,
        CAST(extract(epoch FROM statement_timestamp() - min(due_at)) AS double precision) AS oldest_overdue,
        CAST(extract(epoch FROM statement_timestamp() - min(due_at) FILTER (WHERE is_retried)) AS double precision)
            AS oldest_retried
    FROM (
        SELECT due_at, failed_attempt > 0 OR attempts > 1 AS is_retried
        FROM notification_schedule
        WHERE settled_at IS NULL AND due_at < statement_timestamp()
        ORDER BY due_at
        LIMIT :limit
    ) AS overdue_rows
) AS overdue;

-- name: count_transitions
-- Count open status transitions. See count_notifications.
-- Indexes: ix_game_status_schedule_attempt_at, ix_game_status_schedule_due_at.
SELECT
    due.due, overdue.*,
    (
        SELECT count(*) FROM (SELECT FROM game_status_schedule WHERE attempt_at IS NOT NULL LIMIT :limit) AS open_rows
    ) AS pending,
    (
        SELECT min(attempt_at) FROM game_status_schedule WHERE attempt_at > statement_timestamp()
    ) AS next_due
FROM (
    SELECT count(*) AS due
    FROM (SELECT FROM game_status_schedule WHERE attempt_at <= statement_timestamp() LIMIT :limit) AS due_rows
) AS due,
(
    SELECT
        count(*) AS overdue,
        count(*) FILTER (WHERE is_retried) AS retried,
        CAST(extract(epoch FROM statement_timestamp() - min(due_at)) AS double precision) AS oldest_overdue,
        CAST(extract(epoch FROM statement_timestamp() - min(due_at) FILTER (WHERE is_retried)) AS double precision)
            AS oldest_retried
    FROM (
        SELECT due_at, failed_attempt > 0 OR attempts > 1 AS is_retried
        FROM game_status_schedule
        WHERE settled_at IS NULL AND due_at < statement_timestamp()
        ORDER BY due_at
        LIMIT :limit
    ) AS overdue_rows
) AS overdue;

-- name: count_retries
-- Count the overdue rows of both tables that took :min_attempts or more after a failure, and find since when the oldest
-- failed row has been due. Indexes: ix_notification_schedule_due_at and ix_game_status_schedule_due_at, at most :limit
-- entries of each.
SELECT count(*) FILTER (WHERE attempts >= :min_attempts) AS failing, min(due_at) AS oldest
FROM (
    (
        SELECT due_at, attempts, failed_attempt FROM notification_schedule
        WHERE settled_at IS NULL AND due_at < statement_timestamp()
        ORDER BY due_at
        LIMIT :limit
    )
    UNION ALL
    (
        SELECT due_at, attempts, failed_attempt FROM game_status_schedule
        WHERE settled_at IS NULL AND due_at < statement_timestamp()
        ORDER BY due_at
        LIMIT :limit
    )
) AS overdue
WHERE failed_attempt > 0;

-- name: count_parked_messages
-- Count the parked messages of each queue that await a decision, among the first :limit of all.
-- Index: uq_parked_message_open.
SELECT queue, count(*)
FROM (SELECT queue FROM parked_message WHERE resolved_at IS NULL LIMIT :limit) AS open_messages
GROUP BY queue;
