-- The counts that the status of the custom resources and the metrics show. Every statement reads a bounded part of an
-- index, so none costs more as rows grow.

-- name: count_notifications
-- Count open notifications: `pending`, and among those that may be taken within :horizon `due`, `overdue` and `retried`
-- (overdue with an unsuccessful attempt), each up to :limit. `oldest_overdue` and `oldest_retried` are ages in seconds, or
-- NULL. Every overdue row is taken again within :horizon, so none of them is missed.
-- Index: ix_notification_schedule_attempt_at, of which at most twice :limit entries are read.
SELECT
    count(*) FILTER (WHERE attempt_at <= statement_timestamp()) AS due,
    count(*) FILTER (WHERE is_overdue) AS overdue,
    count(*) FILTER (WHERE is_overdue AND is_retried) AS retried,
    CAST(extract(epoch FROM statement_timestamp() - min(due_at) FILTER (WHERE is_overdue)) AS double precision)
        AS oldest_overdue,
    CAST(extract(epoch FROM statement_timestamp() - min(due_at) FILTER (WHERE is_overdue AND is_retried)) AS double precision)
        AS oldest_retried,
    (
        SELECT count(*)
        FROM (SELECT FROM notification_schedule WHERE attempt_at IS NOT NULL LIMIT :limit) AS open_rows
    ) AS pending,
    (
        SELECT min(attempt_at) FROM notification_schedule WHERE attempt_at > statement_timestamp()
    ) AS next_due
FROM (
    SELECT
        attempt_at, due_at, due_at < statement_timestamp() AS is_overdue, failed_attempt > 0 OR attempts > 1 AS is_retried
    FROM notification_schedule
    WHERE attempt_at <= statement_timestamp() + CAST(:horizon AS interval)
    ORDER BY attempt_at
    LIMIT :limit
) AS soon;

-- name: count_transitions
-- Count open status transitions. See count_notifications. Index: ix_game_status_schedule_attempt_at.
SELECT
    count(*) FILTER (WHERE attempt_at <= statement_timestamp()) AS due,
    count(*) FILTER (WHERE is_overdue) AS overdue,
    count(*) FILTER (WHERE is_overdue AND is_retried) AS retried,
    CAST(extract(epoch FROM statement_timestamp() - min(due_at) FILTER (WHERE is_overdue)) AS double precision)
        AS oldest_overdue,
    CAST(extract(epoch FROM statement_timestamp() - min(due_at) FILTER (WHERE is_overdue AND is_retried)) AS double precision)
        AS oldest_retried,
    (
        SELECT count(*)
        FROM (SELECT FROM game_status_schedule WHERE attempt_at IS NOT NULL LIMIT :limit) AS open_rows
    ) AS pending,
    (
        SELECT min(attempt_at) FROM game_status_schedule WHERE attempt_at > statement_timestamp()
    ) AS next_due
FROM (
    SELECT
        attempt_at, due_at, due_at < statement_timestamp() AS is_overdue, failed_attempt > 0 OR attempts > 1 AS is_retried
    FROM game_status_schedule
    WHERE attempt_at <= statement_timestamp() + CAST(:horizon AS interval)
    ORDER BY attempt_at
    LIMIT :limit
) AS soon;

-- name: count_retries
-- Count the open rows of both tables that took :min_attempts or more after a failure, and find since when the oldest
-- failed row has been due. Every failed row is taken again within :horizon.
-- Indexes: ix_notification_schedule_attempt_at and ix_game_status_schedule_attempt_at, at most :limit entries of each.
SELECT count(*) FILTER (WHERE attempts >= :min_attempts) AS failing, min(due_at) AS oldest
FROM (
    (
        SELECT due_at, attempts, failed_attempt FROM notification_schedule
        WHERE attempt_at <= statement_timestamp() + CAST(:horizon AS interval)
        ORDER BY attempt_at
        LIMIT :limit
    )
    UNION ALL
    (
        SELECT due_at, attempts, failed_attempt FROM game_status_schedule
        WHERE attempt_at <= statement_timestamp() + CAST(:horizon AS interval)
        ORDER BY attempt_at
        LIMIT :limit
    )
) AS soon
WHERE failed_attempt > 0;

-- name: count_parked_messages
-- Count the parked messages of each queue that await a decision, among the first :limit of all.
-- Index: uq_parked_message_open.
SELECT queue, count(*)
FROM (SELECT queue FROM parked_message WHERE resolved_at IS NULL LIMIT :limit) AS open_messages
GROUP BY queue;
