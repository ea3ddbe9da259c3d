-- The statements that settle rows. Each says `settled_at IS NULL`: the first to settle a row wins. What else changes a
-- row is in settle.py and, for the claim, in the statements of the loops.

-- name: settle_notifications
-- Settle open notifications: those in `ids` with the outcomes given, those in `attempted` with the outcome of their
-- deliveries once all of these are final. `unknown` counts as not delivered. A posted announcement stays open, because
-- it is edited from then on. No delivery of a settled notification stays open: what may have been sent is `unknown`, and
-- what was not sent is `failed`, unless the reminder may be reopened. Those in `attempted` have none. Players who left
-- while a notice may have been sent get the next one.
-- The settlements are materialized: if PostgreSQL has to wait for a row's lock, it checks the row again with the current
-- row of each other table, and of a UNION ALL inside the join that is always the first one. The row would stay open.
-- Indexes: pk_notification_schedule, uq_notification_delivery_recipient.
WITH settlement (id, outcome, detail, is_given) AS MATERIALIZED (
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
),
settled AS (
    UPDATE notification_schedule AS notification
    SET settled_at = clock_timestamp(),
        attempt_at = NULL,
        outcome = settlement.outcome,
        outcome_detail = settlement.detail
    FROM settlement
    WHERE notification.id = settlement.id
        AND notification.settled_at IS NULL
        AND (settlement.is_given OR notification.kind <> 'announcement')
    RETURNING
        notification.id, notification.game_id, notification.attempts, notification.outcome,
        notification.outcome_detail, notification.kind AS event_type, notification.game_version,
        notification.game_scheduled_at, notification.next_user_ids, settlement.is_given
),
followed AS (
    INSERT INTO notification_schedule (
        id, game_id, game_version, kind, game_scheduled_at, user_ids, due_at, attempt_at
    )
    SELECT
        gen_random_uuid(), game_id, game_version, event_type, game_scheduled_at, next_user_ids,
        clock_timestamp(), clock_timestamp()
    FROM settled
    WHERE cardinality(next_user_ids) > 0 AND outcome <> 'superseded'
),
closed AS (
    UPDATE notification_delivery AS delivery
    SET state = CASE WHEN delivery.state = 'sending' THEN 'unknown' ELSE 'failed' END,
        last_error = coalesce(delivery.last_error, settled.outcome_detail),
        first_sending_at = NULL,
        lease_until = NULL,
        finished_at = clock_timestamp()
    FROM settled
    WHERE settled.is_given
        AND delivery.notification_id = settled.id
        AND (delivery.state = 'sending' OR delivery.state = 'pending' AND settled.outcome <> 'superseded')
)
SELECT id, game_id, attempts, outcome, outcome_detail, event_type FROM settled;

-- name: lock_games_to_warn
-- Lock the games of notifications before warnings are written, as everybody locks them who changes one: otherwise
-- somebody who has locked the game may wait for the row. It is a separate statement, so that the next one sees what was
-- committed meanwhile: other warnings, and the lease of one.
-- Indexes: pk_notification_schedule, pk_game.
SELECT id
FROM game
WHERE id = ANY(ARRAY(SELECT game_id FROM notification_schedule WHERE id = ANY(CAST(:notification_ids AS uuid[]))))
ORDER BY id
FOR NO KEY UPDATE;

-- name: warn_hosts
-- Write a warning to the host of each notification's game, unless the host knows this reason. A warning that is
-- still open takes up the new reason, unless it may have been sent: the host would never see it there. Then the reason
-- gets a separate warning, which names its recipient, because a game has only one open warning that names nobody. Nobody
-- is warned about a warning. The games are locked.
-- Indexes: pk_notification_schedule, pk_game, ix_notification_schedule_game_id, uq_notification_delivery_recipient.
INSERT INTO notification_schedule (
    id, game_id, game_version, kind, game_scheduled_at, reason, user_id, due_at, attempt_at
)
SELECT
    (array_agg(warning.id))[1], game.id, game.version, 'warning', game.scheduled_at,
    string_agg(DISTINCT warning.reason, E'\n'),
    CASE WHEN EXISTS (
        SELECT FROM notification_schedule AS shown JOIN notification_delivery AS delivery
            ON delivery.notification_id = shown.id
        WHERE shown.game_id = game.id
            AND shown.kind = 'warning'
            AND shown.user_id IS NULL
            AND shown.settled_at IS NULL
            AND delivery.state = 'sending'
    ) THEN game.host_id END,
    clock_timestamp(), clock_timestamp()
FROM unnest(CAST(:ids AS uuid[]), CAST(:notification_ids AS uuid[]), CAST(:reasons AS text[]))
    AS warning (id, notification_id, reason)
JOIN notification_schedule AS notification ON notification.id = warning.notification_id
JOIN game ON game.id = notification.game_id
WHERE notification.kind <> 'warning'
    AND NOT EXISTS (
        SELECT FROM notification_schedule AS known
        WHERE known.game_id = game.id AND known.kind = 'warning' AND position(warning.reason IN known.reason) > 0
    )
GROUP BY game.id
ORDER BY game.id
ON CONFLICT (game_id, kind) WHERE kind <> 'reminder' AND user_id IS NULL AND settled_at IS NULL
DO UPDATE SET reason = concat_ws(E'\n', notification_schedule.reason, excluded.reason);

-- name: unseen_warnings
-- Read some warnings that could not be sent to a host. Few warnings are undeliverable, so all hosts share the index.
-- Indexes: ix_notification_schedule_unseen_warning, uq_notification_delivery_recipient, pk_game.
SELECT
    game.id, game.guild_id, game.channel_id, game.message_id, game.interaction_id, game.host_id, game.scheduled_at,
    game.zone, game.local_time, game.status, game.version, game.revision, game.series_id, game.occurrence,
    game.series_rule, game.created_at, game.title, game.description, game.place, game.duration, game.capacity,
    game.slots, game.reminder_offsets, game.required_role_id, game.closes_minutes, game.minimum_players,
    game.minimum_minutes, game.offer_minutes, game.nudge_minutes, game.nudge_role_id,
    delivery.id AS delivery_id, warning.reason
FROM notification_schedule AS warning
JOIN game ON game.id = warning.game_id
JOIN notification_delivery AS delivery ON delivery.notification_id = warning.id
WHERE warning.kind = 'warning'
    AND warning.outcome = 'undeliverable'
    AND delivery.state = 'failed'
    AND game.host_id = :host_id
ORDER BY warning.settled_at
LIMIT 3;

-- name: mark_warnings_seen
-- Record the answer to a command that showed warnings. Index: pk_notification_delivery.
UPDATE notification_delivery
SET state = 'sent', message_id = :message_id, last_error = NULL, finished_at = clock_timestamp()
WHERE id = ANY(CAST(:ids AS uuid[])) AND state = 'failed';

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

-- name: find_kinds
-- Read the kinds of rows of either table, whatever their state. Messages only claim to know them.
-- Indexes: pk_notification_schedule, pk_game_status_schedule.
SELECT id, kind FROM notification_schedule WHERE id = ANY(CAST(:ids AS uuid[]))
UNION ALL
SELECT id, 'transition' FROM game_status_schedule WHERE id = ANY(CAST(:ids AS uuid[]));
