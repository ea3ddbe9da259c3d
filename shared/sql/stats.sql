-- The counts that the status of the custom resources and the metrics show. Every statement reads a bounded part of an
-- index, so none costs more as rows grow.

-- name: count_notifications
-- Count open notifications: `pending`, and of :kinds those that a loop should take now (`due`), and those whose due time
-- has passed (`overdue`), among these with an unsuccessful attempt (`retried`), each up to :limit. `oldest_overdue` and
-- `oldest_retried` are ages in seconds, or NULL. A row is overdue by its due time, however long it is set aside. `newer`
-- counts the rows that wait for a newer release: kinds between two known ones, in the order of the index.
-- Indexes: ix_notification_schedule_due_at, ix_notification_schedule_kind_attempt_at.
SELECT
    due.due, overdue.*,
    (
        SELECT count(*) FROM (SELECT FROM notification_schedule WHERE attempt_at IS NOT NULL LIMIT :limit) AS open_rows
    ) AS pending,
    (
        SELECT min(next.attempt_at)
        FROM unnest(CAST(:kinds AS text[])) AS known (kind),
            LATERAL (
                SELECT attempt_at FROM notification_schedule
                WHERE (kind, attempt_at) > (known.kind, statement_timestamp())
                    AND (kind, attempt_at) <= (known.kind, 'infinity')
                    AND attempt_at IS NOT NULL
                ORDER BY kind, attempt_at
                LIMIT 1
            ) AS next
    ) AS next_due,
    (
        SELECT count(*)
        FROM (
            SELECT newer.*
            FROM (
                SELECT kind AS after, lead(kind, 1, repeat('z', 33)) OVER (ORDER BY kind) AS before
                FROM unnest(array_append(CAST(:kinds AS text[]), CAST('' AS text))) AS known (kind)
            ) AS gap,
                LATERAL (
                    SELECT FROM notification_schedule
                    WHERE kind > gap.after AND kind < gap.before AND attempt_at IS NOT NULL
                    LIMIT :limit
                ) AS newer
            LIMIT :limit
        ) AS unknown
    ) AS newer
FROM (
    SELECT count(*) AS due
    FROM (
        SELECT FROM notification_schedule
        WHERE kind = ANY(CAST(:kinds AS text[])) AND attempt_at <= statement_timestamp()
        LIMIT :limit
    ) AS due_rows
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
        WHERE settled_at IS NULL AND due_at < statement_timestamp() AND kind = ANY(CAST(:kinds AS text[]))
        ORDER BY due_at
        LIMIT :limit
    ) AS overdue_rows
) AS overdue;

-- name: count_transitions
-- Count open status transitions. See count_notifications.
-- Indexes: ix_game_status_schedule_due_at, ix_game_status_schedule_target_status_attempt_at.
SELECT
    due.due, overdue.*,
    (
        SELECT count(*) FROM (SELECT FROM game_status_schedule WHERE attempt_at IS NOT NULL LIMIT :limit) AS open_rows
    ) AS pending,
    (
        SELECT min(next.attempt_at)
        FROM unnest(CAST(:kinds AS text[])) AS known (kind),
            LATERAL (
                SELECT attempt_at FROM game_status_schedule
                WHERE (target_status, attempt_at) > (known.kind, statement_timestamp())
                    AND (target_status, attempt_at) <= (known.kind, 'infinity')
                    AND attempt_at IS NOT NULL
                ORDER BY target_status, attempt_at
                LIMIT 1
            ) AS next
    ) AS next_due,
    (
        SELECT count(*)
        FROM (
            SELECT newer.*
            FROM (
                SELECT kind AS after, lead(kind, 1, repeat('z', 33)) OVER (ORDER BY kind) AS before
                FROM unnest(array_append(CAST(:kinds AS text[]), CAST('' AS text))) AS known (kind)
            ) AS gap,
                LATERAL (
                    SELECT FROM game_status_schedule
                    WHERE target_status > gap.after AND target_status < gap.before AND attempt_at IS NOT NULL
                    LIMIT :limit
                ) AS newer
            LIMIT :limit
        ) AS unknown
    ) AS newer
FROM (
    SELECT count(*) AS due
    FROM (
        SELECT FROM game_status_schedule
        WHERE target_status = ANY(CAST(:kinds AS text[])) AND attempt_at <= statement_timestamp()
        LIMIT :limit
    ) AS due_rows
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
        WHERE settled_at IS NULL AND due_at < statement_timestamp() AND target_status = ANY(CAST(:kinds AS text[]))
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
        WHERE settled_at IS NULL AND due_at < statement_timestamp() AND kind = ANY(CAST(:kinds AS text[]))
        ORDER BY due_at
        LIMIT :limit
    )
    UNION ALL
    (
        SELECT due_at, attempts, failed_attempt FROM game_status_schedule
        WHERE settled_at IS NULL AND due_at < statement_timestamp() AND target_status = ANY(CAST(:statuses AS text[]))
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
