-- What the status of a Scheduler says about its published rows. Every statement reads a bounded part of an index.

-- name: find_overdue_notifications
-- Count open notifications that have been overdue for more than :threshold, up to :limit. Find the age of the oldest in
-- seconds, and their first known error.
-- Index: ix_notification_schedule_due_at.
SELECT
    count(*) AS overdue,
    CAST(extract(epoch FROM statement_timestamp() - min(due_at)) AS double precision) AS oldest,
    (array_agg(last_error ORDER BY due_at) FILTER (WHERE last_error IS NOT NULL))[1] AS last_error
FROM (
    SELECT due_at, last_error
    FROM notification_schedule
    WHERE settled_at IS NULL AND due_at < statement_timestamp() - CAST(:threshold AS interval)
    ORDER BY due_at
    LIMIT :limit
) AS overdue_rows;

-- name: find_last_outcome_notifications
-- Find when the latest of the rows that were published received its outcome, among the last :limit outcomes.
-- Index: ix_notification_schedule_settled_at.
SELECT max(settled_at) AS settled_at
FROM (
    SELECT settled_at, attempts
    FROM notification_schedule
    WHERE settled_at IS NOT NULL
    ORDER BY settled_at DESC
    LIMIT :limit
) AS latest
WHERE attempts > 0;

-- name: find_overdue_transitions
-- Count open status transitions that have been overdue for more than :threshold, up to :limit. Find the age of the
-- oldest in seconds, and their first known error.
-- Index: ix_game_status_schedule_due_at.
SELECT
    count(*) AS overdue,
    CAST(extract(epoch FROM statement_timestamp() - min(due_at)) AS double precision) AS oldest,
    (array_agg(last_error ORDER BY due_at) FILTER (WHERE last_error IS NOT NULL))[1] AS last_error
FROM (
    SELECT due_at, last_error
    FROM game_status_schedule
    WHERE settled_at IS NULL AND due_at < statement_timestamp() - CAST(:threshold AS interval)
    ORDER BY due_at
    LIMIT :limit
) AS overdue_rows;

-- name: find_last_outcome_transitions
-- Find when the latest of the rows that were published received its outcome, among the last :limit outcomes.
-- Index: ix_game_status_schedule_settled_at.
SELECT max(settled_at) AS settled_at
FROM (
    SELECT settled_at, attempts
    FROM game_status_schedule
    WHERE settled_at IS NOT NULL
    ORDER BY settled_at DESC
    LIMIT :limit
) AS latest
WHERE attempts > 0;
