-- The statements that write, read and purge who changed what.

-- name: write_entry
-- Write an entry.
INSERT INTO audit_entry (id, guild_id, game_id, series_id, actor_id, action, detail)
VALUES (
    :id, :guild_id, CAST(:game_id AS uuid), CAST(:series_id AS uuid), CAST(:actor_id AS bigint), :action,
    CAST(:detail AS jsonb)
);

-- name: purge_entries
-- Delete at most :batch_size entries that are older than :retention. Index: ix_audit_entry_at, then pk_audit_entry.
DELETE FROM audit_entry
WHERE id = ANY(ARRAY(
    SELECT id FROM audit_entry
    WHERE at < (SELECT clock_timestamp()) - CAST(:retention AS interval)
    ORDER BY at
    LIMIT :batch_size
    FOR UPDATE SKIP LOCKED
))
RETURNING id;

-- name: read_game_entries
-- Read the latest entries of a game, and those of its series since there is the game.
-- Indexes: ix_audit_entry_game_id_at, pk_game, ix_audit_entry_series_id_at.
SELECT actor_id, action, detail, at
FROM (
    (
        SELECT id, actor_id, action, detail, at
        FROM audit_entry
        WHERE game_id = :game_id
        ORDER BY at DESC, id DESC
        LIMIT :limit
    )
    UNION ALL
    (
        SELECT entry.id, entry.actor_id, entry.action, entry.detail, entry.at
        FROM game JOIN audit_entry AS entry ON entry.series_id = game.series_id AND entry.at >= game.created_at
        WHERE game.id = :game_id
        ORDER BY entry.at DESC, entry.id DESC
        LIMIT :limit
    )
) AS latest
ORDER BY at DESC, id DESC
LIMIT :limit;

-- name: read_series_entries
-- Read the latest entries of a series. Index: ix_audit_entry_series_id_at.
SELECT actor_id, action, detail, at
FROM audit_entry
WHERE series_id = :series_id
ORDER BY at DESC, id DESC
LIMIT :limit;

-- name: read_settings_entries
-- Read the latest entries about a server's settings. Index: ix_audit_entry_settings.
SELECT actor_id, action, detail, at
FROM audit_entry
WHERE guild_id = :guild_id AND game_id IS NULL AND series_id IS NULL
ORDER BY at DESC, id DESC
LIMIT :limit;
