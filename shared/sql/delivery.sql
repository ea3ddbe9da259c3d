-- The statements of the bot's delivery. All transactions lock in this order: game, row of the schedule, delivery.
-- A delivery is created pending, or sending if nothing has to be waited for. It goes from pending to sending, then to
-- sent, failed or unknown; from sending back to pending when Discord certainly did not take the message.

-- name: lock_games
-- Lock the games of notifications against changes while these are checked. A game that is being changed is left out, so
-- that it delays nothing else; without SKIP LOCKED the statement waits for it.
-- Indexes: pk_notification_schedule, pk_game.
SELECT
    id, guild_id, channel_id, message_id, interaction_id, host_id, scheduled_at, zone, local_time, status, version,
    revision, series_id, occurrence, series_rule, created_at, title, description, place, duration, capacity, slots,
    reminder_offsets, required_role_id, closes_minutes, minimum_players, minimum_minutes, offer_minutes, nudge_minutes,
    nudge_role_id
FROM game
WHERE id = ANY(ARRAY(SELECT game_id FROM notification_schedule WHERE id = ANY(CAST(:ids AS uuid[]))))
ORDER BY id
FOR SHARE SKIP LOCKED;

-- name: open_notifications
-- Read open notifications of :kinds that are due, whatever a message says. Of several overdue reminders of one game only
-- the latest that was not withdrawn is delivered: after an outage nobody gets four of them. A reminder for one user is
-- not for users who have left, or who want no reminders; the host need not have a seat. A host is asked about a game only
-- while too few players have a seat. An announcement may be posted already if it is unknown whether an earlier attempt
-- posted it. A reminder, a nudge or a question to the host before the announcement would give the game away in the
-- channel.
-- Indexes: pk_notification_schedule, uq_notification_schedule_reminder, ix_notification_schedule_game_id,
-- uq_notification_schedule_open_notice, uq_notification_delivery_recipient, pk_participant, pk_game, pk_guild.
SELECT
    id, game_id, kind, offset_minutes, game_scheduled_at, game_version, due_at, attempts, reason, user_ids, user_id,
    CASE kind
        WHEN 'reminder' THEN EXISTS (
            SELECT FROM notification_schedule AS later
            WHERE later.kind = 'reminder'
                AND later.game_id = notification.game_id
                AND later.game_scheduled_at = notification.game_scheduled_at
                AND later.due_at > notification.due_at
                AND later.due_at <= (SELECT clock_timestamp())
                AND later.outcome IS DISTINCT FROM 'superseded'
        )
        WHEN 'personal_reminder' THEN EXISTS (
            SELECT FROM notification_schedule AS later
            WHERE (later.kind = 'reminder' OR later.kind = 'personal_reminder' AND later.user_id = notification.user_id)
                AND later.game_id = notification.game_id
                AND later.game_scheduled_at = notification.game_scheduled_at
                AND later.due_at > notification.due_at
                AND later.due_at <= (SELECT clock_timestamp())
                AND later.outcome IS DISTINCT FROM 'superseded'
        )
        ELSE false
    END AS is_overtaken,
    kind = 'announcement' AND 'unknown' = ANY(ARRAY(
        SELECT delivery.state
        FROM notification_schedule AS earlier JOIN notification_delivery AS delivery
            ON delivery.notification_id = earlier.id
        WHERE earlier.game_id = notification.game_id AND earlier.kind = 'announcement'
    )) AS may_be_posted,
    kind IN ('reminder', 'personal_reminder', 'nudge', 'minimum') AND EXISTS (
        SELECT FROM notification_schedule AS announcement
        WHERE announcement.game_id = notification.game_id
            AND announcement.kind = 'announcement'
            AND announcement.user_id IS NULL
            AND announcement.settled_at IS NULL
            AND announcement.due_at > (SELECT clock_timestamp())
    ) AS is_early,
    CASE
        WHEN user_id IS NULL OR kind IN ('warning', 'minimum', 'offer_end') THEN false
        WHEN kind = 'personal_reminder' AND EXISTS (
            SELECT FROM person WHERE person.user_id = notification.user_id AND reminders_off
        ) THEN true
        WHEN kind = 'personal_reminder' AND EXISTS (
            SELECT FROM game WHERE game.id = notification.game_id AND game.host_id = notification.user_id
        ) THEN false
        ELSE NOT EXISTS (
            SELECT FROM participant
            WHERE participant.game_id = notification.game_id AND participant.user_id = notification.user_id
        )
    END AS has_left,
    kind = 'minimum' AND NOT EXISTS (
        SELECT FROM game
        WHERE game.id = notification.game_id
            AND minimum_players > (SELECT count(*) FROM participant WHERE participant.game_id = game.id)
    ) AS has_enough,
    (
        SELECT guild.name FROM game JOIN guild ON guild.id = game.guild_id WHERE game.id = notification.game_id
    ) AS guild_name,
    (SELECT clock_timestamp()) AS checked_at
