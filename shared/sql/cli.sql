-- The statements of the administrator's commands `trace`, `dead-letters` and `recover`.

-- name: find_by_id
-- Find the game of an id of ours, and its row if the id belongs to one: a notification, a status change or a delivery.
-- Indexes: pk_game, pk_notification_schedule, pk_game_status_schedule, pk_notification_delivery.
SELECT id AS game_id, CAST(NULL AS uuid) AS row_id FROM game WHERE id = :id
UNION ALL
SELECT game_id, id FROM notification_schedule WHERE id = :id
UNION ALL
SELECT game_id, id FROM game_status_schedule WHERE id = :id
UNION ALL
SELECT notification.game_id, notification.id
FROM notification_delivery AS delivery
JOIN notification_schedule AS notification ON notification.id = delivery.notification_id
WHERE delivery.id = :id;

-- name: find_by_message_id
-- Find the game whose announcement a Discord message is, or the notification that it delivered.
-- Indexes: ix_game_message_id, ix_notification_delivery_message_id.
SELECT id AS game_id, CAST(NULL AS uuid) AS row_id FROM game WHERE message_id = :message_id
UNION ALL
SELECT notification.game_id, notification.id
FROM notification_delivery AS delivery
JOIN notification_schedule AS notification ON notification.id = delivery.notification_id
WHERE delivery.message_id = :message_id;

-- name: list_parked_messages
-- List the parked messages of some dead-letter queues, oldest first.
SELECT *
FROM parked_message
WHERE queue = ANY(CAST(:queues AS text[])) AND (:include_resolved OR resolved_at IS NULL)
ORDER BY parked_at, id;

-- name: resolve_parked_message
-- Mark an open parked message as retried or discarded. Index: pk_parked_message.
UPDATE parked_message
SET resolved_at = clock_timestamp(), resolution = :resolution
WHERE id = :id AND resolved_at IS NULL
RETURNING *;

-- name: list_uncertain_notifications
-- Read the next :batch_size open notifications that are due, with their games and deliveries: they may have been sent
-- since a backup was made. An announcement is read only while no message of it is known, because editing a known one does
-- no harm. A second warning to the host does no harm either. An offer of a seat that has not ended in this database is
-- left to the bot, which gives the seat on.
-- Indexes: ix_notification_schedule_due_at, pk_game, uq_notification_delivery_recipient.
SELECT
    notification.id, notification.kind, notification.due_at, notification.game_scheduled_at, notification.user_id,
    game.id AS game_id, game.title, game.channel_id, game.message_id AS announcement_id,
    ARRAY(
        SELECT delivery.id FROM notification_delivery AS delivery WHERE delivery.notification_id = notification.id
    ) AS delivery_ids
FROM notification_schedule AS notification
JOIN game ON game.id = notification.game_id
WHERE notification.settled_at IS NULL
    AND notification.due_at BETWEEN CAST(:after_due_at AS timestamptz) AND (SELECT clock_timestamp())
    AND (notification.due_at, notification.id) > (CAST(:after_due_at AS timestamptz), CAST(:after_id AS uuid))
    AND (notification.kind <> 'announcement' OR game.message_id IS NULL)
    AND notification.kind <> 'warning'
    AND (notification.kind <> 'offer_end' OR notification.reason IS NOT NULL)
ORDER BY notification.due_at, notification.id
LIMIT :batch_size;

-- name: mark_found_deliveries
-- Record the messages that were found in the channels for open deliveries. Index: uq_notification_delivery_recipient.
UPDATE notification_delivery AS delivery
SET state = 'sent', message_id = message.id, last_error = NULL, lease_until = NULL, finished_at = clock_timestamp()
FROM unnest(CAST(:notification_ids AS uuid[]), CAST(:message_ids AS bigint[])) AS message (notification_id, id)
WHERE delivery.notification_id = message.notification_id
    AND delivery.recipient_kind = 'channel'
    AND delivery.chunk = 0
    AND delivery.state IN ('pending', 'sending');

-- name: list_connected_workloads
-- List Questbell's other connections to this database, which could send messages meanwhile.
SELECT DISTINCT application_name
FROM pg_stat_activity
WHERE datname = current_database()
    AND application_name LIKE 'questbell%'
    AND application_name <> :own_name
ORDER BY application_name;
