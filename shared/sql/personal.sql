-- The statements about the reminders of one player alone. Their games are locked first.

-- name: lock_settings
-- Let nobody give the user a seat until their settings and the reminders that follow from them are committed.
SELECT pg_advisory_xact_lock(CAST(:class AS integer), hashint8(CAST(:user_id AS bigint)));

-- name: share_settings
-- Let users change no settings until their seats and reminders are committed. Return those who just do: a wait here, with
-- the game locked, could end in a deadlock.
SELECT user_id
FROM unnest(CAST(:user_ids AS bigint[])) AS wanted (user_id)
WHERE NOT pg_try_advisory_xact_lock_shared(CAST(:class AS integer), hashint8(user_id));

-- name: lock_games_of_user
-- Lock the next :limit games that a user plays in or hosts.
-- Indexes: ix_participant_user_id, ix_game_host_id_scheduled_at, pk_game.
SELECT id
FROM game
WHERE id = ANY(ARRAY(
    SELECT coming.id
    FROM (
        SELECT game_id AS id FROM participant WHERE user_id = :user_id
        UNION
        SELECT id FROM game WHERE host_id = :user_id AND scheduled_at > (SELECT clock_timestamp())
    ) AS own
    JOIN game AS coming ON coming.id = own.id
    WHERE coming.scheduled_at > (SELECT clock_timestamp()) AND coming.status = 'scheduled'
    ORDER BY coming.scheduled_at
    LIMIT :limit
))
ORDER BY id
FOR UPDATE;

-- name: obsolete_personal_reminders
-- Find the open personal reminders of games, of one user or of all, that no longer follow from the game and the user's
-- settings. What may have been sent is left to the bot, which finds out whether it was.
-- Indexes: ix_notification_schedule_game_id, pk_game, pk_person, pk_participant, uq_notification_delivery_recipient.
SELECT reminder.id
FROM notification_schedule AS reminder
JOIN game ON game.id = reminder.game_id
LEFT JOIN person ON person.user_id = reminder.user_id
WHERE reminder.game_id = ANY(CAST(:game_ids AS uuid[]))
    AND reminder.kind = 'personal_reminder'
    AND reminder.settled_at IS NULL
    AND (CAST(:user_id AS bigint) IS NULL OR reminder.user_id = CAST(:user_id AS bigint))
    AND (
        game.status <> 'scheduled'
        OR reminder.game_scheduled_at <> game.scheduled_at
        OR coalesce(person.reminders_off, false)
        OR reminder.user_id <> game.host_id AND NOT EXISTS (
            SELECT FROM participant
            WHERE participant.game_id = reminder.game_id AND participant.user_id = reminder.user_id
        )
        OR reminder.reason = 'extra' AND (
            person.extra_offset_minutes IS NULL
            OR person.extra_offset_minutes = ANY(game.reminder_offsets)
            OR reminder.due_at <> game.scheduled_at - person.extra_offset_minutes * interval '1 minute'
        )
    )
    AND NOT EXISTS (
        SELECT FROM notification_delivery AS delivery
        WHERE delivery.notification_id = reminder.id AND delivery.state = 'sending'
    );

-- name: keep_personal_reminders
-- Move the open personal reminders of a game to its new version. Index: ix_notification_schedule_game_id.
UPDATE notification_schedule AS reminder
SET game_version = game.version
FROM game
WHERE game.id = ANY(CAST(:game_ids AS uuid[]))
    AND game.status = 'scheduled'
    AND reminder.game_id = game.id
    AND reminder.kind = 'personal_reminder'
    AND reminder.settled_at IS NULL
    AND reminder.game_scheduled_at = game.scheduled_at
    AND reminder.game_version <> game.version;

-- name: add_extra_reminders
-- Write the extra reminders of games' players and hosts, of one user or of all, but none in the past and none that the
-- game has for everybody. As other reminders, one that was superseded is reopened, so that it is sent at most once.
-- Indexes: pk_game, pk_participant, pk_person, uq_notification_schedule_personal_reminder.
INSERT INTO notification_schedule (
    id, game_id, game_version, kind, game_scheduled_at, user_id, reason, due_at, attempt_at
)
SELECT
    gen_random_uuid(), game.id, game.version, 'personal_reminder', game.scheduled_at, person.user_id, 'extra',
    due.at, due.at
FROM game
CROSS JOIN LATERAL (
    SELECT user_id FROM participant WHERE participant.game_id = game.id
    UNION
    SELECT game.host_id
) AS people
JOIN person ON person.user_id = people.user_id
CROSS JOIN LATERAL (SELECT game.scheduled_at - person.extra_offset_minutes * interval '1 minute' AS at) AS due
WHERE game.id = ANY(CAST(:game_ids AS uuid[]))
    AND game.status = 'scheduled'
    AND (CAST(:user_id AS bigint) IS NULL OR people.user_id = CAST(:user_id AS bigint))
    AND NOT person.reminders_off
    AND person.extra_offset_minutes IS NOT NULL
    AND person.extra_offset_minutes <> ALL(game.reminder_offsets)
    AND due.at > clock_timestamp()
ON CONFLICT (game_id, user_id, due_at) WHERE kind = 'personal_reminder'
DO UPDATE SET
    game_version = excluded.game_version,
    game_scheduled_at = excluded.game_scheduled_at,
    reason = excluded.reason,
    attempt_at = excluded.attempt_at,
    settled_at = NULL,
    outcome = NULL,
    outcome_detail = NULL
WHERE notification_schedule.outcome = 'superseded';