FROM notification_schedule AS notification
WHERE id = ANY(CAST(:ids AS uuid[]))
    AND settled_at IS NULL
    AND kind = ANY(CAST(:kinds AS text[]))
    AND (kind <> 'offer_end' OR reason IS NOT NULL)
    AND due_at <= (SELECT clock_timestamp());

-- name: people
-- Read the players of games in the order they joined, then the host if they did not join, and how each wants to be
-- notified.
-- Indexes: pk_participant, pk_game, pk_person.
SELECT
    game_id, user_id, has_joined, slot, offered_until, is_confirmed, coalesce(wants_dm, false) AS wants_dm,
    dms_closed_at IS NOT NULL AS has_closed_dms, coalesce(reminders_off, false) AS reminders_off
FROM (
    SELECT game_id, user_id, joined_at, true AS has_joined, slot, offered_until, is_confirmed
    FROM participant
    WHERE game_id = ANY(CAST(:game_ids AS uuid[]))
    UNION ALL
    SELECT id, host_id, 'infinity', false, NULL, NULL, true
    FROM game
    WHERE id = ANY(CAST(:game_ids AS uuid[]))
        AND NOT EXISTS (SELECT FROM participant WHERE game_id = game.id AND user_id = game.host_id)
) AS people LEFT JOIN person USING (user_id)
ORDER BY joined_at, user_id;

-- name: addressees
-- Read how the only recipients of notifications want to be notified.
-- Indexes: pk_notification_schedule, pk_person.
SELECT id, user_id, coalesce(wants_dm, false) AS wants_dm, dms_closed_at IS NOT NULL AS has_closed_dms
FROM notification_schedule LEFT JOIN person USING (user_id)
WHERE id = ANY(CAST(:ids AS uuid[])) AND user_id IS NOT NULL;

-- name: earlier_players
-- Read the players of earlier games who have not answered a game, and how each wants to be notified: of the last five
-- games of its series that are over, or without a series of the host's last five on the server within 60 days. The host
-- and those who turned reminders off are left out. Those who have answered are taken off game by game: with an anti-join
-- the planner reads all players of all games for a batch.
-- Indexes: pk_game, uq_game_occurrence and ix_game_host_id_scheduled_at, of which the latest entries of a series or a host
-- are read, pk_participant, pk_response, pk_person.
SELECT
    game.id AS game_id, earlier.user_id, coalesce(person.wants_dm, false) AS wants_dm,
    person.dms_closed_at IS NOT NULL AS has_closed_dms
FROM game
CROSS JOIN LATERAL (
    SELECT user_id
    FROM (
        (
            SELECT id
            FROM game AS of_series
            WHERE of_series.series_id = game.series_id AND of_series.status = 'completed'
            ORDER BY of_series.occurrence DESC
            LIMIT 5
        )
        UNION ALL
        (
            SELECT id
            FROM game AS of_host
            WHERE game.series_id IS NULL
                AND of_host.host_id = game.host_id
                AND of_host.guild_id = game.guild_id
                AND of_host.scheduled_at > (SELECT clock_timestamp()) - interval '60 days'
                AND of_host.scheduled_at <= (SELECT clock_timestamp())
                AND of_host.status = 'completed'
            ORDER BY of_host.scheduled_at DESC
            LIMIT 5
        )
    ) AS over
    JOIN participant ON participant.game_id = over.id
    EXCEPT
    SELECT user_id FROM participant WHERE participant.game_id = game.id
    EXCEPT
    SELECT user_id FROM response WHERE response.game_id = game.id
    EXCEPT
    SELECT game.host_id
) AS earlier
LEFT JOIN person ON person.user_id = earlier.user_id
WHERE game.id = ANY(CAST(:game_ids AS uuid[]))
    AND NOT coalesce(person.reminders_off, false)
ORDER BY game.id, earlier.user_id;

