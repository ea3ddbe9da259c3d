-- The statements that settle rows. Each says `settled_at IS NULL`: the first to settle a row wins. What else changes a
-- row is in settle.py and, for the claim, in the statements of the loops.

-- name: settle_notifications
-- Settle open notifications: those in `ids` with the outcomes given, those in `attempted` with the outcome of their
-- deliveries once all of these are final. `unknown` counts as not delivered. A posted announcement stays open, because
-- it is edited from then on.
-- Indexes: pk_notification_schedule, uq_notification_delivery_recipient.
WITH settlement (id, outcome, detail, is_given) AS (
    SELECT given.*, true
    FROM unnest(CAST(:ids AS uuid[]), CAST(:outcomes AS text[]), CAST(:details AS text[])) AS given
    UNION ALL
    SELECT
        notification_id,
        CASE
            WHEN bool_and(state = 'sent') THEN 'delivered'
            WHEN bool_or(state = 'sent') THEN 'partly_delivered'
            ELSE 'undeliverable'
        END,
        string_agg(DISTINCT last_error, '; '),
        false
    FROM notification_delivery
    WHERE notification_id = ANY(CAST(:attempted AS uuid[]))
    GROUP BY notification_id
    HAVING bool_and(state IN ('sent', 'failed', 'unknown'))
)
UPDATE notification_schedule AS notification
SET settled_at = clock_timestamp(), attempt_at = NULL, outcome = settlement.outcome, outcome_detail = settlement.detail
FROM settlement
WHERE notification.id = settlement.id
    AND notification.settled_at IS NULL
    AND (settlement.is_given OR notification.kind <> 'announcement')
RETURNING
    notification.id, notification.game_id, notification.attempts, notification.outcome, notification.outcome_detail,
    notification.kind AS event_type;

-- name: settle_transitions
-- Settle open status transitions with the outcomes given. Index: pk_game_status_schedule.
UPDATE game_status_schedule AS transition
SET settled_at = clock_timestamp(), attempt_at = NULL, outcome = settlement.outcome, outcome_detail = settlement.detail
FROM unnest(CAST(:ids AS uuid[]), CAST(:outcomes AS text[]), CAST(:details AS text[]))
    AS settlement (id, outcome, detail)
WHERE transition.id = settlement.id AND transition.settled_at IS NULL
RETURNING
    transition.id, transition.game_id, transition.attempts, transition.outcome, transition.outcome_detail,
    'game.status_transition_due' AS event_type;