-- name: responses
-- Read the answers of users who have no seat, in the order they answered.
-- Index: pk_response.
SELECT game_id, user_id, answer, slot
FROM response
WHERE game_id = ANY(CAST(:game_ids AS uuid[]))
ORDER BY answered_at, user_id;

-- name: co_hosts
-- Read the co-hosts of games, the first added first.
-- Index: pk_co_host.
SELECT game_id, user_id
FROM co_host
WHERE game_id = ANY(CAST(:game_ids AS uuid[]))
ORDER BY added_at, user_id;

-- name: deliveries
-- Read the deliveries of notifications in the order they are sent.
-- Index: uq_notification_delivery_recipient.
SELECT
    id, notification_id, recipient_kind, recipient_id, chunk, mentions, state, message_id, last_error, created_at
FROM notification_delivery
WHERE notification_id = ANY(CAST(:notification_ids AS uuid[]))
ORDER BY chunk, recipient_id;

-- name: create_deliveries
-- Create the deliveries of notifications, those in :leased with the right to send. Another process may create the same at
-- the same time; the first wins. Mentions come as text, because arrays of different lengths cannot be elements of an
-- array.
INSERT INTO notification_delivery (
    id, notification_id, recipient_kind, recipient_id, chunk, mentions, state, attempts, first_sending_at, lease_until
)
SELECT
    id, notification_id, recipient_kind, recipient_id, chunk, CAST(mentions AS bigint[]),
    CASE WHEN is_leased THEN 'sending' ELSE 'pending' END,
    CASE WHEN is_leased THEN 1 ELSE 0 END,
    CASE WHEN is_leased THEN statement_timestamp() END,
    CASE WHEN is_leased THEN statement_timestamp() + CAST(:lease AS interval) END
FROM unnest(
    CAST(:ids AS uuid[]), CAST(:notification_ids AS uuid[]), CAST(:recipient_kinds AS text[]),
    CAST(:recipient_ids AS bigint[]), CAST(:chunks AS bigint[]), CAST(:mentions AS text[]), CAST(:leased AS boolean[])
) AS recipient (id, notification_id, recipient_kind, recipient_id, chunk, mentions, is_leased)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: acquire_leases
-- Commit the right to send: one moment for the whole statement. A delivery that was left in sending may be sent again
-- only while Discord surely remembers its nonce. One that was turned into a delivery in the channel since it was read is
-- left to the attempt that turned it.
-- Index: pk_notification_delivery.
UPDATE notification_delivery AS delivery
SET state = 'sending',
    attempts = attempts + 1,
    first_sending_at = coalesce(first_sending_at, statement_timestamp()),
    lease_until = statement_timestamp() + CAST(:lease AS interval)
FROM unnest(CAST(:ids AS uuid[]), CAST(:recipient_ids AS bigint[])) AS wanted (delivery_id, recipient_id)
WHERE delivery.id = wanted.delivery_id
    AND delivery.recipient_id = wanted.recipient_id
    AND (
        state = 'pending'
        OR state = 'sending'
            AND lease_until <= statement_timestamp()
            AND first_sending_at > statement_timestamp() - CAST(:nonce_window AS interval)
    )
RETURNING delivery.id, attempts, first_sending_at = statement_timestamp() AS is_first;

-- name: lease_conflicts
-- Read why leases could not be acquired.
-- Index: pk_notification_delivery.
SELECT
    id, state, first_sending_at,
    CAST(extract(epoch FROM lease_until - statement_timestamp()) AS double precision) AS lease_seconds
FROM notification_delivery
WHERE id = ANY(CAST(:ids AS uuid[])) AND state <> 'pending';

-- name: write_mentions
-- Record whom messages mention that were never sent before.
-- Index: pk_notification_delivery.
UPDATE notification_delivery AS delivery
SET mentions = CAST(message.mentions AS bigint[])
FROM unnest(CAST(:ids AS uuid[]), CAST(:mentions AS text[])) AS message (id, mentions)
WHERE delivery.id = message.id;

-- name: delete_pending
-- Delete pending deliveries whose recipients no longer need the notification. They were never contacted.
-- Index: pk_notification_delivery.
DELETE FROM notification_delivery WHERE id = ANY(CAST(:ids AS uuid[])) AND state = 'pending';

-- name: lock_notifications
-- Lock notifications that may have to be settled, before their deliveries and in one order: of two processes that finish
-- the last two deliveries of a notification, the second sees both.
-- Index: pk_notification_schedule.
SELECT id FROM notification_schedule WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE;

-- name: mark_sent
-- Record that messages exist. It is a fact even if another process holds the lease by now, so attempts are not compared.
-- Index: pk_notification_delivery.
UPDATE notification_delivery AS delivery
SET state = 'sent', message_id = message.id, last_error = NULL, lease_until = NULL, finished_at = clock_timestamp()
FROM unnest(CAST(:ids AS uuid[]), CAST(:message_ids AS bigint[])) AS message (delivery_id, id)
WHERE delivery.id = message.delivery_id AND delivery.state <> 'sent'
RETURNING delivery.id;

-- name: record_unsent
-- Record attempts without a message: failed for good, pending again, or still sending when it is not known whether the
-- message was sent; then only the lease ends. A lease that was lost records nothing.
-- Index: pk_notification_delivery.
UPDATE notification_delivery AS delivery
SET state = attempt.state,
    last_error = attempt.error,
    first_sending_at = CASE WHEN attempt.state <> 'pending' THEN first_sending_at END,
    lease_until = CASE WHEN attempt.state = 'sending' THEN clock_timestamp() END,
    finished_at = CASE WHEN attempt.state = 'failed' THEN clock_timestamp() END
FROM unnest(CAST(:ids AS uuid[]), CAST(:attempts AS bigint[]), CAST(:states AS text[]), CAST(:errors AS text[]))
    AS attempt (delivery_id, number, state, error)
WHERE delivery.id = attempt.delivery_id AND delivery.attempts = attempt.number AND delivery.state = 'sending'
RETURNING delivery.state;

-- name: fall_back_to_channel
-- Turn a delivery by direct message, which was certainly not sent, into one in the channel. It is the same row, so it is
-- still sent at most once.
-- Indexes: pk_notification_delivery, uq_notification_delivery_recipient.
UPDATE notification_delivery
SET state = 'pending',
    recipient_kind = 'channel',
    recipient_id = CAST(:channel_id AS bigint),
    mentions = ARRAY[CAST(:user_id AS bigint)],
    chunk = 1 + (SELECT max(chunk) FROM notification_delivery WHERE notification_id = :notification_id),
    last_error = :error,
    first_sending_at = NULL,
    lease_until = NULL
WHERE id = :id AND attempts = CAST(:attempt AS bigint) AND state = 'sending';

-- name: resolve_uncertain
-- Record what searches found out about attempts without a result: never sent (pending), or impossible to know (unknown).
-- Index: pk_notification_delivery.
UPDATE notification_delivery AS delivery
SET state = search.state,
    first_sending_at = NULL,
    lease_until = NULL,
    finished_at = CASE WHEN search.state = 'unknown' THEN clock_timestamp() END
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[])) AS search (delivery_id, state)
WHERE delivery.id = search.delivery_id
    AND delivery.state = 'sending'
    AND delivery.lease_until <= statement_timestamp()
RETURNING delivery.state;

-- name: lock_games_to_change
-- Lock the games of status transitions. A game that is being changed is left out; without SKIP LOCKED the statement waits
-- for it.
-- Indexes: pk_game_status_schedule, pk_game.
SELECT
    id, guild_id, channel_id, message_id, interaction_id, host_id, scheduled_at, zone, local_time, status, version,
    revision, series_id, occurrence, series_rule, created_at, title, description, place, duration, capacity, slots,
    reminder_offsets, required_role_id, closes_minutes, minimum_players, minimum_minutes, offer_minutes, nudge_minutes,
    nudge_role_id
FROM game
WHERE id = ANY(ARRAY(SELECT game_id FROM game_status_schedule WHERE id = ANY(CAST(:ids AS uuid[]))))
ORDER BY id
FOR UPDATE SKIP LOCKED;

-- name: open_transitions
-- Read open status transitions to :kinds that are due, earliest first.
-- Index: pk_game_status_schedule.
SELECT
    target_status, id, game_version, due_at, attempt_at, attempts, failed_attempt, last_error, settled_at, outcome,
    outcome_detail, created_at, game_id,
    clock_timestamp() AS checked_at
FROM game_status_schedule
WHERE id = ANY(CAST(:ids AS uuid[]))
    AND settled_at IS NULL
    AND target_status = ANY(CAST(:kinds AS text[]))
    AND due_at <= (SELECT clock_timestamp())
ORDER BY due_at;
